#include "agent/app/catalogue_command.hpp"

#include "agent/app/agent.hpp"
#include "agent/app/commands.hpp"
#include "agent/app/push_side.hpp"
#include "agent/app/self_metrics.hpp"
#include "lib/base/text.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace midst::app {
namespace {

using scrape::KnownMetric;

/// The kinds in the order of the document, and what it says of each.
struct Chapter {
  std::string_view kind, title, note;
};
constexpr Chapter chapters[] = {
    {"redis", "Redis",
     "Names begin with the target's `namespace`, `redis` where it is not set. Fields of INFO without a metric of their "
     "own are `redis_info_field` where `extra_fields` names them."},
    {"postgres", "Postgres",
     "Each number or boolean of `pg_settings` is a metric `pg_settings_NAME`, in seconds or bytes where the setting "
     "has "
     "such a unit. Metrics of custom queries are named by [their tables](custom_queries.md)."},
    {"pgbouncer", "PgBouncer", ""},
    {"host", "Host", "Each field of `/proc/meminfo` is a metric `node_memory_FIELD_bytes`."},
    {"push", "Pushed metrics", "What clients push is named by them; these tell of the pushing itself."},
    {"agent", "The agent", ""},
};

Config with_everything() {
  Config config;
  auto& redis = config.redis.emplace_back();
  for (const auto& [name, is_on] : sources::redis_collectors()) redis.collectors[std::string(name)] = true;
  redis.sentinel.has_peer_info = true;
  redis.sentinel.has_config = true;
  // These collectors are there when they have something to look at.
  redis.keys.check.emplace_back();
  redis.streams.check.emplace_back();
  redis.scripts.scripts.emplace_back();
  config.postgres.emplace_back();
  for (const auto name : sources::postgres_collectors()) config.postgres.front().collectors[std::string(name)] = true;
  config.pgbouncer.emplace_back();
  for (const auto name : sources::pgbouncer_collectors()) config.pgbouncer.front().collectors[std::string(name)] = true;
  config.pgbouncer.front().pid_file = "/run/pgbouncer.pid";
  config.host.is_enabled = true;
  return config;
}

/// Each family once: several sources may name one.
std::vector<KnownMetric> distinct(std::vector<KnownMetric> metrics) {
  std::set<std::pair<std::string, std::string_view>> seen;
  std::erase_if(metrics,
                [&](const KnownMetric& metric) { return !seen.emplace(metric.kind, metric.spec.name).second; });
  return metrics;
}

/// Labels that are there for every target are in the head of the document, not at each metric.
std::string labels_text(std::string_view labels) {
  if (labels == "*") return "depend on the target";
  std::string text;
  for (auto label : text::split(labels, ',')) {
    const bool is_optional = label.ends_with('?');
    if (is_optional) label.remove_suffix(1);
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", label, is_optional ? " (sometimes)" : "");
  }
  return text;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

void print_markdown(const std::vector<KnownMetric>& metrics) {
  std::cout
      << "# Metrics\n\n"
         "Every metric with a fixed name, as `midst-agent metrics` prints them. Where there are several targets of a "
         "kind, "
         "or `label = \"always\"`, all series of\na target carry `target` as well; `le` and `quantile` are not listed. "
         "A label that only some versions or settings have is marked \"sometimes\".\n";
  for (const auto& chapter : chapters) {
    std::cout << fmt::format(
        "\n## {}\n\n{}{}| metric | type | unit | labels | what it tells |\n|---|---|---|---|---|\n", chapter.title,
        chapter.note, chapter.note.empty() ? "" : "\n\n");
    for (const auto& [kind, spec] : metrics)
      if (kind == chapter.kind)
        std::cout << fmt::format("| `{}` | {} | {} | {} | {} |\n", spec.name, word(spec.type), spec.unit,
                                 labels_text(spec.labels), cell(spec.help));
  }
}

void print_json(const std::vector<KnownMetric>& metrics) {
  auto all = nlohmann::json::array();
  for (const auto& [kind, spec] : metrics) {
    auto labels = nlohmann::json::array(), sometimes = nlohmann::json::array();
    for (auto label : text::split(spec.labels, ','))
      if (label.ends_with('?'))
        sometimes.push_back(label.substr(0, label.size() - 1));
      else
        labels.push_back(label);
    all.push_back({{"name", spec.name},
                   {"type", word(spec.type)},
                   {"unit", spec.unit},
                   {"source", kind},
                   {"labels", std::move(labels)},
                   {"optional_labels", std::move(sometimes)},
                   {"help", spec.help}});
  }
  std::cout << all.dump(2) << '\n';
}

}  // namespace

int print_metrics(const std::string& format) {
  boost::asio::io_context loop{1};
  const auto config = with_everything();
  const auto scraper = make_target_scraper(loop.get_executor(), config);
  const PushSide push(loop.get_executor(), config.ingest, *scraper);
  scraper->add(std::make_unique<SelfMetrics>([] { return SelfFacts(); }));
  const auto metrics = distinct(scraper->specs());
  if (format == "json")
    print_json(metrics);
  else
    print_markdown(metrics);
  std::cout << std::flush;
  return exit_ok;
}

}  // namespace midst::app
