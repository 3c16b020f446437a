#include "lib/pq/pool.hpp"

#include <algorithm>
#include <deque>

namespace midst::pq {
namespace {

/// A caller in the queue. A free connection is handed to the first one in it, never to a newcomer.
struct Waiter {
  Waiter(const asio::any_io_executor& executor, Deadline until) : handed(executor, until) {}

  asio::steady_timer handed;  ///< Cancelled when `connection` is set.
  Connection* connection = nullptr;
};

}  // namespace

class Pool::Impl {
 public:
  Impl(asio::any_io_executor executor, Conninfo conninfo, ConnectionOptions connection, PoolOptions options)
      : executor_(std::move(executor)),
        conninfo_(std::move(conninfo)),
        connection_(std::move(connection)),
        options_(options) {}

  /// `self` keeps connections and queue alive until the coroutine has ended, also when the Pool goes first.
  static asio::awaitable<Result<std::vector<Rows>>> run(std::shared_ptr<Impl> self, std::vector<Statement> statements,
                                                        Deadline deadline);

  [[nodiscard]] PoolCounters counters() const noexcept;
  void close() noexcept {
    for (const auto& connection : connections_) connection->close();
  }

 private:
  /// A caller's place: first in the queue, then, maybe, at a connection. Gives both up however the caller's coroutine
  /// ends, by return, cancellation or destruction.
  class Place {
   public:
    explicit Place(Impl& impl) : impl_(impl) {}
    ~Place() { impl_.leave(*this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    Connection* connection = nullptr;
    std::optional<Waiter> waiter;

   private:
    Impl& impl_;
  };

  [[nodiscard]] Connection* take_free();
  void leave(Place& place) noexcept;
  void hand_on(Connection& connection) noexcept;

  const asio::any_io_executor executor_;
  const Conninfo conninfo_;
  const ConnectionOptions connection_;
  const PoolOptions options_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*>
      idle_;  ///< The one used last stands last: the others may grow old and be closed by the server.
  std::deque<Waiter*> queue_;
};

asio::awaitable<Result<std::vector<Rows>>> Pool::Impl::run(std::shared_ptr<Impl> self,
                                                           std::vector<Statement> statements, Deadline deadline) {
  Place place(*self);
  place.connection = self->take_free();
  if (place.connection == nullptr) {
    if (self->queue_.size() >= self->options_.max_waiting)
      co_return Error{Errc::limit, "too many callers wait for a database connection"};
    const auto now = std::chrono::steady_clock::now();
    const auto until = std::min(deadline, now + self->options_.acquire_timeout);
    place.waiter.emplace(self->executor_, until);
    self->queue_.push_back(&*place.waiter);
    co_await place.waiter->handed.async_wait(as_result);
    if (place.waiter->connection == nullptr)
      co_return Error{Errc::timeout, "no database connection became free in time"};
    place.connection = place.waiter->connection;
  }
  auto work = place.connection->pipeline(std::move(statements), deadline);
  co_return co_await std::move(work);
}

Connection* Pool::Impl::take_free() {
  if (!queue_.empty()) return nullptr;
  if (idle_.empty()) {
    if (connections_.size() >= options_.size) return nullptr;
    connections_.push_back(std::make_unique<Connection>(executor_, conninfo_, connection_));
    idle_.reserve(options_.size);  // so that hand_on() cannot fail
    return connections_.back().get();
  }
  // One that is connected answers sooner than one whose back-off may still run.
  const auto connected = std::find_if(idle_.rbegin(), idle_.rend(),
                                      [](const Connection* connection) { return connection->is_connected(); });
  const auto chosen = connected == idle_.rend() ? idle_.end() - 1 : connected.base() - 1;
  auto* connection = *chosen;
  idle_.erase(chosen);
  return connection;
}

void Pool::Impl::leave(Place& place) noexcept {
  auto* connection = place.connection;
  if (place.waiter) {
    if (connection == nullptr)
      connection = place.waiter->connection;  // handed over, but the caller was cancelled before it took it
    std::erase(queue_, &*place.waiter);
  }
  if (connection != nullptr) hand_on(*connection);
}

void Pool::Impl::hand_on(Connection& connection) noexcept {
  if (queue_.empty()) {
    idle_.push_back(&connection);
    return;
  }
  auto* first = queue_.front();
  queue_.pop_front();
  first->connection = &connection;
  first->handed.cancel();
}

PoolCounters Pool::Impl::counters() const noexcept {
  return {idle_.size(), connections_.size() - idle_.size(), queue_.size()};
}

Pool::Pool(asio::any_io_executor executor, Conninfo conninfo, ConnectionOptions connection, PoolOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(conninfo), std::move(connection), options)) {
}

Pool::~Pool() {
  impl_->close();
}

asio::awaitable<Result<std::vector<Rows>>> Pool::pipeline(std::vector<Statement> statements, Deadline deadline) {
  return Impl::run(impl_, std::move(statements), deadline);
}

PoolCounters Pool::counters() const noexcept {
  return impl_->counters();
}

}  // namespace midst::pq
