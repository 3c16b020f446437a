#include "agent/app/commands.hpp"

#include "agent/app/agent.hpp"
#include "agent/app/config.hpp"
#include "agent/app/lifecycle.hpp"
#include "agent/app/postgres_advice.hpp"
#include "agent/app/redis_on_demand.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"
#include "lib/metrics/encode.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace midst::app {
namespace {

using nlohmann::json;
using Page = std::shared_ptr<const metrics::Exposition>;
using Clock = std::chrono::steady_clock;

/// How long SIGTERM waits for answers under way; systemd's own patience is 90 s.
constexpr auto drain_limit = std::chrono::seconds(10);

void configure_log(const LogConfig& config) {
  log::configure(config.level, config.format.value_or(log::default_format()));
}

asio::awaitable<void> stop_agent(Agent& agent, asio::io_context& loop) {
  co_await agent.stop(Clock::now() + drain_limit);
  loop.stop();
}

struct Collected {
  Page page;
  std::vector<scrape::SourceStatus> status;
};

asio::awaitable<void> collect_once(scrape::Scraper& scraper, scrape::Selection selection, Deadline deadline,
                                   Page& page) {
  page = co_await scraper.scrape(std::move(selection), deadline);
}

/// One collection of the selected targets on a loop of its own.
Collected collect_targets(asio::io_context& loop, scrape::Scraper& scraper, scrape::Selection selection,
                          std::chrono::milliseconds timeout) {
  Collected collected;
  asio::co_spawn(loop, collect_once(scraper, selection, Clock::now() + timeout, collected.page),
                 [&](std::exception_ptr thrown) {
                   loop.stop();
                   if (thrown) std::rethrow_exception(thrown);
                 });
  loop.run();
  for (auto& status : scraper.status())
    if (selection.includes(status.id)) collected.status.push_back(std::move(status));
  return collected;
}

asio::awaitable<void> ask_acl_line(RedisOnDemand& redis, std::string target, Deadline deadline,
                                   std::optional<std::string>& line) {
  auto asking = redis.acl_line(std::move(target), deadline);
  if (auto answer = co_await std::move(asking)) line = std::move(*answer);
}

/// What is typed into redis-cli for a user of this target; nothing when the server cannot be asked what it is.
std::optional<std::string> acl_line(asio::io_context& loop, const Config& config, const std::string& target) {
  std::optional<std::string> line;
  RedisOnDemand redis(loop.get_executor(), config.redis);
  loop.restart();
  asio::co_spawn(loop, ask_acl_line(redis, target, Clock::now() + config.scrape.timeout, line),
                 [&](std::exception_ptr thrown) {
                   loop.stop();
                   if (thrown) std::rethrow_exception(thrown);
                 });
  loop.run();
  return line;
}

/// Of what was collected a moment ago: the scraper shares that collection.
std::vector<std::string> advice_on(asio::io_context& loop, scrape::Scraper& scraper, const scrape::SourceId& id,
                                   std::chrono::milliseconds timeout) {
  loop.restart();
  return postgres_advice(*collect_targets(loop, scraper, {{id.kind}, {id.target}}, timeout).page);
}

bool all_up(const std::vector<scrape::SourceStatus>& status) {
  return std::all_of(status.begin(), status.end(), [](const auto& target) { return target.is_up; });
}

double milliseconds(std::chrono::microseconds duration) {
  return static_cast<double>(duration.count()) / 1000;
}

/// "redis.main  up    3.1 ms  312 samples", or the reason.
std::string outcome_line(const scrape::SourceStatus& target) {
  const auto name = fmt::format("{}.{}", target.id.kind, target.id.target);
  if (target.is_up)
    return fmt::format("{:<24} up   {:>8.1f} ms {:>7} samples", name, milliseconds(target.last_duration),
                       target.samples);
  const auto reason = target.last_error ? describe(*target.last_error) : std::string("timeout: still collecting");
  return fmt::format("{:<24} down {:>8.1f} ms {}", name, milliseconds(target.last_duration), reason);
}

json outcome_json(const scrape::SourceStatus& target) {
  json entry{{"kind", target.id.kind},
             {"target", target.id.target},
             {"up", target.is_up},
             {"duration_ms", milliseconds(target.last_duration)},
             {"samples", target.samples}};
  if (!target.is_up)
    entry["error"] = target.last_error
                         ? json{{"reason", word(target.last_error->code)}, {"message", target.last_error->message}}
                         : json{{"reason", "timeout"}, {"message", "still collecting"}};
  return entry;
}

json distribution_json(const metrics::Distribution& distribution) {
  json value{{"count", distribution.count}, {"sum", distribution.sum}};
  for (std::size_t i = 0; i < distribution.bounds.size(); ++i) {
    if (!distribution.cumulative.empty())
      value["buckets"].push_back({distribution.bounds[i], distribution.cumulative[i]});
    else
      value["quantiles"].push_back({distribution.bounds[i], distribution.quantile_values[i]});
  }
  return value;
}

void append_samples(json& samples, const metrics::MergedFamily::Part& part) {
  const auto& family = *part.family;
  for (std::uint32_t i = 0; i < family.labels.size(); ++i) {
    if (std::binary_search(part.skipped.begin(), part.skipped.end(), i)) continue;
    json sample{{"labels", json::object()}};
    for (const auto& [name, value] : metrics::decode(family.labels[i])) sample["labels"][name] = value;
    sample["value"] =
        family.distributions.empty() ? json(family.values[i]) : distribution_json(family.distributions[i]);
    samples.push_back(std::move(sample));
  }
}

std::string page_json(const metrics::Exposition& page) {
  json families = json::array();
  for (const auto& merged : page.families) {
    json family{{"name", merged.head->name},
                {"type", word(merged.head->type)},
                {"help", merged.head->help},
                {"samples", json::array()}};
    for (const auto& part : merged.parts) append_samples(family["samples"], part);
    families.push_back(std::move(family));
  }
  return families.dump(2) + "\n";
}

std::string render(const metrics::Exposition& page, const std::string& format) {
  if (format == "json") return page_json(page);
  return metrics::encode(page, format == "openmetrics" ? metrics::Format::openmetrics : metrics::Format::text);
}

json problem_json(const Problem& problem) {
  return {{"place", problem.place}, {"severity", problem.is_error ? "error" : "warning"}, {"message", problem.message}};
}

}  // namespace

std::optional<Config> usable_config(const std::optional<std::string>& path) {
  auto parsed = load_config(path, process_environment());
  for (const auto& problem : parsed.problems) std::cerr << describe(problem) << '\n';
  if (parsed.has_errors()) return std::nullopt;
  return std::move(parsed.config);
}

int run(const std::optional<std::string>& config_path) {
  auto config = usable_config(config_path);
  if (!config) return exit_config;
  configure_log(config->log);
  asio::io_context loop{1};
  Agent agent(loop.get_executor(), std::move(*config), [&] { return load_config(config_path, process_environment()); });
  const auto stop = [&](Lifecycle& lifecycle) {
    lifecycle.stopping();
    asio::co_spawn(loop, stop_agent(agent, loop), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  };
  Lifecycle lifecycle(loop,
                      {[&] { stop(lifecycle); }, [&] { return agent.reload(); }, [&] { return agent.state_line(); }});
  if (const auto started = agent.start(); !started) {
    log::error("cannot start", {{"reason", word(started.error().code)}, {"error", started.error().message}});
    return exit_failed;
  }
  log::info("serving", {{"version", version()}, {"what", agent.summary()}});
  lifecycle.ready(agent.summary());
  loop.run();
  log::info("stopped");
  return exit_ok;
}

int check(const std::optional<std::string>& config_path, bool connects, bool as_json) {
  const auto parsed = load_config(config_path, process_environment());
  json report{{"problems", json::array()}, {"targets", json::array()}};
  for (const auto& problem : parsed.problems) {
    report["problems"].push_back(problem_json(problem));
    if (!as_json) std::cout << describe(problem) << '\n';
  }
  int code = parsed.has_errors() ? exit_config : exit_ok;
  if (code == exit_ok && connects) {
    log::configure(log::Level::error, log::Format::logfmt);
    asio::io_context loop{1};
    const auto scraper = make_target_scraper(loop.get_executor(), parsed.config);
    const auto collected = collect_targets(loop, *scraper, {}, parsed.config.scrape.timeout);
    for (const auto& target : collected.status) {
      auto entry = outcome_json(target);
      if (!as_json) std::cout << outcome_line(target) << '\n';
      if (const auto line =
              target.id.kind == "redis" ? acl_line(loop, parsed.config, target.id.target) : std::nullopt) {
        entry["acl"] = *line;
        if (!as_json) std::cout << "  a user with just the rights for this: " << *line << '\n';
      }
      if (target.id.kind == "postgres" && target.is_up)
        for (const auto& line : advice_on(loop, *scraper, target.id, parsed.config.scrape.timeout)) {
          entry["advice"].push_back(line);
          if (!as_json) std::cout << "  " << line << '\n';
        }
      report["targets"].push_back(std::move(entry));
    }
    if (!all_up(collected.status)) code = exit_failed;
  }
  if (as_json)
    std::cout << report.dump(2) << '\n';
  else if (code == exit_ok)
    std::cout << "configuration is good\n";
  return code;
}

int collect(const std::optional<std::string>& config_path, const CollectOptions& options) {
  const auto config = usable_config(config_path);
  if (!config) return exit_config;
  log::configure(log::Level::error, log::Format::logfmt);
  asio::io_context loop{1};
  const auto scraper = make_target_scraper(loop.get_executor(), *config);
  const scrape::Selection selection{{}, options.targets};
  if (const auto unknown = scraper->unknown_target(selection)) {
    std::cerr << "no target is called \"" << *unknown << "\"\n";
    return exit_usage;
  }
  const auto collected = collect_targets(loop, *scraper, selection, config->scrape.timeout);
  std::cout << (options.explains ? scraper->explain(selection) : render(*collected.page, options.format)) << std::flush;
  for (const auto& target : collected.status)
    if (options.shows_timing || !target.is_up) std::cerr << outcome_line(target) << '\n';
  return all_up(collected.status) ? exit_ok : exit_failed;
}

}  // namespace midst::app
