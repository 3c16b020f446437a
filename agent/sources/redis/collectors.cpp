#include "agent/sources/redis/collectors.hpp"

#include "agent/sources/redis/cluster.hpp"
#include "agent/sources/redis/latency.hpp"
#include "agent/sources/redis/settings.hpp"
#include "agent/sources/redis/slowlog.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/ranges.h>

#include <set>
#include <string>

namespace midst::sources {
namespace {

using namespace redis_info;
using Executor = asio::any_io_executor;
using Made = std::unique_ptr<Collector>;

/// Every collector there is. A new one is a file pair and a row here.
constexpr CollectorRow rows[] = {
    {"config", true,
     [](const Executor&, const RedisOptions& options) -> Made {
       return std::make_unique<SettingsCollector>(options.settings);
     }},
    {"latency", true, [](const Executor&, const RedisOptions&) -> Made { return make_latency_spikes(); }},
    {"histogram", true, [](const Executor&, const RedisOptions&) -> Made { return make_latency_histograms(); }},
    {"slowlog", true, [](const Executor&, const RedisOptions&) -> Made { return make_slowlog(); }},
    {"cluster", true, [](const Executor&, const RedisOptions&) -> Made { return make_cluster_info(); }},
};

bool is_on(const CollectorRow& row, const RedisOptions& options) {
  const auto chosen = options.collectors.find(row.name);
  return chosen == options.collectors.end() ? row.is_on_by_default : chosen->second;
}

}  // namespace

std::vector<Made> make_collectors(const Executor& executor, const RedisOptions& options) {
  std::vector<Made> collectors;
  for (const auto& row : rows)
    if (is_on(row, options)) collectors.push_back(row.make(executor, options));
  return collectors;
}

std::vector<std::pair<std::string_view, bool>> redis_collectors() {
  std::vector<std::pair<std::string_view, bool>> names;
  for (const auto& row : rows) names.emplace_back(row.name, row.is_on_by_default);
  return names;
}

std::string redis_acl_rules(const RedisOptions& options) {
  std::set<std::string> rules{"+info"};
  if (!options.connection.client_name.empty()) rules.insert("+client|setname");
  if (options.uri.database != 0) rules.insert("+select");
  if (options.has_ping) rules.insert("+ping");
  asio::io_context unused;  // collectors are only asked what they would need
  for (const auto& collector : make_collectors(unused.get_executor(), options))
    for (auto& rule : collector->rights()) rules.insert(std::move(rule));
  return fmt::format("{}", fmt::join(rules, " "));
}

}  // namespace midst::sources
