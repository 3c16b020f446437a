#include "agent/ingest/listener.hpp"

#include "agent/ingest/session.hpp"
#include "lib/base/log.hpp"
#include "lib/net/sockets.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <list>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace midst::ingest {
namespace {

using Socket = asio::local::stream_protocol::socket;
using Acceptor = asio::local::stream_protocol::acceptor;

/// Read from one client before the others have their turn.
constexpr std::size_t read_budget = 64 * 1024;
/// Taken in from one client during a drain.
constexpr std::size_t drain_budget = 1024 * 1024;
/// After accept() has failed for want of descriptors or memory.
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::seconds warning_interval{10};

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

Peer peer_of(int descriptor) {
  const auto credentials = net::peer_credentials(descriptor);
  if (!credentials) return {};
  return {credentials->pid, credentials->uid, credentials->gid};
}

}  // namespace

Result<AllowList> AllowList::resolve(const std::vector<std::string>& users, const std::vector<std::string>& groups) {
  AllowList list;
  list.is_empty_ = users.empty() && groups.empty();
  for (const auto& user : users) {
    const auto id = net::find_user(user);
    if (!id) return id.error().with_context("allow_users");
    list.users_.push_back(*id);
  }
  for (const auto& group : groups) {
    const auto id = net::find_group(group);
    if (!id) return id.error().with_context("allow_groups");
    list.groups_.push_back(*id);
  }
  return list;
}

bool AllowList::allows(const Peer& peer) const {
  if (is_empty_ || std::find(users_.begin(), users_.end(), peer.uid) != users_.end()) return true;
  const auto is_listed = [&](gid_t group) { return std::find(groups_.begin(), groups_.end(), group) != groups_.end(); };
  if (is_listed(peer.gid)) return true;
  if (groups_.empty()) return false;
  const auto groups = net::groups_of(peer.uid);
  return std::any_of(groups.begin(), groups.end(), is_listed);
}

class Listener::Impl : public std::enable_shared_from_this<Listener::Impl> {
 public:
  Impl(asio::any_io_executor executor, Store& store, ListenerOptions options)
      : executor_(std::move(executor)), store_(store), options_(std::move(options)), buffer_(read_budget) {}

  Result<std::string> start(net::Listener bound);
  void close();
  void drain();
  [[nodiscard]] std::size_t client_count() const noexcept { return connections_.size(); }
  [[nodiscard]] const ListenerOptions& options() const noexcept { return options_; }
  void set_allowed(AllowList allowed) { options_.allowed = std::move(allowed); }

 private:
  struct Door {
    net::SocketPath file;
    Acceptor acceptor;
  };
  /// In its coroutine's frame; known to the listener as long as it lives.
  struct Connection {
    Connection(std::shared_ptr<Impl> listener, Socket accepted)
        : owner(std::move(listener)),
          socket(std::move(accepted)),
          session(owner->store_, peer_of(socket.native_handle()), owner->options_.max_frame) {
      owner->connections_.insert(this);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { owner->connections_.erase(this); }

    std::shared_ptr<Impl> owner;
    Socket socket;
    Session session;
    std::string replies;
    bool is_closed = false;  ///< By the listener, which then has ended the session: nothing may be touched any more.
  };

  static asio::awaitable<void> accept(std::shared_ptr<Impl> self, Door* door);
  static asio::awaitable<void> serve(std::unique_ptr<Connection> connection);
  static asio::awaitable<Result<Done>> readable(Connection* connection);
  static asio::awaitable<Result<Done>> write(Connection* connection);
  asio::awaitable<std::optional<Disconnect>> turn(Connection* connection, Deadline hello_due);
  std::optional<Disconnect> read_once(Connection& connection, bool& is_dry, std::string& replies);
  void admit(Socket socket);
  void turn_away(Socket socket, Disconnect reason, std::string_view text);
  void end(Connection& connection, Disconnect reason);
  void warn(std::string_view message, std::string reason);

  asio::any_io_executor executor_;
  Store& store_;
  ListenerOptions options_;
  std::vector<char> buffer_;  ///< One for all: it is read into and worked off without a wait in between.
  std::list<Door> doors_;
  std::unordered_set<Connection*> connections_;
  bool is_closed_ = false;
  SteadyTime next_warning_{};
};

Result<std::string> Listener::Impl::start(net::Listener bound) {
  doors_.push_back({std::move(bound.file), Acceptor(executor_)});
  auto& door = doors_.back();
  error_code failure;
  door.acceptor.assign(asio::local::stream_protocol(), bound.descriptor.release(), failure);
  if (failure) return Error{Errc::internal, bound.address + ": " + failure.message()};
  asio::co_spawn(executor_, accept(shared_from_this(), &door), asio::detached);  // every failure is handled inside
  return bound.address;
}

asio::awaitable<void> Listener::Impl::accept(std::shared_ptr<Impl> self, Door* door) {
  asio::steady_timer pause(self->executor_);
  for (;;) {
    auto [failure, socket] = co_await door->acceptor.async_accept(as_result);
    if (self->is_closed_) co_return;
    if (!failure) {
      self->admit(std::move(socket));
      continue;
    }
    if (failure == asio::error::connection_aborted || failure == asio::error::interrupted) continue;
    self->warn("push: cannot accept a client; raise LimitNOFILE", failure.message());
    pause.expires_after(accept_pause);
    co_await pause.async_wait(as_result);
    if (self->is_closed_) co_return;
  }
}

void Listener::Impl::admit(Socket socket) {
  const auto peer = peer_of(socket.native_handle());
  if (!options_.allowed.allows(peer)) {
    warn("push: a client was turned away; see ingest.allow_users and allow_groups", fmt::format("uid {}", peer.uid));
    return turn_away(std::move(socket), Disconnect::not_allowed, "this user may not push here");
  }
  if (connections_.size() >= options_.max_clients) {
    warn("push: too many clients; one was turned away", "ingest max_clients");
    return turn_away(std::move(socket), Disconnect::too_many_clients, "too many clients");
  }
  error_code ignored;
  socket.non_blocking(true, ignored);  // native_non_blocking() would still wait inside read_some()
  auto connection = std::make_unique<Connection>(shared_from_this(), std::move(socket));
  asio::co_spawn(executor_, serve(std::move(connection)), asio::detached);  // as above
}

void Listener::Impl::turn_away(Socket socket, Disconnect reason, std::string_view text) {
  store_.counters().count(reason);
  wire::Err err;
  err.code = reason == Disconnect::not_allowed ? wire::ErrorCode::not_allowed : wire::ErrorCode::busy;
  err.is_fatal = true;
  err.text = text;
  std::string frame;
  wire::encode(frame, err);
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(frame), ignored);
}

asio::awaitable<void> Listener::Impl::serve(std::unique_ptr<Connection> connection) {
  auto& self = *connection->owner;
  const Deadline hello_due = steady_now() + self.options_.hello_timeout;
  std::optional<Disconnect> ended;
  while (!ended && !connection->is_closed) ended = co_await self.turn(connection.get(), hello_due);
  if (!connection->is_closed) self.end(*connection, *ended);
}

/// One read, worked off, and its replies. Reading waits for the replies to be taken: that is the back-pressure.
asio::awaitable<std::optional<Disconnect>> Listener::Impl::turn(Connection* connection, Deadline hello_due) {
  // A greeted client may be silent for ever: it sends only what has changed.
  Result<Done> ready = Done{};
  if (connection->session.is_greeted())
    ready = co_await readable(connection);
  else
    ready = co_await with_deadline(readable(connection), hello_due);
  if (connection->is_closed) co_return std::nullopt;
  if (!ready) co_return ready.error().code == Errc::timeout ? Disconnect::hello_timeout : Disconnect::closed;
  bool is_dry = false;
  const auto ended = read_once(*connection, is_dry, connection->replies);
  if (!connection->replies.empty()) {
    const auto written = co_await with_deadline(write(connection), steady_now() + options_.write_timeout);
    if (connection->is_closed) co_return std::nullopt;
    if (!written && !ended)
      co_return written.error().code == Errc::timeout ? Disconnect::slow_reader : Disconnect::closed;
  }
  co_return ended;
}

asio::awaitable<Result<Done>> Listener::Impl::readable(Connection* connection) {
  const auto [failure] = co_await connection->socket.async_wait(Socket::wait_read, as_result);
  if (failure) co_return Error{Errc::closed, failure.message()};
  co_return Done{};
}

asio::awaitable<Result<Done>> Listener::Impl::write(Connection* connection) {
  const auto replies = asio::buffer(connection->replies);
  const auto [failure, size] = co_await asio::async_write(connection->socket, replies, as_result);
  connection->replies.clear();
  if (failure) co_return Error{Errc::closed, failure.message()};
  co_return Done{};
}

/// @param is_dry  set when the socket had nothing to read.
std::optional<Disconnect> Listener::Impl::read_once(Connection& connection, bool& is_dry, std::string& replies) {
  net::Descriptor passed;
  const auto size = net::receive(connection.socket.native_handle(), buffer_, passed);
  is_dry = size == -EAGAIN;
  if (is_dry) return std::nullopt;
  if (size <= 0) return Disconnect::closed;
  if (passed.get() >= 0) connection.session.take_memory(std::move(passed));
  return connection.session.feed({buffer_.data(), static_cast<std::size_t>(size)}, steady_now(), replies);
}

void Listener::Impl::end(Connection& connection, Disconnect reason) {
  connection.session.end(steady_now());
  connection.is_closed = true;
  error_code ignored;
  connection.socket.close(ignored);
  store_.counters().count(reason);
  if (reason == Disconnect::protocol_error) warn("push: a client broke the protocol", "see midst_push_frames_total");
}

void Listener::Impl::warn(std::string_view message, std::string reason) {
  if (steady_now() < next_warning_) return;
  next_warning_ = steady_now() + warning_interval;
  log::warn(message, {{"reason", reason}});
}

void Listener::Impl::close() {
  is_closed_ = true;
  error_code ignored;
  for (auto& door : doors_) door.acceptor.close(ignored);
  for (auto& door : doors_) door.file = net::SocketPath();
  // end() closes sockets; the coroutines leave, and the set with them, when the loop runs next.
  for (auto* connection : connections_)
    if (!connection->is_closed) end(*connection, Disconnect::shutdown);
}

void Listener::Impl::drain() {
  error_code ignored;
  for (auto& door : doors_) door.acceptor.close(ignored);
  for (auto* connection : connections_) {
    std::optional<Disconnect> ended;
    std::string unsent;  // an ACK now would tell the client to lean on a state that is about to go
    bool is_dry = connection->is_closed;
    for (std::size_t taken = 0; !ended && !is_dry && taken < drain_budget; taken += read_budget)
      ended = read_once(*connection, is_dry, unsent);
    if (ended) end(*connection, *ended);
  }
  close();
}

Listener::Listener(asio::any_io_executor executor, Store& store, ListenerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), store, std::move(options))) {
}

Listener::~Listener() {
  impl_->close();
}

Result<std::string> Listener::listen(std::string path) {
  const auto address = net::parse_listen_address("unix:" + path);
  if (!address) return address.error();
  auto bound = net::open_listener(*address, {impl_->options().socket_mode, impl_->options().socket_group});
  if (!bound) return bound.error();
  const auto started = impl_->start(std::move(*bound));
  if (!started) return started.error();
  return path;
}

Result<std::string> Listener::listen(net::Listener bound) {
  return impl_->start(std::move(bound));
}

asio::awaitable<void> Listener::drain(Deadline) {
  impl_->drain();  // without a wait: what clients have sent is in memory already
  co_return;
}

void Listener::set_allowed(AllowList allowed) {
  impl_->set_allowed(std::move(allowed));
}

std::size_t Listener::client_count() const noexcept {
  return impl_->client_count();
}

}  // namespace midst::ingest
