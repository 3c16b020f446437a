// Many connections held open by a process of their own, since one process may not have descriptors enough for both
// ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace midst::test {

/// Raises the soft limit of descriptors to the hard one. @return what it is then.
inline std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

/// Forked when it is made, which has to be before the test starts threads.
class Crowd {
 public:
  Crowd() {
    int orders[2], reports[2];
    if (::pipe(orders) != 0 || ::pipe(reports) != 0) throw std::runtime_error("pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::close(orders[1]);
      ::close(reports[0]);
      serve(orders[0], reports[1]);
    }
    ::close(orders[0]);
    ::close(reports[1]);
    order_ = orders[1];
    report_ = reports[0];
  }
  ~Crowd() {
    ::close(order_);
    ::close(report_);
    ::waitpid(child_, nullptr, 0);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Opens that many connections to a loopback port and sends the same bytes, 255 at most, on each. @return how many
  /// connections came about; what the server has done with them since is not looked at.
  std::uint32_t connect(std::uint16_t port, std::uint32_t count, const std::string& bytes) {
    Order order{port, static_cast<std::uint8_t>(bytes.size()), count, {}};
    std::memcpy(static_cast<char*>(order.bytes), bytes.data(), bytes.size());
    std::uint32_t done = 0;
    if (::write(order_, &order, sizeof order) != sizeof order || ::read(report_, &done, sizeof done) != sizeof done)
      throw std::runtime_error("the crowd is gone");
    return done;
  }

 private:
  struct Order {
    std::uint16_t port;
    std::uint8_t size;
    std::uint32_t count;
    char bytes[255];
  };

  /// The child: only calls that are safe behind a fork.
  [[noreturn]] static void serve(int orders, int reports) {
    Order order{};
    while (::read(orders, &order, sizeof order) == sizeof order) {
      std::uint32_t done = 0;
      for (; done < order.count; ++done)
        if (!join(order)) break;
      if (::write(reports, &done, sizeof done) != sizeof done) break;
    }
    ::_exit(0);
  }

  static bool join(const Order& order) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(order.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (socket < 0 || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
    // A server that has closed it already is no reason to stop.
    return order.size == 0 || ::send(socket, order.bytes, order.size, MSG_NOSIGNAL) >= 0 || errno == EPIPE ||
           errno == ECONNRESET;
  }

  pid_t child_ = -1;
  int order_ = -1, report_ = -1;
};

}  // namespace midst::test
