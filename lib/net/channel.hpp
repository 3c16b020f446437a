// The bytes of one accepted connection: a socket that never blocks, with TLS inside once it was encrypted.
// Used by http_session and http_server; stops at bytes.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/socket_base.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace boost::asio::ssl {
class context;
}
struct ssl_st;
struct bio_st;

namespace midst::net {

/// TCP and Unix sockets by one code path.
using StreamProtocol = asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<StreamProtocol>;

class Channel {
 public:
  /// What one attempt came to: bytes moved, or what to wait for before the next one.
  struct Progress {
    std::size_t size = 0;
    std::optional<asio::socket_base::wait_type> wants;
  };

  explicit Channel(Socket socket);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// @return the first byte that the client has sent, which stays unread; nothing when there is none yet; Errc::closed.
  [[nodiscard]] Result<std::optional<unsigned char>> peek();

  /// From here on everything goes through TLS; shake_hands() comes next. @return Errc::internal without memory.
  Result<Done> encrypt(std::shared_ptr<asio::ssl::context> context);
  /// @return progress that wants nothing once the handshake is done; Errc::{tls, closed} otherwise.
  [[nodiscard]] Result<Progress> shake_hands();

  /// @return Errc::closed at the end of the stream, Errc::tls for what is no TLS.
  [[nodiscard]] Result<Progress> read_some(std::span<char> buffer);
  /// Takes from the front of `head`, then of `body`; what was not taken is to be offered again.
  [[nodiscard]] Result<Progress> write_some(std::string_view head, std::string_view body);

  /// Waits until the next attempt makes sense. @return Errc::timeout at the deadline, Errc::closed after close().
  [[nodiscard]] asio::awaitable<Result<Done>> wait(asio::socket_base::wait_type what, Deadline deadline);

  /// Says that nothing more will be sent.
  void finish() noexcept;
  /// Ends a wait() without closing.
  void wake() noexcept;
  /// Closes at once; a wait() ends.
  void close() noexcept;

 private:
  [[nodiscard]] Result<Progress> outcome_of(int returned);

  Socket socket_;
  std::shared_ptr<asio::ssl::context> context_;  ///< Outlives session_, whose checks of clients are in it.
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
  bool is_established_ = false;
};

}  // namespace midst::net
