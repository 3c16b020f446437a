#include "tests/support/scripted_server.hpp"

#include "lib/base/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <tuple>

namespace midst::test {

using asio::ip::tcp;

struct ScriptedServer::State {
  struct Connection {
    explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::string received;
    std::size_t consumed = 0;
    std::size_t turns = 0;
    bool sent_last = true;
  };

  explicit State(asio::io_context& io) : acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  tcp::acceptor acceptor;
  std::vector<Script> scripts;
  std::deque<Connection> connections;
};

static asio::awaitable<bool> receive(ScriptedServer::State::Connection& connection) {
  std::array<char, 16384> buffer{};
  const auto [error, count] = co_await connection.socket.async_read_some(asio::buffer(buffer), as_result);
  if (error) co_return false;
  if (connection.sent_last) ++connection.turns;
  connection.sent_last = false;
  connection.received.append(buffer.data(), count);
  co_return true;
}

static asio::awaitable<void> play(std::shared_ptr<ScriptedServer::State> state, std::size_t index) {
  auto& connection = state->connections[index];
  const auto& script = state->scripts[std::min(index, state->scripts.size() - 1)];
  for (const auto& step : script) {
    if (step.kind == Step::Kind::close) break;
    if (step.kind == Step::Kind::send) {
      connection.sent_last = true;
      const auto sent = co_await asio::async_write(connection.socket, asio::buffer(step.text), as_result);
      if (std::get<0>(sent)) break;
      continue;
    }
    for (;;) {
      const auto found =
          step.kind == Step::Kind::hang ? std::string::npos : connection.received.find(step.text, connection.consumed);
      if (found != std::string::npos) {
        connection.consumed = connection.received.size();
        break;
      }
      if (!co_await receive(connection)) {
        error_code ignored;
        connection.socket.close(ignored);
        co_return;
      }
    }
  }
  error_code ignored;
  connection.socket.shutdown(tcp::socket::shutdown_both, ignored);
  connection.socket.close(ignored);
}

static asio::awaitable<void> accept_all(std::shared_ptr<ScriptedServer::State> state) {
  for (;;) {
    auto [error, socket] = co_await state->acceptor.async_accept(as_result);
    if (error) co_return;
    state->connections.emplace_back(std::move(socket));
    asio::co_spawn(state->acceptor.get_executor(), play(state, state->connections.size() - 1), asio::detached);
  }
}

ScriptedServer::ScriptedServer(asio::io_context& io, std::vector<Script> scripts)
    : state_(std::make_shared<State>(io)) {
  state_->scripts = std::move(scripts);
  asio::co_spawn(io, accept_all(state_), asio::detached);
}

ScriptedServer::~ScriptedServer() {
  error_code ignored;
  state_->acceptor.close(ignored);
  for (auto& connection : state_->connections) connection.socket.close(ignored);
}

std::uint16_t ScriptedServer::port() const noexcept {
  return state_->acceptor.local_endpoint().port();
}
std::size_t ScriptedServer::connection_count() const noexcept {
  return state_->connections.size();
}
const std::string& ScriptedServer::received(std::size_t connection) const {
  return state_->connections.at(connection).received;
}
std::size_t ScriptedServer::turns(std::size_t connection) const {
  return state_->connections.at(connection).turns;
}

}  // namespace midst::test
