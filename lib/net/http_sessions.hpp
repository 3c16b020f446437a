// The connections of one HTTP server, from accept to close: who is being read, answered and written to, and which of
// them has to go when there is no room. Used by http_server, which accepts.
#pragma once

#include "lib/net/channel.hpp"
#include "lib/net/http_server.hpp"

#include <array>
#include <cstddef>
#include <ctime>
#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace boost::asio {
class thread_pool;
}

namespace midst::net {

class Session;

/// Alive until the last connection has ended, whatever becomes of the server.
class Sessions : public std::enable_shared_from_this<Sessions> {
 public:
  Sessions(asio::any_io_executor executor, Handler handler, ServerLimits limits);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  void set_handler(Handler handler);
  void set_limits(ServerLimits limits);
  void set_tls(std::shared_ptr<ServerTls> tls) { tls_ = std::move(tls); }

  /// Serves a connection that was accepted, or refuses it.
  void welcome(Socket socket, Reach reach);
  /// Closes the connection that has made the server wait longest. @return whether there was one.
  bool displace();
  /// Ends what is idle; what is under way is answered and then ended.
  void begin_drain();
  void close_all();
  [[nodiscard]] static asio::awaitable<Result<Done>> wait_until_empty(std::shared_ptr<Sessions> self);
  /// Waits for what is being compressed, since that runs on a thread.
  void join();

  [[nodiscard]] std::size_t open() const noexcept;
  [[nodiscard]] ServerCounters counters() const noexcept;

 private:
  friend class Session;
  using List = std::list<Session*>;

  [[nodiscard]] static asio::awaitable<void> refuse(std::shared_ptr<Sessions> self, Socket socket);
  void close_oldest_of(List& list);
  asio::thread_pool& pool();
  std::string_view date();

  asio::any_io_executor executor_;
  std::shared_ptr<const Handler> handler_;
  ServerLimits limits_;
  std::shared_ptr<ServerTls> tls_;
  ServerCounters counters_;
  /// Each connection is in one of them. Of the first two, those that have made the server wait longest stand first.
  List reading_, writing_, busy_, leaving_;
  std::size_t unsent_bytes_ = 0;  ///< Of the answers of writing_.
  asio::steady_timer emptied_;    ///< Cancelled when the last session ends.
  std::unique_ptr<asio::thread_pool> pool_;
  std::array<char, 16 * 1024> chunk_{};  ///< Filled and emptied between two suspensions.
  std::string date_;
  std::time_t date_second_ = 0;
  std::size_t refusing_ = 0;
  bool is_draining_ = false;
};

}  // namespace midst::net
