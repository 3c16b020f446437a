// A loopback server that speaks PostgreSQL's protocol (version 3, simple and extended) and answers SQL texts as a test
// says: for server versions and consoles that are not packaged, and for faults.
#pragma once

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::test {

/// What a statement is answered with.
struct PgAnswer {
  std::vector<std::string> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< Nothing: NULL.
  std::string sqlstate = {};                                  ///< Not empty: an ERROR of that state instead of rows.
  std::string message = {};
  bool is_fatal = false;  ///< The error is FATAL and the connection is closed behind it.
  bool hangs = false;     ///< Nothing is answered any more on this connection.

  /// @return an ERROR.
  static PgAnswer error(std::string sqlstate, std::string message);
  /// @return rows from COPY's text format with a header line, as the golden files have them.
  static PgAnswer recorded(std::string_view text);
};

/// Runs on the test's io_context.
class ScriptedPg {
 public:
  /// Called with the SQL of each Parse and Bind (extended protocol) or Query (simple protocol). An error counts at the
  /// Parse, as those of missing tables and rights do.
  using Answers = std::function<PgAnswer(const std::string& sql)>;

  /// @param parameters  reported after login: {"server_version", "17.2"}, …
  ScriptedPg(boost::asio::io_context& io, std::vector<std::pair<std::string, std::string>> parameters, Answers answers);
  ~ScriptedPg();
  ScriptedPg(const ScriptedPg&) = delete;
  ScriptedPg& operator=(const ScriptedPg&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::string dsn(std::string_view database = "postgres") const;
  /// @return logins so far.
  [[nodiscard]] std::size_t connection_count() const noexcept;
  /// @return the SQL of every statement run so far, in order, prepared ones at each execution.
  [[nodiscard]] const std::vector<std::string>& executed() const noexcept;
  /// Logins are refused with this error from now on, "53300" for one; empty: they are taken.
  void refuse_logins(std::string sqlstate, std::string message);
  /// Logins to this database are never answered; empty: to none.
  void hang_logins_to(std::string database);
  /// Closes every connection without a word.
  void cut();

  struct State;  ///< Defined in the .cpp, whose free coroutines use it.

 private:
  std::shared_ptr<State> state_;
};

}  // namespace midst::test
