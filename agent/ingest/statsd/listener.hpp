// The sockets of StatsD: Unix datagrams, Unix streams, UDP. Reads in bounded turns on the loop thread; what the bytes
// mean is the Statsd's.
#pragma once

#include "agent/ingest/statsd/statsd.hpp"
#include "lib/base/deadline.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

namespace midst::ingest::statsd {

struct ListenerOptions {
  std::size_t max_clients = 1024;  ///< Connected to stream sockets at once; one more is closed.
  /// Of socket files. By default programs of any user may send: metrics come from all over a machine.
  mode_t socket_mode = 0666;
  std::string socket_group;  ///< Group owner of socket files; empty: the process's own.
};

/// Construct, listen as often as needed, then drain() once. Loop thread only.
class Listener {
 public:
  /// @param statsd  must outlive the listener.
  Listener(asio::any_io_executor executor, Statsd& statsd, ListenerOptions options);
  /// Closes what drain() has not.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Receives datagrams at a socket file or a UDP address. @return the address as bound, or net::open_datagram()'s
  /// error.
  Result<std::string> listen_datagrams(const net::ListenAddress& address);
  /// Accepts streams at a socket file. @return its address, or net::open_listener()'s error.
  Result<std::string> listen_streams(const net::ListenAddress& address);
  /// Receives or accepts on a socket that is bound already, of either sort. @return its address.
  Result<std::string> listen(net::Listener bound);

  /// Stops accepting, takes in what has been sent already, and closes everything; by `deadline` at the latest.
  asio::awaitable<void> drain(Deadline deadline);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midst::ingest::statsd
