#include "agent/ingest/statsd/listener.hpp"

#include "agent/ingest/statsd/stream.hpp"
#include "lib/base/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/socket.h>

#include <array>
#include <list>
#include <unordered_set>
#include <utility>
#include <vector>

namespace midst::ingest::statsd {
namespace {

using Datagrams = asio::generic::datagram_protocol::socket;
using Stream = asio::local::stream_protocol::socket;
using Acceptor = asio::local::stream_protocol::acceptor;

/// Of one datagram; clients send 8 KiB at most (1432 bytes over UDP). Room that is not used takes no memory.
constexpr std::size_t datagram_bytes = 64 * 1024;
constexpr std::size_t datagrams_at_once = 32;
/// Calls of recvmmsg() before the rest of the loop has its turn: some milliseconds of work.
constexpr int calls_a_turn = 8;
/// Read from one stream before the others have their turn.
constexpr std::size_t read_budget = 64 * 1024;
/// Taken in from one stream during a drain, and calls for datagrams.
constexpr std::size_t drain_budget = 1024 * 1024;
constexpr int drain_calls = 64;
/// After accept() has failed for want of descriptors or memory.
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::seconds warning_interval{10};

SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

/// The room that recvmmsg() reads into.
class Batch {
 public:
  Batch() : bytes_(std::make_unique_for_overwrite<char[]>(datagram_bytes * datagrams_at_once)) {
    for (std::size_t i = 0; i < datagrams_at_once; ++i) {
      parts_[i] = {bytes_.get() + i * datagram_bytes, datagram_bytes};
      headers_[i].msg_hdr.msg_iov = &parts_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /// @return how many datagrams were there; 0 when none.
  std::size_t receive(int socket) noexcept {
    const int count = ::recvmmsg(socket, headers_.data(), datagrams_at_once, MSG_DONTWAIT, nullptr);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  [[nodiscard]] std::string_view text(std::size_t index) const noexcept {
    return {static_cast<const char*>(parts_[index].iov_base), headers_[index].msg_len};
  }
  [[nodiscard]] bool is_cut(std::size_t index) const noexcept {
    return (headers_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::array<iovec, datagrams_at_once> parts_{};
  std::array<mmsghdr, datagrams_at_once> headers_{};
};

}  // namespace

class Listener::Impl : public std::enable_shared_from_this<Listener::Impl> {
 public:
  Impl(asio::any_io_executor executor, Statsd& statsd, ListenerOptions options)
      : executor_(std::move(executor)), statsd_(statsd), options_(std::move(options)) {}

  Result<std::string> start_datagrams(net::Listener bound, Protocol protocol);
  Result<std::string> start_streams(net::Listener bound);
  void close();
  void drain();
  [[nodiscard]] net::SocketFile file() const { return {options_.socket_mode, options_.socket_group}; }

 private:
  struct DatagramDoor {
    net::SocketPath file;
    Datagrams socket;
    Protocol protocol;
  };
  struct StreamDoor {
    net::SocketPath file;
    Acceptor acceptor;
  };
  /// In its coroutine's frame; known to the listener as long as it lives.
  struct Connection {
    Connection(std::shared_ptr<Impl> listener, Stream accepted)
        : owner(std::move(listener)), socket(std::move(accepted)), cutter(owner->statsd_) {
      owner->connections_.insert(this);
      ++owner->statsd_.counters().stream_clients;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { owner->connections_.erase(this); }

    std::shared_ptr<Impl> owner;
    Stream socket;
    StreamCutter cutter;
    bool is_closed = false;  ///< By the listener: nothing may be touched any more.
  };
  enum class Read : std::uint8_t { some, nothing, ended, refused };

  static asio::awaitable<void> receive(std::shared_ptr<Impl> self, DatagramDoor* door);
  static asio::awaitable<void> accept(std::shared_ptr<Impl> self, StreamDoor* door);
  static asio::awaitable<void> serve(std::unique_ptr<Connection> connection);
  void take_datagrams(DatagramDoor& door, int calls);
  void take_datagram(std::size_t index, Protocol protocol, SteadyTime now);
  Read read_once(Connection& connection);
  void admit(Stream socket);
  void end(Connection& connection, StreamEnd reason);
  void warn(std::string_view message, std::string reason);

  asio::any_io_executor executor_;
  Statsd& statsd_;
  const ListenerOptions options_;
  Batch batch_;
  std::vector<char> buffer_;  ///< Of streams; one for all, as it is worked off without a wait in between.
  std::list<DatagramDoor> datagram_doors_;
  std::list<StreamDoor> stream_doors_;
  std::unordered_set<Connection*> connections_;
  bool is_closed_ = false;
  SteadyTime next_warning_{};
};

Result<std::string> Listener::Impl::start_datagrams(net::Listener bound, Protocol protocol) {
  datagram_doors_.push_back({std::move(bound.file), Datagrams(executor_), protocol});
  auto& door = datagram_doors_.back();
  const asio::generic::datagram_protocol kind(protocol == Protocol::udp ? AF_INET : AF_UNIX, 0);
  error_code failure;
  door.socket.assign(kind, bound.descriptor.release(), failure);
  if (failure) return Error{Errc::internal, bound.address + ": " + failure.message()};
  asio::co_spawn(executor_, receive(shared_from_this(), &door), asio::detached);  // every failure is handled inside
  return bound.address;
}

Result<std::string> Listener::Impl::start_streams(net::Listener bound) {
  stream_doors_.push_back({std::move(bound.file), Acceptor(executor_)});
  auto& door = stream_doors_.back();
  error_code failure;
  door.acceptor.assign(asio::local::stream_protocol(), bound.descriptor.release(), failure);
  if (failure) return Error{Errc::internal, bound.address + ": " + failure.message()};
  asio::co_spawn(executor_, accept(shared_from_this(), &door), asio::detached);  // as above
  return bound.address;
}

asio::awaitable<void> Listener::Impl::receive(std::shared_ptr<Impl> self, DatagramDoor* door) {
  asio::steady_timer pause(self->executor_);
  for (;;) {
    const auto [failure] = co_await door->socket.async_wait(Datagrams::wait_read, as_result);
    if (self->is_closed_) co_return;
    if (!failure) {
      self->take_datagrams(*door, calls_a_turn);
      continue;
    }
    self->warn("statsd: cannot wait for datagrams", failure.message());
    pause.expires_after(accept_pause);
    co_await pause.async_wait(as_result);
    if (self->is_closed_) co_return;
  }
}

void Listener::Impl::take_datagrams(DatagramDoor& door, int calls) {
  for (; calls > 0; --calls) {
    const auto count = batch_.receive(door.socket.native_handle());
    if (count == 0) return;
    const auto now = steady_now();
    for (std::size_t i = 0; i < count; ++i) take_datagram(i, door.protocol, now);
  }
}

void Listener::Impl::take_datagram(std::size_t index, Protocol protocol, SteadyTime now) {
  auto text = batch_.text(index);
  if (batch_.is_cut(index)) {
    ++statsd_.counters().of(protocol).truncated;
    warn("statsd: a datagram is longer than is read; its end is lost", "see midst_push_truncated_packets_total");
    // The line that was cut would count with a part of its value or tags.
    const auto last = text.rfind('\n');
    text = text.substr(0, last == std::string_view::npos ? 0 : last);
  }
  statsd_.feed(text, protocol, now);
}

asio::awaitable<void> Listener::Impl::accept(std::shared_ptr<Impl> self, StreamDoor* door) {
  asio::steady_timer pause(self->executor_);
  for (;;) {
    auto [failure, socket] = co_await door->acceptor.async_accept(as_result);
    if (self->is_closed_) co_return;
    if (!failure) {
      self->admit(std::move(socket));
      continue;
    }
    if (failure == asio::error::connection_aborted || failure == asio::error::interrupted) continue;
    self->warn("statsd: cannot accept a client; raise LimitNOFILE", failure.message());
    pause.expires_after(accept_pause);
    co_await pause.async_wait(as_result);
    if (self->is_closed_) co_return;
  }
}

void Listener::Impl::admit(Stream socket) {
  if (connections_.size() >= options_.max_clients) {
    ++statsd_.counters().stream_ends[static_cast<std::size_t>(StreamEnd::too_many_clients)];
    return warn("statsd: too many stream clients; one was turned away", std::to_string(options_.max_clients));
  }
  error_code ignored;
  socket.non_blocking(true, ignored);  // native_non_blocking() would still wait inside read_some()
  if (buffer_.empty()) buffer_.resize(read_budget);
  auto connection = std::make_unique<Connection>(shared_from_this(), std::move(socket));
  asio::co_spawn(executor_, serve(std::move(connection)), asio::detached);  // as above
}

/// A client may be silent for ever: it sends when it has something to count.
asio::awaitable<void> Listener::Impl::serve(std::unique_ptr<Connection> connection) {
  auto& self = *connection->owner;
  for (;;) {
    const auto [failure] = co_await connection->socket.async_wait(Stream::wait_read, as_result);
    if (connection->is_closed) co_return;
    const auto read = failure ? Read::ended : self.read_once(*connection);
    if (read == Read::refused) co_return self.end(*connection, StreamEnd::frame_too_long);
    if (read == Read::ended) co_return self.end(*connection, StreamEnd::closed);
  }
}

Listener::Impl::Read Listener::Impl::read_once(Connection& connection) {
  error_code failure;
  const auto size = connection.socket.read_some(asio::buffer(buffer_), failure);
  if (failure == asio::error::would_block) return Read::nothing;
  if (failure) return Read::ended;
  return connection.cutter.feed({buffer_.data(), size}, steady_now()) ? Read::some : Read::refused;
}

void Listener::Impl::end(Connection& connection, StreamEnd reason) {
  connection.cutter.finish(steady_now());
  connection.is_closed = true;
  error_code ignored;
  connection.socket.close(ignored);
  auto& counters = statsd_.counters();
  --counters.stream_clients;
  ++counters.stream_ends[static_cast<std::size_t>(reason)];
  if (reason == StreamEnd::frame_too_long)
    warn("statsd: a client's frame is too long; it was disconnected", std::to_string(StreamCutter::max_frame));
}

void Listener::Impl::warn(std::string_view message, std::string reason) {
  if (steady_now() < next_warning_) return;
  next_warning_ = steady_now() + warning_interval;
  log::warn(message, {{"reason", reason}});
}

void Listener::Impl::close() {
  is_closed_ = true;
  error_code ignored;
  for (auto& door : datagram_doors_) door.socket.close(ignored);
  for (auto& door : stream_doors_) door.acceptor.close(ignored);
  for (auto* connection : connections_)
    if (!connection->is_closed) end(*connection, StreamEnd::closed);
}

void Listener::Impl::drain() {
  if (is_closed_) return;
  error_code ignored;
  for (auto& door : stream_doors_) door.acceptor.close(ignored);
  for (auto& door : datagram_doors_) take_datagrams(door, drain_calls);
  for (auto* connection : connections_) {
    auto read = connection->is_closed ? Read::nothing : Read::some;
    for (std::size_t taken = 0; read == Read::some && taken < drain_budget; taken += read_budget)
      read = read_once(*connection);
  }
  close();
}

Listener::Listener(asio::any_io_executor executor, Statsd& statsd, ListenerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), statsd, std::move(options))) {
}

Listener::~Listener() {
  impl_->close();
}

Result<std::string> Listener::listen_datagrams(const net::ListenAddress& address) {
  auto bound = net::open_datagram(address, impl_->file());
  if (!bound) return bound.error();
  return impl_->start_datagrams(std::move(*bound), address.is_unix() ? Protocol::datagram : Protocol::udp);
}

Result<std::string> Listener::listen_streams(const net::ListenAddress& address) {
  auto bound = net::open_listener(address, impl_->file());
  if (!bound) return bound.error();
  return impl_->start_streams(std::move(*bound));
}

Result<std::string> Listener::listen(net::Listener bound) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(bound.descriptor.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM)
    return impl_->start_streams(std::move(bound));
  const auto protocol = bound.address.starts_with("unix:") ? Protocol::datagram : Protocol::udp;
  return impl_->start_datagrams(std::move(bound), protocol);
}

asio::awaitable<void> Listener::drain(Deadline) {
  impl_->drain();  // without a wait: what clients have sent is in memory already
  co_return;
}

}  // namespace midst::ingest::statsd
