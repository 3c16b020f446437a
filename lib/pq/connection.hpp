// One kept connection to Postgres or to a PgBouncer console. libpq, non-blocking, driven by Asio.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/pq/conninfo.hpp"
#include "lib/pq/rows.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace midst::pq {

/// One statement of a pipeline.
struct Statement {
  std::string sql;
  std::vector<std::optional<std::string>> parameters;  ///< $1…, as text; nothing = NULL.
  /// Non-empty: prepared under this name at first use on a connection, then executed by name. One name, one SQL.
  std::string prepared_name;
  /// Bounds of this statement alone, set in the same round trip; zero = the session's own.
  std::chrono::milliseconds statement_timeout{0}, lock_timeout{0};
  /// Whether a Sync follows: a failure before it does not touch what comes after it. False joins the next statement
  /// in one implicit transaction.
  /// Without a Sync between them the statements after a failed one are not run: their Rows say SQLSTATE 25P02.
  bool ends_with_sync = true;
};

/// Called at each (re)connect for the password, so that a rotated file is picked up; empty: the conninfo's own.
using PasswordProvider = std::function<Result<std::string>()>;

struct ConnectionOptions {
  /// Sent with the first pipeline after each connect, before everything else ("SET …" by set_config()).
  std::vector<std::string> session_setup;
  std::chrono::milliseconds backoff_first{100};  ///< After the first failure; doubles, jittered, up to backoff_max.
  std::chrono::milliseconds backoff_max{10'000};
  std::chrono::milliseconds max_lifetime{0};  ///< Reconnect after this age, jittered; zero = never.
};

/// Not thread-safe; one pipeline() or simple() at a time. Verbs connect first when there is no connection.
class Connection {
 public:
  Connection(asio::any_io_executor executor, Conninfo conninfo, ConnectionOptions options,
             PasswordProvider password = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs all statements in one round trip (libpq pipeline mode). A statement's own failure is in its Rows;
  /// only transport and login failures fail the whole, and then the connection is dropped. After a passed deadline the
  /// connection is dropped too. While a back-off runs, an attempt fails at once with the error that began it.
  /// @return one Rows per statement, or Errc::{connect_refused, dns, tls, auth, limit, loading, timeout, closed,
  /// protocol}.
  [[nodiscard]] asio::awaitable<Result<std::vector<Rows>>> pipeline(std::vector<Statement> statements,
                                                                    Deadline deadline);

  /// Runs one SQL text by the simple protocol, for consoles (PgBouncer) and for what cannot run in a pipeline.
  [[nodiscard]] asio::awaitable<Result<Rows>> simple(std::string sql, Deadline deadline);

  /// Opens the connection now, so that server_version() is known before the first statement is chosen.
  [[nodiscard]] asio::awaitable<Result<Done>> connect(Deadline deadline);

  /// Drops the connection; the next verb opens a new one.
  void close() noexcept;

  [[nodiscard]] bool is_connected() const noexcept;
  [[nodiscard]] std::uint64_t connect_count() const noexcept;
  /// @return how long an attempt would fail at once, since a back-off runs; 0 when none does.
  [[nodiscard]] std::chrono::milliseconds retry_in() const noexcept;
  /// @return PQserverVersion: 150018 for 15.18, 11800 for PgBouncer 1.18; 0 before the first connect.
  [[nodiscard]] int server_version() const noexcept;
  /// @return a parameter the server reported (server_version, in_hot_standby, …) or empty.
  [[nodiscard]] std::string parameter(const std::string& name) const;
  [[nodiscard]] int backend_pid() const noexcept;
  [[nodiscard]] const Conninfo& conninfo() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with the coroutines on their way.
};

}  // namespace midst::pq
