#include "tests/support/counting_proxy.hpp"

#include "lib/base/deadline.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <list>

namespace midst::test {
namespace {

using boost::asio::ip::tcp;
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

enum class Direction { to_server, to_client };

/// One client with its server.
struct Line {
  explicit Line(tcp::socket accepted) : client(std::move(accepted)), server(client.get_executor()) {}

  tcp::socket client, server;
  bool is_clients_turn = false;  ///< The client has been the last to speak.

  void close() noexcept {
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
};

}  // namespace

struct CountingProxy::State {
  State(boost::asio::io_context& io, std::uint16_t upstream_port)
      : acceptor(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        upstream(boost::asio::ip::address_v4::loopback(), upstream_port),
        thawed(io, Deadline::max()) {}

  tcp::acceptor acceptor;
  const tcp::endpoint upstream;
  std::list<std::weak_ptr<Line>> lines;
  std::chrono::milliseconds one_way{0};
  bool is_frozen = false;
  boost::asio::steady_timer thawed;  ///< Never expires; cancelled by thaw().
  std::size_t turns = 0, to_server = 0, to_client = 0, connections = 0;
  std::size_t bytes_until_cut = no_limit;

  void close_lines() noexcept {
    for (const auto& weak : lines)
      if (const auto line = weak.lock()) line->close();
    lines.clear();
  }
};

namespace {

using StatePtr = std::shared_ptr<CountingProxy::State>;

void count(CountingProxy::State& state, Line& line, Direction direction, std::size_t bytes) {
  if (direction == Direction::to_client) {
    state.to_client += bytes;
    line.is_clients_turn = false;
    return;
  }
  state.to_server += bytes;
  if (!line.is_clients_turn) ++state.turns;
  line.is_clients_turn = true;
}

/// @return how many of the bytes may pass before the line is cut.
std::size_t allowed(CountingProxy::State& state, Direction direction, std::size_t bytes) noexcept {
  if (direction == Direction::to_server || state.bytes_until_cut == no_limit) return bytes;
  const auto passed = std::min(bytes, state.bytes_until_cut);
  state.bytes_until_cut -= passed;
  return passed;
}

asio::awaitable<void> pump(StatePtr state, std::shared_ptr<Line> line, Direction direction) {
  auto& from = direction == Direction::to_server ? line->client : line->server;
  auto& to = direction == Direction::to_server ? line->server : line->client;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    const auto [read_error, size] = co_await from.async_read_some(asio::buffer(buffer), as_result);
    if (read_error) break;
    count(*state, *line, direction, size);
    if (state->one_way.count() > 0) {
      asio::steady_timer arrival(from.get_executor(), state->one_way);
      co_await arrival.async_wait(as_result);
    }
    while (state->is_frozen) co_await state->thawed.async_wait(as_result);
    const auto passed = allowed(*state, direction, size);
    const auto [write_error, written] = co_await asio::async_write(to, asio::buffer(buffer.data(), passed), as_result);
    if (write_error || passed < size) break;
  }
  line->close();
}

asio::awaitable<void> serve(StatePtr state, std::shared_ptr<Line> line) {
  const auto [error] = co_await line->server.async_connect(state->upstream, as_result);
  if (error) {
    line->close();
    co_return;
  }
  line->client.set_option(tcp::no_delay(true));
  line->server.set_option(tcp::no_delay(true));
  co_spawn(line->client.get_executor(), pump(state, line, Direction::to_client), asio::detached);
  co_await pump(state, line, Direction::to_server);
}

asio::awaitable<void> accept_all(StatePtr state) {
  for (;;) {
    auto [error, socket] = co_await state->acceptor.async_accept(as_result);
    if (error) co_return;
    ++state->connections;
    const auto line = std::make_shared<Line>(std::move(socket));
    state->lines.push_back(line);
    co_spawn(state->acceptor.get_executor(), serve(state, line), asio::detached);
  }
}

}  // namespace

CountingProxy::CountingProxy(boost::asio::io_context& io, std::uint16_t upstream_port)
    : state_(std::make_shared<State>(io, upstream_port)) {
  co_spawn(io, accept_all(state_), asio::detached);
}

CountingProxy::~CountingProxy() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  thaw();
  cut();
}

std::uint16_t CountingProxy::port() const noexcept {
  boost::system::error_code ignored;
  return state_->acceptor.local_endpoint(ignored).port();
}

std::size_t CountingProxy::turns() const noexcept {
  return state_->turns;
}
std::size_t CountingProxy::bytes_to_server() const noexcept {
  return state_->to_server;
}
std::size_t CountingProxy::bytes_to_client() const noexcept {
  return state_->to_client;
}
std::size_t CountingProxy::connection_count() const noexcept {
  return state_->connections;
}

void CountingProxy::reset_counts() noexcept {
  state_->turns = state_->to_server = state_->to_client = state_->connections = 0;
  for (const auto& weak : state_->lines)
    if (const auto line = weak.lock()) line->is_clients_turn = false;
}

void CountingProxy::delay(std::chrono::milliseconds one_way) noexcept {
  state_->one_way = one_way;
}
void CountingProxy::freeze() noexcept {
  state_->is_frozen = true;
}

void CountingProxy::thaw() noexcept {
  state_->is_frozen = false;
  state_->thawed.cancel();
}

void CountingProxy::cut() noexcept {
  state_->close_lines();
}
void CountingProxy::cut_after(std::size_t bytes_to_client) noexcept {
  state_->bytes_until_cut = bytes_to_client;
}

}  // namespace midst::test
