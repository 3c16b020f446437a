// [[postgres]] and [[pgbouncer]] of the configuration.
#include "agent/app/custom_queries.hpp"
#include "agent/app/draft.hpp"
#include "agent/app/section.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace midst::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t most_series = 1'000'000;

/// What [[postgres]] and [[pgbouncer]] have in common.
template <class Options>
void read_database_target(Section& section, Options& options, LabelMode& label) {
  read_name(section, options.name);
  read_label_mode(section, label);
  bool has_dsn = false;
  section.parse("dsn", [&](const std::string& text) -> Result<Done> {
    has_dsn = true;
    const auto parsed = pq::parse_conninfo(text);
    if (!parsed) return parsed.error();
    options.conninfo = *parsed;
    return Done{};
  });
  if (!has_dsn && !section.has("dsn"))
    section.report_at("dsn",
                      section.full("dsn") + " is missing; write it like \"host=/run/postgresql dbname=postgres\"");
  std::string username;
  section.read("username", username);
  if (!username.empty()) options.conninfo.set("user", username);
  if (const auto secret = read_secret(section); !secret.is_empty())
    options.password = [secret] { return secret.read(); };
}

void read_pace(Section& section, sources::Pace& pace) {
  section.read("statement_timeout", pace.statement_timeout, milliseconds(1), minutes(10));
  section.read("lock_timeout", pace.lock_timeout, milliseconds(1), minutes(10));
  section.read("max_share", pace.max_share, 0, 1);
  section.read("retry_refused_after", pace.refused_retry, seconds(1), std::chrono::hours(24));
  section.read("sample_interval", pace.sample_interval, milliseconds(0), minutes(1));
  if (pace.sample_interval.count() > 0 && pace.sample_interval < milliseconds(100))
    section.report_at("sample_interval", section.full("sample_interval") + " takes 100ms to 1m, or 0s for none");
}

void read_databases(Section& section, sources::DatabaseChoice& choice) {
  section.read("include", choice.include);
  section.read("exclude", choice.exclude);
  section.read("max_databases", choice.max_databases, 0, 10'000);
  section.read("max_connections", choice.max_connections, 0, 100);
}

void read_limits(Section& section, sources::Limits& limits) {
  section.read("tables", limits.tables, 0, most_series);
  section.read("indexes", limits.indexes, 0, most_series);
  section.read("statements", limits.statements, 0, most_series);
  section.read("waits", limits.waits, 1, most_series);
  section.read("hold", limits.hold, milliseconds(0), std::chrono::hours(24));
}

void read_switches(Section& section, const std::vector<std::string_view>& names,
                   std::map<std::string, bool>& switches) {
  for (const auto name : names) {
    if (!section.has(name)) continue;
    bool is_on = true;
    section.read(name, is_on);
    switches[std::string(name)] = is_on;
  }
}

void read_ttl(Section& section, const std::vector<std::string_view>& names,
              std::map<std::string, milliseconds, std::less<>>& ttls) {
  for (const auto name : names) {
    if (!section.has(name)) continue;
    milliseconds ttl{0};
    section.read(name, ttl, milliseconds(0), std::chrono::hours(24));
    ttls[std::string(name)] = ttl;
  }
}

std::vector<std::string_view> with_ttl() {
  auto names = sources::postgres_collectors();
  names.push_back("database_list");
  return names;
}

Result<Done> set_compat(sources::Compat& compat, const std::string& text) {
  if (text == "")
    compat = sources::Compat::none;
  else if (text == "0.11")
    compat = sources::Compat::v0_11;
  else
    return Error{Errc::config, fmt::format("unknown value \"{}\"; \"\" or \"0.11\"", text)};
  return Done{};
}

}  // namespace

void read_postgres(Section& section, Draft& draft) {
  sources::PostgresOptions options;
  LabelMode label = LabelMode::automatic;
  read_database_target(section, options, label);
  read_pace(section, options.pace);
  section.read("connection_lifetime", options.connection_lifetime, seconds(0), std::chrono::hours(24));
  section.parse("compat", [&](const std::string& text) { return set_compat(options.compat, text); });
  section.table("databases", [&](Section& databases) { read_databases(databases, options.databases); });
  section.table("limits", [&](Section& limits) { read_limits(limits, options.limits); });
  section.table("collectors", [&](Section& collectors) {
    read_switches(collectors, sources::postgres_collectors(), options.collectors);
  });
  section.table("ttl", [&](Section& ttl) { read_ttl(ttl, with_ttl(), options.pace.ttl); });
  if (const auto exact = options.collectors.find("table_sizes"); exact != options.collectors.end())
    options.limits.has_exact_sizes = exact->second;
  read_custom_queries(section, options.custom);
  for (auto& problem : check_custom_queries(options)) section.report(std::move(problem));
  draft.config.postgres.push_back(std::move(options));
  draft.postgres.push_back({label, section.fingerprint()});
}

void read_pgbouncer(Section& section, Draft& draft) {
  sources::PgbouncerOptions options;
  LabelMode label = LabelMode::automatic;
  read_database_target(section, options, label);
  section.read("retry_refused_after", options.refused_retry, seconds(1), std::chrono::hours(24));
  section.read("idle_pools", options.limits.has_idle_pools);
  section.read("max_pools", options.limits.pools, 0, most_series);
  section.read("max_users", options.limits.pool_users, 0, most_series);
  section.read("max_clients", options.limits.pool_clients, 0, most_series);
  section.read("hold", options.limits.hold, milliseconds(0), std::chrono::hours(24));
  section.read("pid_file", options.pid_file);
  section.read("postgres", options.postgres);
  section.read("postgres_databases", options.postgres_databases);
  const auto names = sources::pgbouncer_collectors();
  section.table("collectors", [&](Section& table) { read_switches(table, names, options.collectors); });
  section.table("ttl", [&](Section& table) { read_ttl(table, names, options.ttl); });
  options.is_postgres_named = !options.postgres.empty();
  draft.config.pgbouncer.push_back(std::move(options));
  draft.pgbouncer.push_back({label, section.fingerprint()});
}

void settle_postgres_of_pgbouncer(Draft& draft) {
  const auto& servers = draft.config.postgres;
  for (auto& console : draft.config.pgbouncer) {
    if (console.postgres.empty()) {
      if (servers.size() == 1) console.postgres = servers.front().name;
      continue;
    }
    const bool is_there = std::any_of(servers.begin(), servers.end(),
                                      [&](const auto& server) { return server.name == console.postgres; });
    if (!is_there)
      draft.problems.push_back(
          {"configuration",
           fmt::format("pgbouncer.postgres of \"{}\" names \"{}\"; there is no [[postgres]] of that name", console.name,
                       console.postgres),
           true});
  }
}

}  // namespace midst::app
