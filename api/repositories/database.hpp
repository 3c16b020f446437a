// The API's way to Postgres: one statement at a time over the pool, each reported once to whoever counts.
// Repositories use it; it knows no table.
#pragma once

#include "lib/pq/pool.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// A statement as a repository writes it down: a row of its table.
struct Query {
  std::string_view operation;  ///< Label: select, insert, …
  std::string_view table;      ///< Label: the table it is about.
  std::string_view name;       ///< Of the prepared statement, unique per SQL.
  std::string_view sql;
};

/// What a Database tells whoever counts; each may be empty. Called on the loop thread.
struct QueryEvents {
  /// The server has answered, refused, or kept the statement too long; once per statement that was sent.
  std::function<void(std::string_view operation, std::string_view table, std::chrono::nanoseconds duration)>
      on_finished;
  /// There are no rows because of `reason`, an Errc word; also for statements that could not be sent.
  std::function<void(std::string_view operation, std::string_view table, std::string_view reason)> on_failed;
};

struct DatabaseOptions {
  pq::PoolOptions pool;
  /// Whether statements keep a name on their connection. Off for PgBouncer before 1.21 in transaction mode, which
  /// loses named statements between transactions.
  enum class Statements { unnamed, prepared } statements = Statements::unnamed;
};

/// Not thread-safe.
class Database {
 public:
  Database(asio::any_io_executor executor, pq::Conninfo conninfo, DatabaseOptions options, QueryEvents events);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs one statement. Until the schema is known to be current it fails with Errc::loading.
  /// @return its rows, or Errc: of the transport, or of the server; a server that is going away, is read-only or has
  /// no room is Errc::closed, so that callers can tell "later" from "never".
  [[nodiscard]] asio::awaitable<Result<pq::Rows>> run(Query query, std::vector<std::optional<std::string>> parameters,
                                                      Deadline deadline);

  /// @return Done when the server answers and the schema is current.
  [[nodiscard]] asio::awaitable<Result<Done>> check(Deadline deadline);

  /// Called once the migrations are in.
  void set_schema_current() noexcept { is_schema_current_ = true; }
  [[nodiscard]] bool is_schema_current() const noexcept { return is_schema_current_; }
  [[nodiscard]] pq::PoolCounters counters() const noexcept { return pool_.counters(); }

 private:
  [[nodiscard]] asio::awaitable<Result<pq::Rows>> send(Query query, std::vector<std::optional<std::string>> parameters,
                                                       Deadline deadline);

  pq::Pool pool_;
  DatabaseOptions options_;
  QueryEvents events_;
  bool is_schema_current_ = false;
};

}  // namespace midst::api
