#include "lib/redis/connection.hpp"

#include "lib/base/backoff.hpp"
#include "lib/redis/resp.hpp"
#include "lib/redis/transport.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

namespace midst::redis {
namespace {

using Clock = std::chrono::steady_clock;

/// Which replies in front of a fresh connection's answers belong to the login.
struct LoginCommands {
  std::vector<Command> commands;
  std::optional<std::size_t> auth, select;
};

LoginCommands login_commands(const Uri& uri, const ConnectionOptions& options, const Login& login) {
  LoginCommands result;
  const auto add = [&result](Command command) {
    result.commands.push_back(std::move(command));
    return result.commands.size() - 1;
  };
  if (!login.password.empty()) {
    Command auth{"AUTH"};
    if (!login.username.empty()) auth.push_back(login.username);
    auth.push_back(login.password);
    result.auth = add(std::move(auth));
  }
  if (uri.database != 0) result.select = add({"SELECT", std::to_string(uri.database)});
  if (!options.client_name.empty()) add({"CLIENT", "SETNAME", options.client_name});
  return result;
}

/// @return the error that the reply at `index` is, if it came and is one.
std::optional<Error> error_at(std::optional<std::size_t> index, const std::vector<Reply>& replies) {
  if (!index || *index >= replies.size() || !replies[*index].is_error()) return std::nullopt;
  return replies[*index].to_error();
}

/// @return why the login failed, from the replies in front; a refused CLIENT SETNAME is no failure.
std::optional<Error> login_error(const LoginCommands& login, const std::vector<Reply>& replies) {
  if (auto error = error_at(login.auth, replies)) {
    if (error->code == Errc::loading) return error;
    return Error{Errc::auth, "AUTH refused, check user name and password: " + error->message};
  }
  if (const auto error = error_at(login.select, replies)) return error->with_context("SELECT");
  const auto first = login.commands.size();
  if (const auto error = error_at(first, replies); error && replies[first].text.starts_with("NOAUTH"))
    return Error{Errc::auth, "the server wants a login, set a password: " + error->message};
  return std::nullopt;
}

/// @return whether a failure tells that the next attempt would fail too; our own limits do not.
bool says_unreachable(Errc code) noexcept {
  return code != Errc::limit && code != Errc::internal;
}

/// What one stream has answered so far.
struct Incoming {
  explicit Incoming(std::size_t max_bytes) : reader(max_bytes) {}
  ReplyReader reader;
  bool has_bytes = false;
};

asio::awaitable<Result<std::vector<Reply>>> all_or_none(asio::awaitable<PartialReplies> exchange) {
  auto partial = co_await std::move(exchange);
  if (partial.error) co_return std::move(*partial.error);
  co_return std::move(partial.replies);
}

}  // namespace

class Connection::Impl {
 public:
  Impl(asio::any_io_executor executor, Uri target, ConnectionOptions options, LoginProvider login)
      : uri(std::move(target)),
        options_(std::move(options)),
        login_(std::move(login)),
        transport_(std::move(executor), options_.tls),
        backoff_(options_.backoff_first, options_.backoff_max) {}

  /// `self` keeps the Impl alive until the coroutine has ended, also when the Connection goes first.
  static asio::awaitable<PartialReplies> run(std::shared_ptr<Impl> self, std::vector<Command> commands,
                                             Deadline deadline);

  void close() noexcept { transport_.close(); }
  [[nodiscard]] std::chrono::milliseconds retry_in() const noexcept { return backoff_.remaining(Clock::now()); }
  void move_to(const std::string& host, std::uint16_t port) {
    if (uri.host == host && uri.port == port) return;
    transport_.close();
    backoff_.reset();
    uri.host = host;
    uri.port = port;
  }
  [[nodiscard]] bool is_connected() noexcept { return transport_.is_open() && !transport_.is_stale(); }

  Uri uri;
  std::uint64_t connect_count = 0;
  std::chrono::nanoseconds connect_duration{0};
  Traffic traffic;

 private:
  /// Closes the transport unless the exchange ended well: an exception or a cancellation must not leave replies behind.
  class CloseUnlessDone {
   public:
    explicit CloseUnlessDone(Transport& transport) : transport_(transport) {}
    ~CloseUnlessDone() {
      if (!is_done_) transport_.close();
    }
    CloseUnlessDone(const CloseUnlessDone&) = delete;
    CloseUnlessDone& operator=(const CloseUnlessDone&) = delete;
    void done() noexcept { is_done_ = true; }

   private:
    Transport& transport_;
    bool is_done_ = false;
  };

  // Each puts the complete replies to the caller's commands into `replies`, also when it fails: a deadline cancels
  // these coroutines, and what they returned then would be lost.
  asio::awaitable<Result<Done>> attempt(std::string wire, std::size_t count, std::vector<Reply>& replies,
                                        Deadline deadline);
  asio::awaitable<Result<Done>> start_anew(std::string wire, std::size_t count, std::vector<Reply>& replies,
                                           Deadline deadline);
  asio::awaitable<Result<Done>> send_and_read(Incoming& incoming, std::string_view wire, std::size_t count);
  [[nodiscard]] Result<Login> current_login() const;

  const ConnectionOptions options_;
  const LoginProvider login_;
  Transport transport_;
  Backoff backoff_;
  std::array<char, 32 * 1024> buffer_;
};

asio::awaitable<PartialReplies> Connection::Impl::run(std::shared_ptr<Impl> self, std::vector<Command> commands,
                                                      Deadline deadline) {
  PartialReplies result;
  if (commands.empty()) co_return result;
  std::string wire;
  if (auto formatted = append_commands(wire, commands); !formatted)
    co_return PartialReplies{{}, std::move(formatted.error())};
  const auto now = Clock::now();
  if (const auto* error = self->backoff_.running(now)) co_return PartialReplies{{}, *error};
  if (deadline <= now)
    co_return PartialReplies{{}, Error{Errc::timeout, "deadline passed"}.with_context(self->uri.redacted())};
  CloseUnlessDone guard(self->transport_);
  auto work = self->attempt(std::move(wire), commands.size(), result.replies, deadline);
  auto done = co_await with_deadline(std::move(work), deadline);
  if (done) {
    guard.done();
  } else {
    if (done.error().code == Errc::limit)
      done = done.error().with_context("reply " + std::to_string(result.replies.size()));
    result.error = done.error().with_context(self->uri.redacted());
  }
  if (!done && result.replies.empty() && says_unreachable(done.error().code))
    self->backoff_.begin(*result.error, Clock::now());
  else if (done || !result.replies.empty())
    self->backoff_.reset();
  co_return result;
}

asio::awaitable<Result<Done>> Connection::Impl::attempt(std::string wire, std::size_t count,
                                                        std::vector<Reply>& replies, Deadline deadline) {
  if (is_connected()) {
    Incoming incoming(options_.max_reply_bytes);
    auto work = send_and_read(incoming, wire, count);
    auto done = co_await std::move(work);
    replies = incoming.reader.take();
    // The server may have closed the kept connection after we looked: that is no failure of the server.
    if (done || done.error().code != Errc::closed || incoming.has_bytes) co_return done;
  }
  auto anew = start_anew(std::move(wire), count, replies, deadline);
  co_return co_await std::move(anew);
}

asio::awaitable<Result<Done>> Connection::Impl::start_anew(std::string wire, std::size_t count,
                                                           std::vector<Reply>& replies, Deadline deadline) {
  const auto current = current_login();
  if (!current) co_return current.error();
  const auto login = login_commands(uri, options_, *current);
  std::string whole;
  if (auto formatted = append_commands(whole, login.commands); !formatted) co_return formatted.error();
  whole += wire;

  const auto begin = Clock::now();
  auto opening = transport_.open(uri, deadline);
  const auto opened = co_await std::move(opening);
  if (!opened) co_return opened.error();
  connect_duration = Clock::now() - begin;
  ++connect_count;

  Incoming incoming(options_.max_reply_bytes);
  const auto logins = login.commands.size();
  auto work = send_and_read(incoming, whole, logins + count);
  auto done = co_await std::move(work);
  auto received = incoming.reader.take();
  // "max number of clients reached" and "protected mode" are said in one reply before the server hangs up.
  const bool is_hung_up = !done && done.error().code == Errc::closed;
  if (is_hung_up && received.size() == 1 && received.front().is_error()) co_return received.front().to_error();
  if (auto error = login_error(login, received)) co_return std::move(*error);
  if (received.size() > logins)
    replies.assign(std::make_move_iterator(received.begin() + static_cast<std::ptrdiff_t>(logins)),
                   std::make_move_iterator(received.end()));
  co_return done;
}

asio::awaitable<Result<Done>> Connection::Impl::send_and_read(Incoming& incoming, std::string_view wire,
                                                              std::size_t count) {
  auto written = co_await transport_.write(wire);
  if (written) traffic.sent_bytes += wire.size();
  // A server that refuses us says why and closes; its word may be there although our write failed.
  if (!written && written.error().code != Errc::closed) co_return written;
  while (incoming.reader.replies().size() < count) {
    const auto received = co_await transport_.read_some(buffer_);
    if (!received) co_return received.error();
    incoming.has_bytes = true;
    traffic.received_bytes += *received;
    auto fed = incoming.reader.feed(std::string_view(buffer_.data(), *received), count);
    if (!fed) co_return fed;
  }
  if (!incoming.reader.has_rest()) co_return Done{};
  // Which reply is whose nobody knows then.
  std::ignore = incoming.reader.take();
  co_return Error{Errc::protocol, "more replies than commands"};
}

Result<Login> Connection::Impl::current_login() const {
  if (login_) return login_();
  return Login{uri.username, uri.password};
}

Connection::Connection(asio::any_io_executor executor, Uri uri, ConnectionOptions options, LoginProvider login)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(uri), std::move(options), std::move(login))) {
}

Connection::~Connection() {
  if (impl_) impl_->close();
}

asio::awaitable<PartialReplies> Connection::exchange(std::vector<Command> commands, Deadline deadline) {
  return Impl::run(impl_, std::move(commands), deadline);
}

asio::awaitable<Result<std::vector<Reply>>> Connection::pipeline(std::vector<Command> commands, Deadline deadline) {
  return all_or_none(exchange(std::move(commands), deadline));
}

void Connection::close() noexcept {
  impl_->close();
}
void Connection::move_to(const std::string& host, std::uint16_t port) {
  impl_->move_to(host, port);
}
std::chrono::milliseconds Connection::retry_in() const noexcept {
  return impl_->retry_in();
}
bool Connection::is_connected() const noexcept {
  return impl_->is_connected();
}
std::uint64_t Connection::connect_count() const noexcept {
  return impl_->connect_count;
}
std::chrono::nanoseconds Connection::last_connect_duration() const noexcept {
  return impl_->connect_duration;
}
Traffic Connection::traffic() const noexcept {
  return impl_->traffic;
}
const Uri& Connection::uri() const noexcept {
  return impl_->uri;
}

}  // namespace midst::redis
