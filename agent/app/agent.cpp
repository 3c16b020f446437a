#include "agent/app/agent.hpp"

#include "agent/app/redis_on_demand.hpp"
#include "agent/app/self_metrics.hpp"
#include "agent/ingest/listener.hpp"
#include "agent/ingest/statsd/listener.hpp"
#include "agent/ingest/statsd/statsd.hpp"
#include "agent/ingest/store.hpp"
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "agent/sources/redis/redis_source.hpp"
#include "agent/web/routes.hpp"
#include "lib/base/log.hpp"
#include "lib/net/http_server.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace midst::app {
namespace {

/// The one place where a kind of source is named. Order here is order on the page.
void add_targets(scrape::Scraper& scraper, const asio::any_io_executor& executor, const Config& config) {
  for (const auto& options : config.redis) scraper.add(std::make_unique<sources::RedisSource>(executor, options));
  const auto limits = std::make_shared<sources::ServerLimits>();
  for (auto options : config.postgres) {
    options.server_limits = limits;
    scraper.add(std::make_unique<sources::PostgresSource>(executor, std::move(options)));
  }
  for (auto options : config.pgbouncer) {
    options.server_limits = limits;
    scraper.add(std::make_unique<sources::PgbouncerSource>(executor, std::move(options)));
  }
}

}  // namespace

std::unique_ptr<scrape::Scraper> make_target_scraper(asio::any_io_executor executor, const Config& config) {
  auto scraper = std::make_unique<scrape::Scraper>(executor, scrape::ScraperOptions{config.scrape.min_interval});
  add_targets(*scraper, executor, config);
  return scraper;
}

class Agent::Impl {
 public:
  Impl(asio::any_io_executor executor, Config config)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        redis_(executor_, config_.redis),
        scraper_(make_scraper()) {
    auto store = std::make_unique<ingest::Store>(config_.ingest.limits);
    push_ = std::make_unique<ingest::Listener>(executor_, *store, ingest::ListenerOptions{});
    statsd_ = std::make_unique<ingest::statsd::Statsd>(statsd_options(*store));
    store->add(*statsd_);
    statsd_listener_ = std::make_unique<ingest::statsd::Listener>(executor_, *statsd_, config_.ingest.statsd.listener);
    scraper_->add(std::move(store));
    scraper_->add(std::make_unique<SelfMetrics>([this] { return web_counters(); }));
  }

  Result<Done> start() {
    if (const auto done = listen_for_push(); !done) return done.error();
    if (const auto done = listen_for_statsd(); !done) return done.error();
    auto& everything = add_server("");
    for (const auto& address : config_.web.listen)
      if (const auto done = listen(everything, address, "web.listen"); !done) return done.error();
    for (const auto& listener : config_.web.listeners)
      if (const auto done = listen(add_server(listener.view), listener.address, "web.listener.listen"); !done)
        return done.error();
    return Done{};
  }

  asio::awaitable<void> stop(Deadline deadline) {
    for (auto& server : servers_) co_await server->drain(deadline);
    co_await push_->drain(deadline);
    co_await statsd_listener_->drain(deadline);
  }

  [[nodiscard]] std::string summary() const {
    const auto targets = config_.redis.size() + config_.postgres.size() + config_.pgbouncer.size();
    return fmt::format("{} target{}; http on {}; push on {}", targets, targets == 1 ? "" : "s",
                       fmt::join(addresses_, " "),
                       push_addresses_.empty() ? "nothing" : fmt::format("{}", fmt::join(push_addresses_, " ")));
  }

 private:
  std::unique_ptr<scrape::Scraper> make_scraper() {
    for (auto& options : config_.redis) options.request_errors = redis_.refused();
    return make_target_scraper(executor_, config_);
  }

  [[nodiscard]] ingest::statsd::StatsdOptions statsd_options(const ingest::Store& store) const {
    auto options = config_.ingest.statsd.options;
    options.reserved_prefixes = config_.ingest.limits.reserved_prefixes;
    options.unreserved_prefixes = config_.ingest.limits.unreserved_prefixes;
    options.is_taken = [&store](std::string_view name) { return store.has_family(name); };
    return options;
  }

  /// A default socket that cannot be opened (no /run/midst-agent without the package) costs the push side only; one
  /// that the operator named is worth failing for.
  Result<Done> settle_push(Result<std::string> bound, const std::string& path, std::string_view key, bool is_explicit) {
    if (bound) {
      push_addresses_.push_back(std::move(*bound));
      return Done{};
    }
    if (is_explicit) return bound.error().with_context(key);
    log::warn("a socket for pushed metrics cannot be opened: set its path, or \"\" for none",
              {{"setting", key}, {"path", path}, {"error", bound.error().message}});
    return Done{};
  }

  Result<Done> listen_for_push() {
    const auto& ingest = config_.ingest;
    if (ingest.socket.empty()) return Done{};
    return settle_push(push_->listen(ingest.socket), ingest.socket, "ingest.socket", ingest.is_socket_explicit);
  }

  Result<Done> listen_for_statsd() {
    const auto& statsd = config_.ingest.statsd;
    if (!statsd.socket.empty()) {
      const auto done = settle_push(listen_at("unix:" + statsd.socket, &ingest::statsd::Listener::listen_datagrams),
                                    statsd.socket, "ingest.dogstatsd_socket", statsd.is_socket_explicit);
      if (!done) return done;
    }
    if (!statsd.stream_socket.empty()) {
      const auto done =
          settle_push(listen_at("unix:" + statsd.stream_socket, &ingest::statsd::Listener::listen_streams),
                      statsd.stream_socket, "ingest.dogstatsd_stream_socket", statsd.is_stream_socket_explicit);
      if (!done) return done;
    }
    if (statsd.udp.empty()) return Done{};
    return settle_push(listen_at(statsd.udp, &ingest::statsd::Listener::listen_datagrams), statsd.udp,
                       "ingest.statsd.udp", true);
  }

  using Listen = Result<std::string> (ingest::statsd::Listener::*)(const net::ListenAddress& address);
  Result<std::string> listen_at(const std::string& text, Listen way) {
    const auto address = net::parse_listen_address(text);
    if (!address) return address.error();
    return ((*statsd_listener_).*way)(*address);
  }

  net::HttpServer& add_server(const std::string& view) {
    web::WebOptions options{config_.scrape.timeout, config_.web.lifecycle, config_.web.probe, config_.web.discovery,
                            view};
    web::Hooks hooks;
    hooks.scrape_once = [this](web::ProbeRequest request) { return redis_.scrape(std::move(request)); };
    hooks.discover = [this](std::string target, Deadline deadline) {
      return redis_.discover(std::move(target), deadline);
    };
    servers_.push_back(std::make_unique<net::HttpServer>(
        executor_, web::make_handler(*scraper_, std::move(options), std::move(hooks)), net::ServerLimits{}));
    return *servers_.back();
  }

  Result<Done> listen(net::HttpServer& server, const std::string& address, std::string_view setting) {
    auto bound = server.listen(address);
    if (!bound) return bound.error().with_context(setting);
    addresses_.push_back(*bound);
    return Done{};
  }

  [[nodiscard]] WebCounters web_counters() const {
    WebCounters total;
    for (const auto& server : servers_) {
      const auto counters = server->counters();
      total.requests += counters.requests;
      total.refused_connections += counters.refused_connections;
      total.bad_requests += counters.bad_requests;
      total.open_connections += counters.open_connections;
    }
    return total;
  }

  asio::any_io_executor executor_;
  Config config_;
  RedisOnDemand redis_;
  // In floor order: what is destroyed first stands last. The listener and the servers refer to what the scraper owns.
  std::unique_ptr<ingest::statsd::Statsd> statsd_;
  std::unique_ptr<scrape::Scraper> scraper_;
  std::unique_ptr<ingest::Listener> push_;
  std::unique_ptr<ingest::statsd::Listener> statsd_listener_;
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
  std::vector<std::string> addresses_;
  std::vector<std::string> push_addresses_;
};

Agent::Agent(asio::any_io_executor executor, Config config)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(config))) {
}

Agent::~Agent() = default;

Result<Done> Agent::start() {
  return impl_->start();
}

asio::awaitable<void> Agent::stop(Deadline deadline) {
  return impl_->stop(deadline);
}

std::string Agent::summary() const {
  return impl_->summary();
}

}  // namespace midst::app
