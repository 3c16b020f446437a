#include "lib/redis/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <tuple>

namespace midst::redis {
namespace {

using asio::ip::tcp;

// A peer that vanished without a word is noticed within 15 + 3 × 5 s between scrapes, and within 20 s of unanswered
// data; the deadline of a pipeline is usually shorter than either.
constexpr int keepalive_idle_seconds = 15;
constexpr int keepalive_interval_seconds = 5;
constexpr int keepalive_probes = 3;
constexpr unsigned user_timeout_ms = 20'000;

Errc kind_of(const error_code& error) noexcept {
  if (error.category() == asio::error::get_netdb_category() || error.category() == asio::error::get_addrinfo_category())
    return Errc::dns;
  if (error == asio::error::timed_out || error == asio::error::operation_aborted) return Errc::timeout;
  if (error == asio::error::eof || error == asio::error::connection_reset || error == asio::error::broken_pipe ||
      error == asio::error::bad_descriptor || error == asio::ssl::error::stream_truncated)
    return Errc::closed;
  if (error.category() == asio::error::get_ssl_category() ||
      error.category() == asio::ssl::error::get_stream_category())
    return Errc::tls;
  if (error == asio::error::no_descriptors || error == asio::error::no_memory) return Errc::internal;
  return Errc::connect_refused;  // refused, unreachable, no such socket file, no permission on it
}

Error failure(std::string_view what, const error_code& error) {
  const auto kind = kind_of(error);
  if (kind == Errc::closed) return Error{kind, "the server closed the connection"};
  return Error{kind, std::string(what) + ": " + error.message()};
}

void set_tcp_options(int descriptor) noexcept {
  const auto set = [descriptor](int level, int name, auto value) {
    // Each is an improvement, none a condition: a kernel without it still works.
    std::ignore = ::setsockopt(descriptor, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_seconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_seconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
}

}  // namespace

/// getaddrinfo() cannot be interrupted, so the lookup lives on its own and a cancelled caller just stops waiting for
/// it.
struct Transport::Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), finished(executor, Deadline::max()) {}

  tcp::resolver resolver;
  asio::steady_timer finished;  ///< Never expires; cancelled when the answer is there.
  bool is_finished = false;
  error_code error;
  std::vector<Endpoint> endpoints;
};

Transport::Transport(asio::any_io_executor executor, TlsOptions tls_options)
    : executor_(std::move(executor)), socket_(executor_), tls_options_(std::move(tls_options)) {
}

Transport::~Transport() = default;

asio::awaitable<Result<Done>> Transport::open(Uri uri, Deadline deadline) {
  close();
  tls_.reset();
  auto endpoints = co_await resolve(uri);
  if (!endpoints) co_return endpoints.error();
  Result<Done> connected = Error{Errc::dns, "the name has no address"};
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    const auto now = std::chrono::steady_clock::now();
    const auto share = (deadline - now) / static_cast<long>(endpoints->size() - i);
    auto attempt = connect((*endpoints)[i]);
    connected = co_await with_deadline(std::move(attempt), now + share);
    if (connected) break;
    close();
  }
  if (!connected) co_return connected;
  if (uri.unix_path.empty()) set_tcp_options(socket_.native_handle());
  if (uri.has_tls) co_return co_await shake_hands(uri.host);
  co_return Done{};
}

asio::awaitable<Result<std::vector<Transport::Endpoint>>> Transport::resolve(Uri uri) {
  std::vector<Endpoint> endpoints;
  if (!uri.unix_path.empty()) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(uri.unix_path));
    co_return endpoints;
  }
  error_code not_numeric;
  const auto address = asio::ip::make_address(uri.host, not_numeric);
  if (!not_numeric) {
    endpoints.emplace_back(tcp::endpoint(address, uri.port));
    co_return endpoints;
  }
  if (!lookup_) {
    lookup_ = std::make_shared<Lookup>(executor_);
    lookup_->resolver.async_resolve(uri.host, std::to_string(uri.port),
                                    [lookup = lookup_](const error_code& error, const auto& found) {
                                      lookup->error = error;
                                      for (const auto& entry : found) lookup->endpoints.emplace_back(entry.endpoint());
                                      lookup->is_finished = true;
                                      lookup->finished.cancel();
                                    });
  }
  const auto lookup = lookup_;
  while (!lookup->is_finished) std::ignore = co_await lookup->finished.async_wait(as_result);
  lookup_.reset();
  if (lookup->error) co_return failure("name lookup", lookup->error);
  co_return std::move(lookup->endpoints);
}

asio::awaitable<Result<Done>> Transport::connect(Endpoint endpoint) {
  const auto [error] = co_await socket_.async_connect(endpoint, as_result);
  if (error) co_return failure("connect", error);
  co_return Done{};
}

Result<Done> Transport::prepare_tls(const std::string& host) {
  if (!tls_context_ || tls_options_.has_files()) {
    auto context = make_tls_context(tls_options_);
    if (!context) return context.error();
    tls_context_ = std::move(*context);
  }
  tls_.emplace(socket_, *tls_context_);
  return expect_peer(tls_->native_handle(), tls_options_, host);
}

asio::awaitable<Result<Done>> Transport::shake_hands(std::string host) {
  if (auto ready = prepare_tls(host); !ready) co_return ready;
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, as_result);
  if (!error) co_return Done{};
  // A peer that hangs up here does not speak TLS, or wants what we do not offer: "closed" would send a reader astray.
  if (kind_of(error) == Errc::timeout) co_return failure("TLS handshake", error);
  const auto distrust = verification_failure(tls_->native_handle());
  co_return Error{Errc::tls, "TLS handshake: " + (distrust.empty() ? error.message() : "the certificate: " + distrust)};
}

asio::awaitable<Result<Done>> Transport::write(std::string_view bytes) {
  error_code error;
  if (tls_)
    std::tie(error, std::ignore) = co_await asio::async_write(*tls_, asio::buffer(bytes), as_result);
  else
    std::tie(error, std::ignore) = co_await asio::async_write(socket_, asio::buffer(bytes), as_result);
  if (error) co_return failure("write", error);
  co_return Done{};
}

asio::awaitable<Result<std::size_t>> Transport::read_some(std::span<char> buffer) {
  error_code error;
  std::size_t count = 0;
  const auto into = asio::buffer(buffer.data(), buffer.size());
  if (tls_)
    std::tie(error, count) = co_await tls_->async_read_some(into, as_result);
  else
    std::tie(error, count) = co_await socket_.async_read_some(into, as_result);
  if (error) co_return failure("read", error);
  co_return count;
}

void Transport::close() noexcept {
  error_code ignored;
  // tls_ stays until the next open(): a cancelled operation may still be on its way through it.
  socket_.close(ignored);
}

bool Transport::is_stale() noexcept {
  char byte = 0;
  const auto count = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0) return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  // TLS 1.3 sends session tickets after the handshake; they are no reply.
  return count == 0 || !tls_;
}

}  // namespace midst::redis
