#include "agent/app/control.hpp"

#include "agent/app/commands.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <sys/time.h>

#include <iostream>
#include <memory>
#include <utility>

namespace midst::app {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds patience{10};

json client_json(const ingest::ClientInfo& client) {
  json entry{{"instance", client.instance}, {"resource", client.resource},          {"library", client.library},
             {"uid", client.peer.uid},      {"connected", client.is_connected},     {"series", client.series},
             {"last_seq", client.last_seq}, {"shared_memory", client.shares_memory}};
  entry["pid"] = client.peer.pid == 0 ? json() : json(client.peer.pid);
  return entry;
}

net::Response reloaded(const Result<std::string>& outcome) {
  net::Response response;
  response.status = outcome ? 200 : 400;
  response.body = (outcome ? *outcome : outcome.error().message) + '\n';
  return response;
}

struct Control {
  net::Handler web;
  const ingest::Store* store;
  std::function<Result<std::string>()> reload;

  static asio::awaitable<net::Response> answer(std::shared_ptr<const Control> self, net::Request request) {
    if (request.path == "/reload" && request.method == "POST") co_return reloaded(self->reload());
    if (request.path != "/push/clients") {
      auto answering = self->web(std::move(request));
      co_return co_await std::move(answering);
    }
    auto clients = json::array();
    for (const auto& client : self->store->clients()) clients.push_back(client_json(client));
    net::Response response;
    response.content_type = "application/json";
    response.body = clients.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    co_return response;
  }
};

/// @return the head's status and the body, once the server has closed.
Result<std::string> body_of(std::string_view answer) {
  const auto end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || answer.size() < 12 || end == std::string_view::npos)
    return Error{Errc::protocol, "the daemon's answer is no HTTP"};
  const auto body = answer.substr(end + 4);
  if (answer.substr(9, 3) != "200") return Error{Errc::server, std::string(body)};
  return std::string(body);
}

}  // namespace

net::Handler control_handler(net::Handler web, const ingest::Store& store,
                             std::function<Result<std::string>()> reload) {
  const auto control = std::make_shared<const Control>(Control{std::move(web), &store, std::move(reload)});
  return [control](net::Request request) { return Control::answer(control, std::move(request)); };
}

Result<std::string> ask_daemon(const std::string& path, std::string_view method, std::string_view target,
                               std::chrono::milliseconds limit) {
  const auto address = net::parse_listen_address("unix:" + path);
  if (!address) return address.error();
  asio::io_context unused;
  asio::local::stream_protocol::socket socket(unused);
  error_code failure;
  socket.connect(asio::local::stream_protocol::endpoint(path), failure);
  if (failure) return Error{Errc::connect_refused, fmt::format("{}: no daemon answers: {}", path, failure.message())};
  const timeval patience{static_cast<time_t>(limit.count() / 1000),
                         static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, target);
  asio::write(socket, asio::buffer(request), failure);
  std::string answer;
  if (!failure) asio::read(socket, asio::dynamic_buffer(answer), failure);
  if (failure && failure != asio::error::eof)
    return Error{Errc::timeout, fmt::format("{}: the daemon does not answer: {}", path, failure.message())};
  return body_of(answer);
}

Result<std::string> control_socket_of(const std::optional<std::string>& config_path) {
  auto parsed = load_config(config_path, process_environment());
  if (parsed.has_errors()) std::cerr << "the configuration has errors, which midst-agent check tells\n";
  if (parsed.config.control_socket.empty())
    return Error{Errc::connect_refused, "control.socket is \"\": there is no way to the daemon"};
  return std::move(parsed.config.control_socket);
}

Result<std::string> ask_daemon_of(const std::optional<std::string>& config_path, std::string_view method,
                                  std::string_view target) {
  const auto socket = control_socket_of(config_path);
  if (!socket) return socket.error();
  return ask_daemon(*socket, method, target, patience);
}

int report_failure(const Error& error) {
  if (!error.message.empty()) std::cerr << error.message << (error.message.ends_with('\n') ? "" : "\n");
  return error.code == Errc::server ? exit_failed : exit_no_daemon;
}

}  // namespace midst::app
