// One login: the PGconn, its socket waits and what it has prepared. connection.cpp opens, keeps and replaces sessions;
// a session never reconnects. Stops at libpq's asynchronous calls; PQexec and PQcancel, which block, are not used.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/pq/conninfo.hpp"
#include "lib/pq/readiness.hpp"
#include "lib/pq/rows.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct pg_conn;  // libpq's PGconn

namespace midst::pq {

struct Statement;

/// Frees libpq's handles.
struct ReleaseHandle {
  void operator()(pg_conn* connection) const noexcept;
  void operator()(pg_result* result) const noexcept;
};
using ResultHandle = std::unique_ptr<pg_result, ReleaseHandle>;

/// After any error of a verb the session is out of step and must be destroyed. One verb at a time; whoever owns it
/// keeps it alive until the verb has ended.
class Session {
 public:
  /// Logs in. Resolves names first, so that nothing blocks; `connect_timeout` of the conninfo bounds it (5 s by
  /// default).
  /// @param setup  SQL sent in front of the first pipeline, each text in a transaction of its own.
  /// @return Errc::{connect_refused, dns, tls, auth, limit, loading, timeout, closed, protocol, config, server}.
  [[nodiscard]] static asio::awaitable<Result<std::unique_ptr<Session>>> open(asio::any_io_executor executor,
                                                                              Conninfo conninfo,
                                                                              std::vector<std::string> setup);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes in what the server sent unasked. @return whether the connection still stands.
  [[nodiscard]] bool is_alive();

  /// Connection::pipeline() on this login. `statements` must stay until it has ended.
  [[nodiscard]] asio::awaitable<Result<std::vector<Rows>>> pipeline(const std::vector<Statement>& statements);
  /// Connection::simple() on this login. `sql` must stay until it has ended.
  [[nodiscard]] asio::awaitable<Result<Rows>> simple(const std::string& sql);

  /// @return whether `setup` has still to be run.
  [[nodiscard]] bool has_setup() const noexcept { return !setup_.empty(); }
  /// @return whether the server has answered anything since the current verb began.
  [[nodiscard]] bool has_received() const noexcept { return has_received_; }
  /// @return whether the server says that this session cannot write: then a lost pipeline may be sent again. Servers
  /// before 14 do not say.
  [[nodiscard]] bool is_read_only() const;
  /// Ends the conversation under a running verb, which then fails with Errc::closed.
  void cut() noexcept;

  [[nodiscard]] bool stands() const noexcept;
  [[nodiscard]] int server_version() const noexcept;
  [[nodiscard]] std::string parameter(const std::string& name) const;
  [[nodiscard]] int backend_pid() const noexcept;

 private:
  friend class PipelineRun;

  Session(asio::any_io_executor executor, std::vector<std::string> setup);
  asio::awaitable<Result<Done>> log_in(Conninfo conninfo);
  asio::awaitable<Result<Rows>> simple_once(const std::string& sql);
  /// Flushes, reads and waits until libpq has the next result. @return null at the end of a statement's results.
  asio::awaitable<Result<ResultHandle>> next_result(Readiness& readiness);
  [[nodiscard]] bool enter_pipeline_mode() noexcept;
  [[nodiscard]] Error lost() const;
  static void take_notice(void* session, const pg_result* notice);

  asio::any_io_executor executor_;
  std::unique_ptr<pg_conn, ReleaseHandle> connection_;
  std::vector<std::string> setup_;               ///< Emptied once it has been run.
  std::map<std::string, std::string> prepared_;  ///< Name → SQL, of what the server holds.
  std::optional<Error> farewell_;                ///< The FATAL error that ended the session, if the server said one.
  bool has_received_ = false;
};

/// @return the failure if the result ends the session (FATAL, PANIC) or is libpq's own report of a lost connection.
[[nodiscard]] std::optional<Error> session_end(const pg_conn* connection, const pg_result* result);

}  // namespace midst::pq
