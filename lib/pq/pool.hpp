// A bounded pool of pq::Connections; used by the API.
#pragma once

#include "lib/pq/connection.hpp"

#include <cstddef>

namespace midst::pq {

struct PoolOptions {
  std::size_t size = 10;           ///< Connections at most; made on demand.
  std::size_t max_waiting = 1000;  ///< Callers queued at most; one more fails with Errc::limit at once.
  std::chrono::milliseconds acquire_timeout{2000};  ///< Longest wait for a free connection; then Errc::timeout.
};

/// For the db_pool_connections{state} gauge: each connection is in one state.
struct PoolCounters {
  std::size_t idle = 0, busy = 0, waiting_callers = 0;
};

/// Not thread-safe. Statements of one pipeline() run on one connection, in order.
class Pool {
 public:
  Pool(asio::any_io_executor executor, Conninfo conninfo, ConnectionOptions connection, PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Waits for a free connection, then Connection::pipeline() on it.
  [[nodiscard]] asio::awaitable<Result<std::vector<Rows>>> pipeline(std::vector<Statement> statements,
                                                                    Deadline deadline);

  [[nodiscard]] PoolCounters counters() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midst::pq
