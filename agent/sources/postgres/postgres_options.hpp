// One [[postgres]] of the configuration, as the source takes it.
#pragma once

#include "agent/scrape/series_rules.hpp"
#include "agent/sources/postgres/custom/definition.hpp"
#include "agent/sources/postgres/server_limits.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/pq/connection.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

class StatementTexts;

/// Whose labels the page has. The names that only 0.11 has are always there, see docs/parity.md.
enum class Compat : std::uint8_t {
  none,   ///< postgres_exporter 0.20.
  v0_11,  ///< Debian 12's 0.11: a server label on every collector, pg_stat_activity by datname and state.
};

/// Which databases besides the connected one have their tables shown.
struct DatabaseChoice {
  std::vector<std::string> include{"*"};  ///< Globs of names; empty: the connected database alone.
  std::vector<std::string> exclude{
      "template0", "template1",     "rdsadmin",     "azure_maintenance",
      "azure_sys", "cloudsqladmin", "alloydbadmin", "alloydbmetadata"};  ///< Globs; stronger than include.
  std::size_t max_databases = 100;                                       ///< Visited ones; the first by name.
  std::size_t max_connections = 2;  ///< Beside the one to the connected database; held.
};

/// When and how often statements are asked.
struct Pace {
  std::chrono::milliseconds statement_timeout{2000};                  ///< Of each statement, on the server.
  std::chrono::milliseconds lock_timeout{100};                        ///< Of each statement, on the server.
  std::map<std::string, std::chrono::milliseconds, std::less<>> ttl;  ///< By collector, instead of its own.
  /// The share of time that one collector may keep the server busy: one that took t is not asked again before
  /// t / max_share. Zero: it is never slowed down.
  double max_share = 0.05;
  std::chrono::seconds refused_retry{300};          ///< After which a collector that was refused is tried again.
  std::chrono::milliseconds sample_interval{1000};  ///< Of the wait sampler; zero: it is off.
};

/// Everything about one Postgres target. Defaults here are the defaults of the configuration.
struct PostgresOptions {
  std::string name = "main";               ///< Target name, in logs and selections.
  pq::Conninfo conninfo;                   ///< Where and as whom; the connected database is the first one shown.
  pq::PasswordProvider password;           ///< Empty: the conninfo's own.
  metrics::OwnedLabels constant_labels;    ///< On every sample of this target.
  scrape::RuleOptions rules;               ///< Which of its series the page has; for the Scraper.
  std::map<std::string, bool> collectors;  ///< Overrides by collector name; see postgres_collectors().
  Pace pace;
  DatabaseChoice databases;
  Limits limits;
  std::vector<CustomDefinition> custom;
  Compat compat = Compat::none;
  std::chrono::seconds connection_lifetime{3600};  ///< Then a new one: the server's process keeps what it has cached.
  std::shared_ptr<ServerLimits> server_limits;     ///< Told after each scrape, where there is one.
  std::shared_ptr<StatementTexts> texts;           ///< Filled as ids appear on the page, where there is one.
};

/// @return the names `collectors` may have, in catalogue order.
[[nodiscard]] std::vector<std::string_view> postgres_collectors();

}  // namespace midst::sources
