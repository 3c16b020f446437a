#include "agent/app/agent.hpp"

#include "agent/app/control.hpp"
#include "agent/app/push_side.hpp"
#include "agent/app/redis_on_demand.hpp"
#include "agent/app/self_metrics.hpp"
#include "agent/sources/host/host_source.hpp"
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "agent/sources/postgres/top/statement_texts.hpp"
#include "agent/sources/redis/redis_source.hpp"
#include "agent/web/routes.hpp"
#include "lib/base/log.hpp"
#include "lib/net/http_server.hpp"
#include "lib/net/sockets.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace midst::app {
namespace {

/// The one place where a kind of source is named. Order here is order on the page.
void add_targets(scrape::Scraper& scraper, const asio::any_io_executor& executor, const Config& config) {
  for (const auto& options : config.redis)
    scraper.add(std::make_unique<sources::RedisSource>(executor, options), options.rules);
  const auto limits = std::make_shared<sources::ServerLimits>();
  for (auto options : config.postgres) {
    options.server_limits = limits;
    auto rules = options.rules;
    scraper.add(std::make_unique<sources::PostgresSource>(executor, std::move(options)), std::move(rules));
  }
  for (auto options : config.pgbouncer) {
    options.server_limits = limits;
    auto rules = options.rules;
    scraper.add(std::make_unique<sources::PgbouncerSource>(executor, std::move(options)), std::move(rules));
  }
  if (config.host.is_enabled) scraper.add(std::make_unique<sources::HostSource>(config.host), config.host.rules);
}

}  // namespace

std::unique_ptr<scrape::Scraper> make_target_scraper(asio::any_io_executor executor, const Config& config) {
  auto scraper = std::make_unique<scrape::Scraper>(
      executor, scrape::ScraperOptions{config.scrape.min_interval, config.scrape.rules});
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
    push_ = std::make_unique<PushSide>(executor_, config_.ingest, *scraper_);
    scraper_->add(std::make_unique<SelfMetrics>([this] { return web_counters(); }));
  }

  Result<Done> start() {
    auto inherited = net::systemd_descriptors();
    if (!inherited) return inherited.error();
    if (const auto done = push_->start(*inherited); !done) return done.error();
    auto& everything = add_server("");
    if (const auto done = adopt(everything, *inherited); !done) return done.error();
    const bool is_open = !addresses_.empty();  // by systemd, which wins
    for (const auto& address : config_.web.listen)
      if (const auto done = is_open ? Result<Done>(Done{}) : listen(everything, address, "web.listen"); !done)
        return done.error();
    if (const auto done = listen_for_control(); !done) return done.error();
    for (const auto& listener : config_.web.listeners)
      if (const auto done = listen(add_server(listener.view), listener.address, "web.listener.listen"); !done)
        return done.error();
    return Done{};
  }

  asio::awaitable<void> stop(Deadline deadline) {
    for (auto& server : servers_) co_await server->drain(deadline);
    co_await push_->stop(deadline);
  }

  [[nodiscard]] std::string summary() const {
    const auto targets = config_.redis.size() + config_.postgres.size() + config_.pgbouncer.size();
    return fmt::format("{} target{}; http on {}; push on {}", targets, targets == 1 ? "" : "s",
                       fmt::join(addresses_, " "),
                       push_->addresses().empty() ? "nothing" : fmt::format("{}", fmt::join(push_->addresses(), " ")));
  }

 private:
  std::unique_ptr<scrape::Scraper> make_scraper() {
    for (auto& options : config_.redis) options.request_errors = redis_.refused();
    if (config_.web.queries)
      for (auto& options : config_.postgres) options.texts = std::make_shared<sources::StatementTexts>(options.limits);
    return make_target_scraper(executor_, config_);
  }

  /// A default path that cannot be opened costs `midst-agent push` and its like only.
  Result<Done> listen_for_control() {
    if (config_.control_socket.empty()) return Done{};
    servers_.push_back(std::make_unique<net::HttpServer>(executor_, control_handler(web_handler(""), push_->store()),
                                                         net::ServerLimits{}));
    const auto bound = servers_.back()->listen("unix:" + config_.control_socket);
    if (bound) return Done{};
    if (config_.is_control_explicit) return bound.error().with_context("control.socket");
    log::warn("no control socket: set control.socket, or \"\" for none", {{"error", bound.error().message}});
    return Done{};
  }

  net::Handler web_handler(const std::string& view) {
    web::WebOptions options{config_.scrape.timeout, config_.web.lifecycle, config_.web.probe,
                            config_.web.discovery,  config_.web.queries,   view};
    web::Hooks hooks;
    hooks.scrape_once = [this](web::ProbeRequest request) { return redis_.scrape(std::move(request)); };
    hooks.discover = [this](std::string target, Deadline deadline) {
      return redis_.discover(std::move(target), deadline);
    };
    hooks.statement_texts = [this] { return statement_texts(); };
    return web::make_handler(*scraper_, std::move(options), std::move(hooks));
  }

  net::HttpServer& add_server(const std::string& view) {
    servers_.push_back(std::make_unique<net::HttpServer>(executor_, web_handler(view), net::ServerLimits{}));
    return *servers_.back();
  }

  /// Descriptors named "web"; others are nobody's, which is worth a word.
  Result<Done> adopt(net::HttpServer& server, std::vector<net::NamedDescriptor>& inherited) {
    for (auto& passed : inherited) {
      if (passed.name != "web") {
        log::warn(
            "a descriptor from systemd is not used; FileDescriptorName= is one of web, push, dogstatsd, "
            "dogstatsd-stream, statsd-udp",
            {{"name", passed.name}});
        continue;
      }
      auto bound = server.adopt(passed.descriptor.release());
      if (!bound) return bound.error().with_context("the descriptor web from systemd");
      addresses_.push_back(*bound);
    }
    return Done{};
  }

  Result<Done> listen(net::HttpServer& server, const std::string& address, std::string_view setting) {
    auto bound = server.listen(address);
    if (!bound) return bound.error().with_context(setting);
    addresses_.push_back(*bound);
    return Done{};
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> statement_texts() const {
    std::vector<std::pair<std::string, std::string>> texts;
    for (const auto& options : config_.postgres)
      if (options.texts) texts.emplace_back(options.name, options.texts->json());
    return texts;
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
  std::unique_ptr<PushSide> push_;
  std::unique_ptr<scrape::Scraper> scraper_;
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
  std::vector<std::string> addresses_;
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
