#include "lib/net/channel.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace midst::net {
namespace {

using Wait = asio::socket_base;

asio::awaitable<Result<Done>> wait_for(Socket* socket, Wait::wait_type what) {
  const auto [ec] = co_await socket->async_wait(what, as_result);
  if (ec) co_return Error{Errc::closed, ec.message()};
  co_return Done{};
}

Socket* socket_of(BIO* bio) {
  return static_cast<Socket*>(BIO_get_data(bio));
}

/// @return what a BIO's read and write return: bytes, 0 at the end, -1 with the mark "again" or without it.
int answer(BIO* bio, std::size_t size, const error_code& failure, int again) {
  BIO_clear_retry_flags(bio);
  if (failure == asio::error::would_block) BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
  if (failure == asio::error::eof) return 0;
  return failure ? -1 : static_cast<int>(size);
}

int bio_read(BIO* bio, char* bytes, int size) {
  error_code failure;
  const auto count = socket_of(bio)->read_some(asio::buffer(bytes, static_cast<std::size_t>(size)), failure);
  return answer(bio, count, failure, BIO_FLAGS_READ);
}

int bio_write(BIO* bio, const char* bytes, int size) {
  error_code failure;
  const auto count = socket_of(bio)->write_some(asio::buffer(bytes, static_cast<std::size_t>(size)), failure);
  return answer(bio, count, failure, BIO_FLAGS_WRITE);
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// OpenSSL's own socket BIO would use a descriptor that may have been closed and given to another connection, and
/// raise SIGPIPE; Asio's socket does neither.
BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "asio socket");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

}  // namespace

Channel::Channel(Socket socket) : socket_(std::move(socket)), session_(nullptr, &SSL_free) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);  // refused by Unix sockets, which have no delay
}

Channel::~Channel() {
  finish();
}

Result<std::optional<unsigned char>> Channel::peek() {
  unsigned char first = 0;
  const auto size = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size == 1) return std::optional(first);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<unsigned char>();
  return Error{Errc::closed, size == 0 ? "end of stream" : std::strerror(errno)};
}

Result<Done> Channel::encrypt(std::shared_ptr<asio::ssl::context> context) {
  context_ = std::move(context);
  session_.reset(SSL_new(context_->native_handle()));
  auto* bio = BIO_new(socket_method());
  if (!session_ || bio == nullptr) return Error{Errc::internal, "no memory for TLS"};
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(session_.get(), bio, bio);
  return Done{};
}

Result<Channel::Progress> Channel::shake_hands() {
  ERR_clear_error();
  auto progress = outcome_of(SSL_accept(session_.get()));
  is_established_ = progress && !progress->wants;
  return progress;
}

Result<Channel::Progress> Channel::read_some(std::span<char> buffer) {
  if (session_) {
    ERR_clear_error();
    return outcome_of(SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size())));
  }
  error_code failure;
  const auto size = socket_.read_some(asio::buffer(buffer.data(), buffer.size()), failure);
  if (failure == asio::error::would_block) return Progress{0, Wait::wait_read};
  if (failure) return Error{Errc::closed, failure.message()};
  return Progress{size, std::nullopt};
}

Result<Channel::Progress> Channel::write_some(std::string_view head, std::string_view body) {
  if (session_) {
    const auto part = head.empty() ? body : head;
    const auto size = std::min<std::size_t>(part.size(), std::numeric_limits<int>::max());
    ERR_clear_error();
    return outcome_of(SSL_write(session_.get(), part.data(), static_cast<int>(size)));
  }
  error_code failure;
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(body)};
  const auto size = socket_.write_some(parts, failure);
  if (failure == asio::error::would_block) return Progress{0, Wait::wait_write};
  if (failure) return Error{Errc::closed, failure.message()};
  return Progress{size, std::nullopt};
}

Result<Channel::Progress> Channel::outcome_of(int returned) {
  if (returned > 0) return Progress{static_cast<std::size_t>(returned), std::nullopt};
  switch (SSL_get_error(session_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return Progress{0, Wait::wait_read};
    case SSL_ERROR_WANT_WRITE:
      return Progress{0, Wait::wait_write};
    case SSL_ERROR_ZERO_RETURN:
      return Error{Errc::closed, "end of stream"};
    case SSL_ERROR_SSL: {
      is_established_ = false;  // nothing may be sent after a fatal error, not even the end
      const auto* reason = ERR_reason_error_string(ERR_peek_error());
      return Error{Errc::tls, reason != nullptr ? reason : "failed"};
    }
    default:
      is_established_ = false;
      return Error{Errc::closed, "the connection was lost"};
  }
}

asio::awaitable<Result<Done>> Channel::wait(Wait::wait_type what, Deadline deadline) {
  auto ready = wait_for(&socket_, what);
  auto waiting = with_deadline(std::move(ready), deadline);
  co_return co_await std::move(waiting);
}

void Channel::finish() noexcept {
  ERR_clear_error();
  if (std::exchange(is_established_, false) && socket_.is_open()) SSL_shutdown(session_.get());
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void Channel::wake() noexcept {
  error_code ignored;
  socket_.cancel(ignored);
}

void Channel::close() noexcept {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace midst::net
