// [[redis]] of the configuration.
#include "agent/app/section.hpp"
#include "agent/sources/redis/commands/name_pattern.hpp"
#include "lib/base/text.hpp"

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using sources::RedisOptions;
namespace redis_info = sources::redis_info;

constexpr auto longest_interval = std::chrono::hours(24);

/// One word of a few. @param words  in the order of `values`.
template <class Value>
void read_choice(Section& section, std::string_view key, Value& out,
                 std::initializer_list<std::pair<std::string_view, Value>> choices) {
  section.parse(key, [&](const std::string& text) -> Result<Done> {
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) {
      words.push_back(word);
      if (text != word) continue;
      out = value;
      return Done{};
    }
    return Error{Errc::config, fmt::format("unknown value \"{}\"; one of {}", text, fmt::join(words, ", "))};
  });
}

void read_tls(Section& section, redis::TlsOptions& tls) {
  section.read("ca_file", tls.ca_file);
  section.read("cert_file", tls.cert_file);
  section.read("key_file", tls.key_file);
  section.read("server_name", tls.server_name);
  section.read("skip_verify", tls.skip_verify);
  if (tls.cert_file.empty() != tls.key_file.empty())
    section.report_at(tls.cert_file.empty() ? "key_file" : "cert_file",
                      fmt::format("{} and {} belong together; give both or none", section.full("cert_file"),
                                  section.full("key_file")));
}

/// Name and password, of which the one may stand in the URL and the other elsewhere.
void read_login(Section& section, const redis::Uri& uri, redis::LoginProvider& login) {
  std::string username = uri.username;
  section.read("username", username);
  const auto secret = read_secret(section);
  if (secret.is_empty() && username != uri.username)
    login = login_with(username, Secret(Secret::Kind::text, uri.password));
  else if (!secret.is_empty())
    login = login_with(username, secret);
}

void read_switches(Section& section, RedisOptions& options) {
  for (const auto& [name, is_on] : sources::redis_collectors()) {
    if (!section.has(name)) continue;
    bool wanted = is_on;
    section.read(name, wanted);
    options.collectors[std::string(name)] = wanted;
  }
}

void read_profile(Section& section, RedisOptions& options) {
  using sources::RedisProfile;
  read_choice<RedisProfile>(section, "profile", options.profile,
                            {{"full", RedisProfile::full}, {"vitals", RedisProfile::vitals}});
  section.parse("namespace", [&](const std::string& text) -> Result<Done> {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const bool is_name = text.find_first_not_of(allowed) == std::string::npos && !(text[0] >= '0' && text[0] <= '9');
    if (!is_name) return Error{Errc::config, "takes letters, digits and '_', and no digit first"};
    options.metric_namespace = text;
    return Done{};
  });
}

/// What is said once about the target itself.
void read_target(Section& section, RedisOptions& options) {
  section.read("client_name", options.connection.client_name);
  section.read("config_command", options.settings.command);
  section.read("config_interval", options.settings.interval, 1s, longest_interval);
  section.read("instance_role_label", options.has_instance_role);
  section.read("ping", options.has_ping);
  section.read("probe_interval", options.probe_interval, 0ms, longest_interval);
  section.read("retry_refused_after", options.retry_refused_after, 1s, longest_interval);
  section.read("empty_databases", options.has_zero_databases);
  read_profile(section, options);
  section.table("tls", [&](Section& tls) { read_tls(tls, options.connection.tls); });
  const bool wants_tls = options.connection.tls.has_files() || !options.connection.tls.server_name.empty();
  if (wants_tls && !options.uri.has_tls)
    section.report_at(
        "tls", section.full("tls") + " is for a URL with TLS; write rediss:// or valkeys:// in " + section.full("url"));
  section.table("collectors", [&](Section& switches) { read_switches(switches, options); });
  section.table("limits", [&](Section& limits) {
    limits.read_size("max_reply_bytes", options.connection.max_reply_bytes, 64 * 1024, 1024 * 1024 * 1024);
    limits.read("max_errors", options.max_error_labels, 1, 10'000);
    limits.read("max_labels", options.max_labels, 1, 100'000);
  });
}

void read_key_list(Section& section, std::string_view key, std::vector<redis_info::KeyArgument>& out) {
  section.parse_each(key, [&](const std::string& text) -> Result<Done> {
    const auto argument = redis_info::parse_key_argument(text);
    if (!argument) return argument.error();
    if (*argument) out.push_back(**argument);
    return Done{};
  });
}

/// When and where the collectors of keys work.
void read_pace(Section& section, redis_info::KeyPaceOptions& pace) {
  using redis_info::KeyRoles;
  read_choice<KeyRoles>(section, "role", pace.roles,
                        {{"any", KeyRoles::any}, {"master", KeyRoles::master}, {"replica", KeyRoles::replica}});
  section.read("interval", pace.interval, 0ms, longest_interval);
  section.read("time_per_scrape", pace.time_per_scrape, 1ms, 60s);
}

void read_keys(Section& section, redis_info::KeysOptions& keys) {
  read_key_list(section, "check", keys.check);
  read_key_list(section, "single", keys.single);
  read_key_list(section, "count", keys.count);
  section.read("batch_size", keys.batch_size, 1, 100'000);
  section.read("max_keys", keys.max_keys, 1, 1'000'000);
  section.read("values", keys.has_values);
  section.read_size("max_value_bytes", keys.max_value_bytes, 1, 64 * 1024);
  read_choice<bool>(section, "missing", keys.has_zero_for_missing, {{"zero", true}, {"omit", false}});
  read_pace(section, keys.pace);
}

void read_clients(Section& section, redis_info::ClientsOptions& clients) {
  section.read("interval", clients.interval, 0s, longest_interval);
  section.read("max_groups", clients.max_groups, 1, 1000);
  section.read("network_bits_ipv4", clients.network_bits_ipv4, 0, 32);
  section.read("network_bits_ipv6", clients.network_bits_ipv6, 0, 128);
  section.read("series_age", clients.series_age, 0s, longest_interval);
  section.read("port", clients.export_port);
  section.read("max_clients", clients.max_clients, 1, 100'000);
}

void read_sampler(Section& section, redis_info::SamplerOptions& sampler) {
  using redis_info::SamplerRole;
  section.read("databases", sampler.databases, 0, 1'000'000);
  read_choice<SamplerRole>(
      section, "role", sampler.role,
      {{"any", SamplerRole::any}, {"master", SamplerRole::master}, {"replica", SamplerRole::replica}});
  section.read("duty_cycle", sampler.duty_cycle, 0.0001, 0.5);
  section.read("interval", sampler.interval, 0ms, longest_interval);
  section.read("sample_ratio", sampler.sample_ratio, 0, 1);
  section.read("min_samples", sampler.min_samples, 0, 1'000'000);
  section.read("min_count", sampler.min_count, 1, 10'000);
  section.read("max_count", sampler.max_count, 1, 10'000);
  section.read("pause_rtt", sampler.pause_rtt, 1ms, 10s);
  section.read("pause", sampler.pause, 100ms, 10min);
  section.read("max_prefixes", sampler.max_prefixes, 1, 10'000);
  section.read("separators", sampler.separators);
  section.read("max_depth", sampler.max_depth, 1, 16);
  section.read("max_names", sampler.max_names, 1, 10'000);
  section.read("max_big_keys", sampler.max_big_keys, 0, 1000);
  section.read_size("big_key_min_size", sampler.big_key_min_bytes, 0, std::size_t{1} << 40);
  section.read("big_key_names", sampler.big_key_names);
}

void read_streams(Section& section, redis_info::StreamsOptions& streams) {
  read_key_list(section, "check", streams.check);
  read_key_list(section, "single", streams.single);
  section.read("batch_size", streams.batch_size, 1, 100'000);
  section.read("max_streams", streams.max_streams, 1, 100'000);
  section.read("max_groups", streams.max_groups, 1, 10'000);
  section.read("consumers", streams.has_consumers);
  section.read("max_consumers", streams.max_consumers, 1, 10'000);
  read_pace(section, streams.pace);
}

void read_key_groups(Section& section, redis_info::KeyGroupsOptions& groups) {
  section.parse_each("patterns", [&](const std::string& text) -> Result<Done> {
    auto pattern = redis_info::LuaPattern::parse(text);
    if (!pattern) return pattern.error();
    groups.patterns.push_back(std::move(*pattern));
    return Done{};
  });
  section.read("max_groups", groups.max_groups, 1, 10'000);
  section.read("max_kept_groups", groups.max_kept_groups, 1, 1'000'000);
  section.read("batch_size", groups.batch_size, 1, 10'000);
  read_pace(section, groups.pace);
}

void read_scripts(Section& section, redis_info::ScriptsOptions& scripts) {
  section.parse_each("files", [&](const std::string& path) -> Result<Done> {
    constexpr std::size_t largest_script_bytes = 1024 * 1024;
    std::ifstream file(path, std::ios::binary);
    std::string text(largest_script_bytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad() || (file.fail() && !file.eof())) return Error{Errc::config, "cannot read " + path};
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > largest_script_bytes) return Error{Errc::config, path + " is larger than 1 MiB"};
    scripts.scripts.push_back({path, std::move(text)});
    return Done{};
  });
  section.read("read_only", scripts.is_read_only);
  section.read("max_values", scripts.max_values, 1, 100'000);
  section.read("interval", scripts.interval, 0ms, longest_interval);
}

void read_all_settings(Section& section, redis_info::AllSettingsOptions& settings) {
  section.read("interval", settings.interval, 1s, longest_interval);
  section.read("redact", settings.redact);
  section.read("redacted_words", settings.redacted_words);
  section.read("max_settings", settings.max_settings, 1, 10'000);
  section.read("max_value_bytes", settings.max_value_bytes, 1, 10'000);
}

void read_search_indexes(Section& section, redis_info::SearchIndexesOptions& search) {
  section.parse("names", [&](const std::string& text) -> Result<Done> {
    if (auto pattern = redis_info::NamePattern::parse(text); !pattern) return pattern.error();
    search.names = text;
    return Done{};
  });
  section.read("interval", search.interval, 1s, longest_interval);
  section.read("max_indexes", search.max_indexes, 1, 1000);
}

/// [redis.follow]: the target is the master that Sentinels name.
void read_follow(Section& section, redis_info::SentinelFollowOptions& follow) {
  section.parse_each("sentinels", [&](const std::string& text) -> Result<Done> {
    const auto uri = redis_info::parse_sentinel_address(text);
    if (!uri) return uri.error();
    follow.sentinels.push_back(*uri);
    return Done{};
  });
  section.read("master", follow.master_name);
  if (follow.sentinels.empty())
    section.report_at("sentinels", section.full("sentinels") + " is missing; name at least one, like \"host:26379\"");
  read_login(section, {}, follow.login);
  section.table("tls", [&](Section& tls) { read_tls(tls, follow.connection.tls); });
}

/// The tables of the collectors that have settings of their own.
void read_collectors(Section& section, RedisOptions& options) {
  section.table("histogram", [&](Section& table) {
    table.read("commands", options.histogram.commands);
    table.read("ignored_commands", options.histogram.ignored_commands);
    table.read("max_commands", options.histogram.max_commands, 1, 10'000);
  });
  section.table("cluster_nodes", [&](Section& table) {
    table.read("interval", options.cluster_nodes.interval, 1s, longest_interval);
    table.read("max_nodes", options.cluster_nodes.max_nodes, 1, 10'000);
    table.read("hostnames", options.has_hostnames);
  });
  section.table("slot_stats", [&](Section& table) {
    table.read("interval", options.slot_stats.interval, 1s, longest_interval);
    table.read("max_slots", options.slot_stats.max_slots, 1, 1000);
  });
  section.table("slowlog", [&](Section& table) {
    table.read("entries", options.slowlog.entries, 1, 10'000);
    table.read("max_entries", options.slowlog.max_entries, 1, 10'000);
    table.read("max_commands", options.slowlog.max_commands, 1, 10'000);
  });
  section.table("acl_log", [&](Section& table) {
    table.read("entries", options.acl_log.entries, 1, 10'000);
    table.read("max_users", options.acl_log.max_users, 1, 10'000);
    table.read("interval", options.acl_log.interval, 1s, longest_interval);
  });
  section.table("sentinel", [&](Section& table) {
    table.read("peer_info", options.sentinel.has_peer_info);
    table.read("config", options.sentinel.has_config);
    table.read("config_interval", options.sentinel.config_interval, 1s, longest_interval);
    table.read("max_masters", options.sentinel.max_masters, 1, 10'000);
    table.read("max_peers", options.sentinel.max_peers, 1, 100'000);
  });
  section.table("clients", [&](Section& table) { read_clients(table, options.clients); });
  section.table("follow", [&](Section& follow) { read_follow(follow, options.follow); });
  section.table("config_all", [&](Section& table) { read_all_settings(table, options.all_settings); });
  section.table("search_indexes", [&](Section& table) { read_search_indexes(table, options.search); });
  section.table("streams", [&](Section& table) { read_streams(table, options.streams); });
  section.table("key_groups", [&](Section& table) { read_key_groups(table, options.key_groups); });
  section.table("scripts", [&](Section& table) { read_scripts(table, options.scripts); });
  section.table("keys", [&](Section& table) { read_keys(table, options.keys); });
  section.table("sampler", [&](Section& table) { read_sampler(table, options.sampler); });
  section.table("info", [&](Section& table) {
    table.read("extra_fields", options.extra_fields);
    table.read("max_extra_fields", options.max_extra_fields, 1, 10'000);
    table.read("max_key_sizes", options.max_key_sizes, 0, 10'000);
  });
}

}  // namespace

void read_redis(Section& section, Draft& draft) {
  RedisOptions options;
  LabelMode label = LabelMode::automatic;
  read_name(section, options.name);
  read_label_mode(section, label);
  section.parse("url", [&](const std::string& text) -> Result<Done> {
    const auto uri = redis::parse_uri(text);
    if (!uri) return uri.error();
    options.uri = *uri;
    return Done{};
  });
  read_login(section, options.uri, options.login);
  read_target(section, options);
  read_collectors(section, options);
  draft.config.redis.push_back(std::move(options));
  draft.redis.push_back({label, section.fingerprint()});
}

}  // namespace midst::app
