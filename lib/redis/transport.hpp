// The byte stream below a Connection: TCP, Unix socket or TLS, opened by URI. Used by connection.cpp alone.
// Stops at bytes: knows nothing of commands, logins or retries.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/redis/tls.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace midst::redis {

/// One stream, opened again and again. Coroutines use `this`: the owner keeps it alive until they have ended.
class Transport {
 public:
  Transport(asio::any_io_executor executor, TlsOptions tls_options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Resolves, connects and, for TLS, shakes hands. Of several addresses each gets its share of the time that is left.
  /// @return Errc::{dns, connect_refused, timeout, closed, tls, config, internal}.
  [[nodiscard]] asio::awaitable<Result<Done>> open(Uri uri, Deadline deadline);

  /// Writes all of `bytes`, which the caller keeps until then.
  [[nodiscard]] asio::awaitable<Result<Done>> write(std::string_view bytes);

  /// @return how many bytes were read into `buffer`, at least one; Errc::closed at the end of the stream.
  [[nodiscard]] asio::awaitable<Result<std::size_t>> read_some(std::span<char> buffer);

  /// Closes at once; a pending operation ends as if its deadline had passed.
  void close() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }

  /// @return whether an open stream that waits for nothing has been ended by the peer, or holds bytes nobody asked for.
  [[nodiscard]] bool is_stale() noexcept;

 private:
  using Socket = asio::generic::stream_protocol::socket;
  using Endpoint = asio::generic::stream_protocol::endpoint;
  struct Lookup;

  asio::awaitable<Result<std::vector<Endpoint>>> resolve(Uri uri);
  asio::awaitable<Result<Done>> connect(Endpoint endpoint);
  asio::awaitable<Result<Done>> shake_hands(std::string host);
  Result<Done> prepare_tls(const std::string& host);

  asio::any_io_executor executor_;
  Socket socket_;
  const TlsOptions tls_options_;
  std::unique_ptr<asio::ssl::context> tls_context_;  ///< Made when it is first needed: it reads the CA store.
  std::optional<asio::ssl::stream<Socket&>> tls_;
  std::shared_ptr<Lookup> lookup_;  ///< One name lookup at a time; outlives a cancelled caller.
};

}  // namespace midst::redis
