// Waits until a socket that somebody else owns can be read or written. The bridge between libpq's socket and Asio.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace midst::pq {

/// What to wait for.
enum class Ready { read, write, either };

/// Borrows a descriptor for as long as it lives; never closes it. libpq replaces its socket while it connects, so one
/// Readiness serves one PQconnectPoll() step, and afterwards one pipeline.
class Readiness {
 public:
  /// @param descriptor  open, and not to be closed before this object is gone, save by libpq on a broken connection.
  Readiness(const asio::any_io_executor& executor, int descriptor);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// @return Done once the socket is ready (also when it is broken: the next read tells), Errc::timeout when cancelled.
  [[nodiscard]] asio::awaitable<Result<Done>> wait(Ready what);

 private:
  asio::posix::stream_descriptor descriptor_;
};

}  // namespace midst::pq
