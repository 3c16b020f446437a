#include "agent/sources/redis/collectors.hpp"

#include "agent/sources/redis/commands/acl_log.hpp"
#include "agent/sources/redis/commands/all_settings.hpp"
#include "agent/sources/redis/commands/clients.hpp"
#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/cluster_nodes.hpp"
#include "agent/sources/redis/commands/commandlog.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/modules.hpp"
#include "agent/sources/redis/commands/rdb_size.hpp"
#include "agent/sources/redis/commands/search_indexes.hpp"
#include "agent/sources/redis/commands/sentinel.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slot_stats.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "agent/sources/redis/commands/tile38.hpp"
#include "agent/sources/redis/keys/key_groups.hpp"
#include "agent/sources/redis/keys/keys.hpp"
#include "agent/sources/redis/keys/scripts.hpp"
#include "agent/sources/redis/keys/streams.hpp"
#include "agent/sources/redis/sampler/sampler.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

namespace midst::sources {
namespace {

using namespace redis_info;
using Executor = asio::any_io_executor;
using Made = std::unique_ptr<Collector>;

bool is_on(std::string_view name, bool by_default, const RedisOptions& options) {
  const auto chosen = options.collectors.find(name);
  return chosen == options.collectors.end() ? by_default : chosen->second;
}

Made make_clients_of(const Executor&, const RedisOptions& options) {
  auto clients = options.clients;
  clients.has_groups = is_on("clients", true, options);
  clients.has_series = is_on("client_list", false, options);
  return clients.has_groups || clients.has_series ? make_clients(clients) : nullptr;
}

Made make_keys_of(const Executor&, const RedisOptions& options) {
  auto keys = options.keys;
  keys.database = options.uri.database;
  if (keys.check.empty() && keys.single.empty() && keys.count.empty()) return nullptr;
  return make_keys(std::move(keys));
}

Made make_streams_of(const Executor&, const RedisOptions& options) {
  auto streams = options.streams;
  streams.database = options.uri.database;
  if (streams.check.empty() && streams.single.empty()) return nullptr;
  return make_streams(std::move(streams));
}

Made make_key_groups_of(const Executor&, const RedisOptions& options) {
  auto groups = options.key_groups;
  groups.database = options.uri.database;
  return make_key_groups(std::move(groups));
}

Made make_scripts_of(const Executor&, const RedisOptions& options) {
  return options.scripts.scripts.empty() ? nullptr : make_scripts(options.scripts);
}

Made make_all_settings_of(const Executor&, const RedisOptions& options) {
  auto settings = options.all_settings;
  settings.config_command = options.settings.command;
  return make_all_settings(std::move(settings));
}

Made make_sampler_of(const Executor& executor, const RedisOptions& options) {
  auto sampler = options.sampler;
  sampler.is_enabled = true;
  return make_sampler(std::move(sampler), {executor, options.uri, options.connection, options.login});
}

/// Every collector there is. A new one is a file pair and a row here.
constexpr CollectorRow rows[] = {
    {"config", true,
     [](const Executor&, const RedisOptions& options) -> Made {
       return std::make_unique<SettingsCollector>(options.settings);
     }},
    {"latency", true, [](const Executor&, const RedisOptions&) -> Made { return make_latency_spikes(); }},
    {"histogram", true,
     [](const Executor&, const RedisOptions& options) -> Made { return make_latency_histograms(options.histogram); }},
    {"slowlog", true,
     [](const Executor&, const RedisOptions& options) -> Made { return make_slowlog(options.slowlog); }},
    {"clients", true, &make_clients_of},
    {"client_list", false, nullptr},  // the other half of "clients": one reply serves both
    {"commandlog", true,
     [](const Executor&, const RedisOptions& options) -> Made {
       return make_commandlog({options.settings.command, options.settings.interval});
     }},
    {"acl_log", false,
     [](const Executor&, const RedisOptions& options) -> Made { return make_acl_log(options.acl_log); }},
    {"sentinel", true,
     [](const Executor&, const RedisOptions& options) -> Made { return make_sentinel(options.sentinel); }},
    {"config_all", false, &make_all_settings_of},
    {"rdb_size", false,
     [](const Executor&, const RedisOptions& options) -> Made {
       return make_rdb_size({options.settings.command, options.settings.interval});
     }},
    {"modules", false, [](const Executor&, const RedisOptions&) -> Made { return make_modules(); }},
    {"search_indexes", false,
     [](const Executor&, const RedisOptions& options) -> Made { return make_search_indexes(options.search); }},
    {"tile38", false, [](const Executor&, const RedisOptions&) -> Made { return make_tile38(); }},
    {"keys", true, &make_keys_of},
    {"streams", true, &make_streams_of},
    {"key_groups", true, &make_key_groups_of},
    {"scripts", true, &make_scripts_of},
    {"sampler", false, &make_sampler_of},
    {"cluster", true, [](const Executor&, const RedisOptions&) -> Made { return make_cluster_info(); }},
    {"cluster_nodes", true,
     [](const Executor&, const RedisOptions& options) -> Made { return make_cluster_nodes(options.cluster_nodes); }},
    {"slot_stats", false,
     [](const Executor&, const RedisOptions& options) -> Made { return make_slot_stats(options.slot_stats); }},
};

/// @return whether the server has what the rule allows.
bool is_known(std::string_view rule, const ServerFacts& facts) {
  constexpr struct {
    std::string_view prefix;
    int since, since_valkey;  ///< 0: not there at all.
  } newer[] = {{"+latency|histogram", 70000, 70200},  {"+client|no-touch", 70200, 70200}, {"+commandlog", 0, 80100},
               {"+cluster|slot-stats", 80200, 80000}, {"+eval_ro", 70000, 70200},         {"+arcount", 80800, 0}};
  for (const auto& each : newer) {
    if (!rule.starts_with(each.prefix)) continue;
    const int since = facts.valkey_version > 0 ? each.since_valkey : each.since;
    return since > 0 && std::max(facts.version, facts.valkey_version) >= since;
  }
  return true;
}

}  // namespace

std::vector<Made> make_collectors(const Executor& executor, const RedisOptions& options) {
  std::vector<Made> collectors;
  for (const auto& row : rows) {
    const bool is_shared = row.make == &make_clients_of;  // it looks at its two switches itself
    if (row.make == nullptr || (!is_shared && !is_on(row.name, row.is_on_by_default, options))) continue;
    if (auto collector = row.make(executor, options)) collectors.push_back(std::move(collector));
  }
  return collectors;
}

std::vector<std::pair<std::string_view, bool>> redis_collectors() {
  std::vector<std::pair<std::string_view, bool>> names;
  for (const auto& row : rows) names.emplace_back(row.name, row.is_on_by_default);
  return names;
}

std::string redis_acl_rules(const RedisOptions& options, const ServerFacts& facts) {
  std::set<std::string> rules{"+info"};
  if (!options.connection.client_name.empty()) rules.insert("+client|setname");
  if (options.uri.database != 0) rules.insert("+select");
  if (options.has_ping) rules.insert("+ping");
  if (facts.is_sentinel) {
    for (const auto* command : {"masters", "ckquorum", "sentinels", "slaves", "config"})
      rules.insert(fmt::format("+sentinel|{}", command));
  } else {
    asio::io_context unused;  // collectors are only asked what they would need
    for (const auto& collector : make_collectors(unused.get_executor(), options))
      for (auto& rule : collector->rights())
        if (is_known(rule, facts)) rules.insert(rule == "%R~*" && facts.version < 70000 ? "~*" : std::move(rule));
  }
  // What the collectors of keys use where it exists; they name only what every server knows.
  for (const auto& [reason, rule] : {std::pair{"+type", "+client|no-touch"}, std::pair{"+type", "+arcount"}})
    if (rules.contains(reason) && is_known(rule, facts)) rules.insert(rule);
  return fmt::format("{}", fmt::join(rules, " "));
}

}  // namespace midst::sources
