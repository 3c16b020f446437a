// One kept connection to a Redis server. hiredis formats and parses, Asio transports.
// Used by the agent's Redis source and by the API's cache; both only know exchange() and pipeline().
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/redis/reply.hpp"
#include "lib/redis/tls.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace midst::redis {

/// A command with its arguments: {"CONFIG", "GET", "maxmemory"}. Binary-safe.
using Command = std::vector<std::string>;

/// Called at each (re)connect for the login to use, so that a rotated password file is picked up.
struct Login {
  std::string username, password;
};
using LoginProvider = std::function<Result<Login>()>;

struct ConnectionOptions {
  std::string client_name = "midst-agent";         ///< CLIENT SETNAME; empty: not sent.
  std::size_t max_reply_bytes = 64 * 1024 * 1024;  ///< One pipeline's replies together; more is Errc::limit.
  std::chrono::milliseconds backoff_first{100};    ///< After the first failure; doubles, jittered, up to backoff_max.
  std::chrono::milliseconds backoff_max{10'000};
  TlsOptions tls;  ///< For a URI with TLS.
};

/// What an exchange brought, also when it broke off.
struct PartialReplies {
  std::vector<Reply> replies;  ///< The complete ones, to the first commands, in order.
  std::optional<Error> error;  ///< Why there are no more; unset: one reply per command.
};

/// Bytes of commands and replies over all connections so far; TLS and TCP come on top.
struct Traffic {
  std::uint64_t sent_bytes = 0, received_bytes = 0;
};

/// Not thread-safe; one exchange() or pipeline() at a time (callers queue outside; the Scraper guarantees it for
/// sources).
class Connection {
 public:
  Connection(asio::any_io_executor executor, Uri uri, ConnectionOptions options, LoginProvider login = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends all commands in one write and reads as many replies, connecting first when there is no connection (AUTH,
  /// SELECT and CLIENT SETNAME then travel in the same write). A server error to one command is that command's Reply;
  /// only transport, login and protocol failures fail the whole. After a failure, or when the deadline passes, the
  /// connection is dropped, so replies never get out of step. A kept connection that the server closed while idle is
  /// reopened once, transparently. While a back-off runs, an attempt fails at once with the error that began it.
  /// When it breaks off after some replies, those are kept beside the error, and no back-off begins: the server is
  /// there. Errc::limit names the reply that was too much, counted from 0, which is replies.size().
  /// @return one Reply per command, or fewer and Errc::{connect_refused, dns, tls, auth, timeout, closed, protocol,
  /// limit, config}; config names a file of the options that cannot be used.
  [[nodiscard]] asio::awaitable<PartialReplies> exchange(std::vector<Command> commands, Deadline deadline);

  /// exchange() for callers that need all replies or none. @return one Reply per command, or the error.
  [[nodiscard]] asio::awaitable<Result<std::vector<Reply>>> pipeline(std::vector<Command> commands, Deadline deadline);

  /// Drops the connection; the next exchange opens a new one.
  void close() noexcept;

  /// The server is elsewhere now: drops a connection to the old place and its back-off. Between exchanges only; the
  /// same place changes nothing.
  void move_to(const std::string& host, std::uint16_t port);

  /// @return whether a connection stands that the server has not closed meanwhile. Asks the kernel, not the server.
  [[nodiscard]] bool is_connected() const noexcept;
  /// @return how often a connection was established so far; tells a caller that cached facts may be stale.
  [[nodiscard]] std::uint64_t connect_count() const noexcept;
  /// @return how long the last successful connect took (TCP or Unix connect plus TLS; the login is not in it).
  [[nodiscard]] std::chrono::nanoseconds last_connect_duration() const noexcept;
  [[nodiscard]] Traffic traffic() const noexcept;
  /// @return how long an attempt would fail at once, since a back-off runs; 0 when none does.
  [[nodiscard]] std::chrono::milliseconds retry_in() const noexcept;
  [[nodiscard]] const Uri& uri() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with a pipeline under way, which may outlive the Connection.
};

}  // namespace midst::redis
