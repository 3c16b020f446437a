#include "agent/app/web_side.hpp"

#include "lib/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace midst::app {
namespace {

/// How long connections of a listener that is no more may take for their last answers.
constexpr auto drain_limit = std::chrono::seconds(10);

struct Wanted {
  std::string address;
  WebRole role;
  std::string_view setting;
};

std::vector<Wanted> wanted_of(const Config& config, bool has_sockets_of_systemd) {
  std::vector<Wanted> all;
  if (!has_sockets_of_systemd)
    for (const auto& address : config.web.listen) all.push_back({address, {}, "web.listen"});
  if (!config.control_socket.empty()) all.push_back({"unix:" + config.control_socket, {"", true}, "control.socket"});
  for (const auto& listener : config.web.listeners)
    all.push_back({listener.address, {listener.view, false}, "web.listener.listen"});
  return all;
}

/// @param address  empty: of a socket that systemd opened, which stays.
bool is_wanted(const std::string& address, const std::vector<Wanted>& all) {
  return address.empty() ||
         std::any_of(all.begin(), all.end(), [&](const Wanted& wanted) { return wanted.address == address; });
}

void add(WebCounters& total, const net::ServerCounters& counters) {
  total.requests += counters.requests;
  total.refused_connections += counters.refused_connections;
  total.bad_requests += counters.bad_requests;
  total.open_connections += counters.open_connections;
}

}  // namespace

/// One socket and the server behind it.
struct WebSide::Listener {
  std::string address;  ///< As configured; empty: from systemd.
  WebRole role;
  std::string bound;
  std::shared_ptr<net::Handler> handler;  ///< What the server calls; a reload puts another one in its place.
  std::unique_ptr<net::HttpServer> server;

  Listener(const asio::any_io_executor& executor, std::string wanted, WebRole its_role, net::Handler answer)
      : address(std::move(wanted)),
        role(std::move(its_role)),
        handler(std::make_shared<net::Handler>(std::move(answer))) {
    server = std::make_unique<net::HttpServer>(
        executor, [current = handler](net::Request request) { return (*current)(std::move(request)); },
        net::ServerLimits{});
  }

  static asio::awaitable<void> end(std::shared_ptr<Listener> self) {
    co_await self->server->drain(std::chrono::steady_clock::now() + drain_limit);
  }
};

WebSide::WebSide(asio::any_io_executor executor, MakeHandler make_handler)
    : executor_(std::move(executor)), make_handler_(std::move(make_handler)) {
}

WebSide::~WebSide() = default;

Result<Done> WebSide::start(const Config& config, std::vector<net::NamedDescriptor>& inherited) {
  for (auto& passed : inherited) {
    if (passed.name != "web") continue;
    listeners_.push_back(std::make_unique<Listener>(executor_, "", WebRole{}, make_handler_(config, {})));
    auto bound = listeners_.back()->server->adopt(passed.descriptor.release());
    if (!bound) return bound.error().with_context("the descriptor web from systemd");
    listeners_.back()->bound = *bound;
  }
  std::erase_if(inherited, [](const net::NamedDescriptor& passed) { return passed.name == "web"; });
  return open_all(config, listeners_);
}

Result<Done> WebSide::open(const Config& config, const std::string& address, const WebRole& role,
                           std::string_view setting, std::vector<std::unique_ptr<Listener>>& opened) {
  auto listener = std::make_unique<Listener>(executor_, address, role, make_handler_(config, role));
  auto bound = listener->server->listen(address);
  if (bound) {
    listener->bound = *bound;
    opened.push_back(std::move(listener));
    return Done{};
  }
  if (!role.is_control || config.is_control_explicit) return bound.error().with_context(setting);
  log::warn("no control socket: set control.socket, or \"\" for none", {{"error", bound.error().message}});
  return Done{};
}

Result<Done> WebSide::open_all(const Config& config, std::vector<std::unique_ptr<Listener>>& opened) {
  for (const auto& [address, role, setting] : wanted_of(config, has_sockets_of_systemd())) {
    const auto is_there = [&, &at = address](const auto& listener) { return listener->address == at; };
    if (&opened != &listeners_ && std::any_of(listeners_.begin(), listeners_.end(), is_there)) continue;
    if (const auto done = open(config, address, role, setting, opened); !done) return done;
  }
  return Done{};
}

Result<Done> WebSide::prepare(const Config& next) {
  prepared_.clear();
  const auto opened = open_all(next, prepared_);
  if (opened) return Done{};
  prepared_.clear();
  // "127.0.0.1:9464" and ":9464" exclude each other: those that go anyway may have to go first.
  if (open_in_place_of_others(next, prepared_)) return Done{};
  prepared_.clear();
  return opened;
}

Result<Done> WebSide::open_in_place_of_others(const Config& next, std::vector<std::unique_ptr<Listener>>& opened) {
  const auto all = wanted_of(next, has_sockets_of_systemd());
  std::vector<Listener*> paused;
  for (const auto& listener : listeners_)
    if (!is_wanted(listener->address, all)) paused.push_back(listener.get());
  if (paused.empty()) return Error{Errc::connect_refused, "no listener goes"};
  for (auto* listener : paused) listener->server->stop_accepting();
  const auto done = open_all(next, opened);
  if (done) return Done{};
  opened.clear();
  for (auto* listener : paused)
    if (const auto again = listener->server->listen(listener->address); !again)
      log::error("a listener is lost", {{"address", listener->address}, {"error", again.error().message}});
  return done;
}

bool WebSide::has_sockets_of_systemd() const {
  return std::any_of(listeners_.begin(), listeners_.end(), [](const auto& each) { return each->address.empty(); });
}

void WebSide::commit(const Config& next) {
  const auto all = wanted_of(next, has_sockets_of_systemd());
  std::vector<std::unique_ptr<Listener>> kept;
  for (auto& listener : listeners_) {
    if (!is_wanted(listener->address, all)) {
      drain(std::move(listener));
      continue;
    }
    for (const auto& wanted : all)
      if (wanted.address == listener->address) listener->role = wanted.role;
    *listener->handler = make_handler_(next, listener->role);
    kept.push_back(std::move(listener));
  }
  for (auto& listener : prepared_) kept.push_back(std::move(listener));
  prepared_.clear();
  listeners_ = std::move(kept);
}

void WebSide::drain(std::unique_ptr<Listener> listener) {
  auto counted = listener->server->counters();
  counted.open_connections = 0;
  add(of_the_gone_, counted);
  log::info("listener closed", {{"address", listener->bound}});
  asio::co_spawn(executor_, Listener::end(std::move(listener)), asio::detached);
}

asio::awaitable<void> WebSide::stop(Deadline deadline) {
  for (auto& listener : listeners_) co_await listener->server->drain(deadline);
}

std::vector<std::string> WebSide::addresses() const {
  std::vector<std::string> bound;
  for (const auto& listener : listeners_)
    if (!listener->role.is_control) bound.push_back(listener->bound);
  return bound;
}

WebCounters WebSide::counters() const {
  auto total = of_the_gone_;
  for (const auto& listener : listeners_) add(total, listener->server->counters());
  return total;
}

}  // namespace midst::app
