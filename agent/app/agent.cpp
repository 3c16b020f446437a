#include "agent/app/agent.hpp"

#include "agent/app/control.hpp"
#include "agent/app/push_side.hpp"
#include "agent/app/redis_on_demand.hpp"
#include "agent/app/self_metrics.hpp"
#include "agent/app/web_side.hpp"
#include "agent/sources/host/host_source.hpp"
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "agent/sources/postgres/top/statement_texts.hpp"
#include "agent/sources/redis/redis_source.hpp"
#include "agent/web/routes.hpp"
#include "lib/base/log.hpp"
#include "lib/net/sockets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace midst::app {
namespace {

/// Makes sources of the targets of a configuration, but for those that a running agent keeps. The one place where a
/// kind of source is named; the order here is the order on the page.
class Targets {
 public:
  explicit Targets(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  /// @param running  what the agent works with now; nothing at the start.
  std::vector<scrape::TargetChange> changes(const Config& next, const Config* running) {
    std::vector<scrape::TargetChange> all;
    const auto add = [&](std::string_view kind, const auto& options, auto make) {
      scrape::TargetChange change{{std::string(kind), options.name}, nullptr, options.rules};
      if (running == nullptr || !is_same(next, *running, kind, options.name)) change.source = make(options);
      all.push_back(std::move(change));
    };
    for (const auto& each : next.redis)
      add("redis", each, [&](auto options) { return std::make_unique<sources::RedisSource>(executor_, options); });
    for (const auto& each : next.postgres)
      add("postgres", each, [&](auto options) {
        options.server_limits = limits_;
        return std::make_unique<sources::PostgresSource>(executor_, std::move(options));
      });
    for (const auto& each : next.pgbouncer)
      add("pgbouncer", each, [&](auto options) {
        options.server_limits = limits_;
        return std::make_unique<sources::PgbouncerSource>(executor_, std::move(options));
      });
    if (next.host.is_enabled) {
      auto before = running != nullptr ? running->host : sources::HostOptions();
      before.rules = next.host.rules;  // they are no reason for another source
      scrape::TargetChange change{{"host", "host"}, nullptr, next.host.rules};
      if (before != next.host) change.source = std::make_unique<sources::HostSource>(next.host);
      all.push_back(std::move(change));
    }
    return all;
  }

  static bool is_same(const Config& next, const Config& running, std::string_view kind, const std::string& name) {
    const auto key = fmt::format("{}.{}", kind, name);
    const auto now = next.fingerprints.find(key), before = running.fingerprints.find(key);
    return before != running.fingerprints.end() && now->second == before->second;
  }

 private:
  asio::any_io_executor executor_;
  std::shared_ptr<sources::ServerLimits> limits_ = std::make_shared<sources::ServerLimits>();
};

/// Keys of [ingest] that a running agent can take over; the others wait for a restart.
constexpr std::string_view live_ingest_keys[] = {"allow_users", "allow_groups", "gauge_sign",  "bare_tags",
                                                 "buckets",     "ttl",          "mapping_file"};

/// @return the keys of [ingest] and [ingest.statsd] that differ and take effect at a restart only.
std::vector<std::string> keys_for_a_restart(const Config& next, const Config& running) {
  const auto settings_of = [](const Config& config) {
    std::map<std::string, std::string> settings;
    for (const auto& table : config.given)
      if (table.name == "ingest" || table.name == "ingest.statsd")
        for (const auto& [key, value] : table.values)
          if (std::find(std::begin(live_ingest_keys), std::end(live_ingest_keys), key) == std::end(live_ingest_keys))
            settings.emplace(table.name + '.' + key, value);
    return settings;
  };
  const auto now = settings_of(next), before = settings_of(running);
  std::vector<std::string> keys;
  for (const auto& [key, value] : now)
    if (const auto found = before.find(key); found == before.end() || found->second != value) keys.push_back(key);
  for (const auto& [key, value] : before)
    if (!now.contains(key)) keys.push_back(key);
  return keys;
}

std::size_t target_count(const Config& config) {
  return config.redis.size() + config.postgres.size() + config.pgbouncer.size() + (config.host.is_enabled ? 1 : 0);
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::unique_ptr<scrape::Scraper> make_target_scraper(asio::any_io_executor executor, const Config& config) {
  auto scraper = std::make_unique<scrape::Scraper>(
      executor, scrape::ScraperOptions{config.scrape.min_interval, config.scrape.rules});
  for (auto& target : Targets(executor).changes(config, nullptr))
    scraper->add(std::move(target.source), std::move(target.rules));
  return scraper;
}

class Agent::Impl {
 public:
  Impl(asio::any_io_executor executor, Config config, ConfigLoader load)
      : executor_(std::move(executor)),
        config_(std::move(config)),
        load_(std::move(load)),
        redis_(executor_, config_.redis),
        targets_(executor_),
        scraper_(std::make_unique<scrape::Scraper>(executor_, scrape::ScraperOptions{})),
        web_(executor_, [this](const Config& for_config, const WebRole& role) { return handler(for_config, role); }) {
    push_ = std::make_unique<PushSide>(executor_, config_.ingest, *scraper_);
    scraper_->add(std::make_unique<SelfMetrics>([this] { return facts(); }));
    give_hooks(config_, nullptr);
    scraper_->set_targets(targets_.changes(config_, nullptr), {config_.scrape.min_interval, config_.scrape.rules});
    reload_.loaded_at = unix_now();
  }

  Result<Done> start() {
    auto inherited = net::systemd_descriptors();
    if (!inherited) return inherited.error();
    if (const auto done = push_->start(*inherited); !done) return done;
    if (const auto done = web_.start(config_, *inherited); !done) return done;
    for (const auto& passed : *inherited)
      log::warn(
          "a descriptor from systemd is not used; FileDescriptorName= is one of web, push, dogstatsd, "
          "dogstatsd-stream, statsd-udp",
          {{"name", passed.name}});
    return Done{};
  }

  Result<std::string> reload() {
    auto outcome = try_reload();
    reload_.is_successful = outcome.has_value();
    ++(outcome ? reload_.good : reload_.bad);
    if (outcome) {
      reload_.loaded_at = unix_now();
      reload_.error.clear();
      log::info("configuration reloaded", {{"outcome", *outcome}});
    } else {
      reload_.error = outcome.error().message;
      log::error("configuration not reloaded; the old one stays",
                 {{"reason", word(outcome.error().code)}, {"error", outcome.error().message}});
    }
    return outcome;
  }

  asio::awaitable<void> stop(Deadline deadline) {
    co_await web_.stop(deadline);
    co_await push_->stop(deadline);
  }

  [[nodiscard]] std::string summary() const {
    const auto targets = target_count(config_);
    return fmt::format("{} target{}; http on {}; push on {}", targets, targets == 1 ? "" : "s",
                       fmt::join(web_.addresses(), " "),
                       push_->addresses().empty() ? "nothing" : fmt::format("{}", fmt::join(push_->addresses(), " ")));
  }

  [[nodiscard]] std::string state_line() const {
    std::size_t samples = 0;
    std::string troubles;
    for (const auto& target : scraper_->status()) {
      samples += target.samples;
      if (target.was_collected && !target.is_up)
        troubles += fmt::format("; {}.{} down: {}", target.id.kind, target.id.target, word(target.last_error->code));
    }
    if (!reload_.is_successful) troubles += "; the last reload failed";
    return fmt::format("serving {} series{}", samples, troubles);
  }

 private:
  /// Nothing has changed until the last thing that can fail has not.
  Result<std::string> try_reload() {
    auto parsed = load_();
    std::string problems;
    for (const auto& problem : parsed.problems)
      if (problem.is_error) problems.append(problems.empty() ? "" : "\n").append(describe(problem));
    if (!problems.empty()) return Error{Errc::config, std::move(problems)};
    auto next = std::move(parsed.config);
    auto allowed = ingest::AllowList::resolve(next.ingest.allow_users, next.ingest.allow_groups);
    if (!allowed) return allowed.error().with_context("ingest");
    if (const auto prepared = web_.prepare(next); !prepared) return prepared.error();

    log::configure(next.log.level, next.log.format.value_or(log::default_format()));
    give_hooks(next, &config_);
    auto changes = targets_.changes(next, &config_);
    const auto made =
        std::count_if(changes.begin(), changes.end(), [](const auto& each) { return each.source != nullptr; });
    const auto kept = static_cast<std::ptrdiff_t>(changes.size()) - made;
    const auto before = target_count(config_);
    auto outcome = fmt::format("{} target{}: {} as before, {} new or changed", changes.size(),
                               changes.size() == 1 ? "" : "s", kept, made);
    if (before > changes.size()) outcome += fmt::format(" (there were {})", before);
    for (const auto& key : keys_for_a_restart(next, started_with_))
      outcome += fmt::format("; {} waits for a restart", key);
    scraper_->set_targets(std::move(changes), {next.scrape.min_interval, next.scrape.rules});
    push_->reload(next.ingest, std::move(*allowed));
    web_.commit(next);
    config_ = std::move(next);
    return outcome;
  }

  /// What sources share with the rest of the agent.
  void give_hooks(Config& config, const Config* running) const {
    for (auto& options : config.redis) options.request_errors = redis_.refused();
    if (!config.web.queries) return;
    for (auto& options : config.postgres) {
      if (running != nullptr && Targets::is_same(config, *running, "postgres", options.name))
        for (const auto& old : running->postgres)
          if (old.name == options.name) options.texts = old.texts;
      if (!options.texts) options.texts = std::make_shared<sources::StatementTexts>(options.limits);
    }
  }

  net::Handler handler(const Config& config, const WebRole& role) {
    web::WebOptions options{config.scrape.timeout, config.web.lifecycle, config.web.probe,
                            config.web.discovery,  config.web.queries,   role.view};
    web::Hooks hooks;
    hooks.reload = [this] { return reload(); };
    hooks.scrape_once = [this](web::ProbeRequest request) { return redis_.scrape(std::move(request)); };
    hooks.discover = [this](std::string target, Deadline deadline) {
      return redis_.discover(std::move(target), deadline);
    };
    hooks.statement_texts = [this] { return statement_texts(); };
    hooks.reload_state = [this] { return reload_state(); };
    hooks.push = [this] { return push_facts(); };
    hooks.started = started_;
    auto pages = web::make_handler(*scraper_, std::move(options), std::move(hooks));
    if (!role.is_control) return pages;
    return control_handler(std::move(pages), push_->store(), [this] { return reload(); });
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> statement_texts() const {
    std::vector<std::pair<std::string, std::string>> texts;
    for (const auto& options : config_.postgres)
      if (options.texts) texts.emplace_back(options.name, options.texts->json());
    return texts;
  }

  [[nodiscard]] web::ReloadState reload_state() const {
    auto state = reload_;
    state.waits_for_restart = !keys_for_a_restart(config_, started_with_).empty();
    return state;
  }

  [[nodiscard]] web::PushFacts push_facts() const {
    const auto levels = push_->store().levels();
    return {levels.attached, levels.series};
  }

  [[nodiscard]] SelfFacts facts() const { return {web_.counters(), reload_state()}; }

  asio::any_io_executor executor_;
  Config config_;
  const Config started_with_ = config_;
  ConfigLoader load_;
  web::ReloadState reload_;
  const Deadline started_ = std::chrono::steady_clock::now();
  RedisOnDemand redis_;
  Targets targets_;
  // In floor order: what is destroyed first stands last. Listeners and servers refer to what the scraper owns.
  std::unique_ptr<PushSide> push_;
  std::unique_ptr<scrape::Scraper> scraper_;
  WebSide web_;
};

Agent::Agent(asio::any_io_executor executor, Config config, ConfigLoader load)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(config), std::move(load))) {
}

Agent::~Agent() = default;

Result<Done> Agent::start() {
  return impl_->start();
}

Result<std::string> Agent::reload() {
  return impl_->reload();
}

asio::awaitable<void> Agent::stop(Deadline deadline) {
  return impl_->stop(deadline);
}

std::string Agent::summary() const {
  return impl_->summary();
}

std::string Agent::state_line() const {
  return impl_->state_line();
}

}  // namespace midst::app
