// A loopback TCP proxy in front of a real server: counts turns and bytes, and can delay, freeze and cut the line.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace midst::test {

/// Runs on the test's io_context. All counts are of all connections together.
class CountingProxy {
 public:
  /// @param upstream_port  of 127.0.0.1; connected to when a client comes.
  CountingProxy(boost::asio::io_context& io, std::uint16_t upstream_port);
  ~CountingProxy();
  CountingProxy(const CountingProxy&) = delete;
  CountingProxy& operator=(const CountingProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  /// @return how often a client began to send after its server had sent something, or first of all: round trips begun.
  [[nodiscard]] std::size_t turns() const noexcept;
  [[nodiscard]] std::size_t bytes_to_server() const noexcept;
  [[nodiscard]] std::size_t bytes_to_client() const noexcept;
  /// @return clients accepted since the start or the last reset.
  [[nodiscard]] std::size_t connection_count() const noexcept;
  /// Sets all counts to zero. The next bytes of a client on an open line begin a turn.
  void reset_counts() noexcept;

  /// Holds every chunk back for this long, in each direction.
  void delay(std::chrono::milliseconds one_way) noexcept;
  /// Nothing passes until thaw(), in any direction; connections are accepted all the same.
  void freeze() noexcept;
  void thaw() noexcept;
  /// Closes every line, on both sides. New clients are served.
  void cut() noexcept;
  /// Closes every line as soon as this many more bytes have gone to the clients: an answer that breaks off.
  void cut_after(std::size_t bytes_to_client) noexcept;

  struct State;  ///< Defined in the .cpp, whose free coroutines use it.

 private:
  std::shared_ptr<State> state_;
};

}  // namespace midst::test
