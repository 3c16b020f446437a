// One [[pgbouncer]] of the configuration, as the source takes it.
#pragma once

#include "agent/scrape/series_rules.hpp"
#include "agent/sources/postgres/server_limits.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/pq/connection.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Everything about one console. Defaults here are the defaults of the configuration.
struct PgbouncerOptions {
  std::string name = "main";  ///< Target name, in logs and selections.
  pq::Conninfo conninfo;      ///< dbname is "pgbouncer" unless given; the user is one of stats_users or admin_users.
  pq::PasswordProvider password;           ///< Empty: the conninfo's own.
  metrics::OwnedLabels constant_labels;    ///< On every sample of this target.
  scrape::RuleOptions rules;               ///< Which of its series the page has; for the Scraper.
  std::map<std::string, bool> collectors;  ///< Overrides by collector name; see pgbouncer_collectors().
  std::map<std::string, std::chrono::milliseconds, std::less<>> ttl;  ///< By collector, instead of its own.
  Limits limits;                                                      ///< Those of pools, users and clients.
  std::chrono::seconds refused_retry{300};  ///< After which a command that was refused is asked again.
  std::string pid_file;                     ///< PgBouncer's own; empty: nothing is told of its process.
  /// The Postgres target that its databases are on: its limits are compared with what the pools take and may take.
  /// Empty: none.
  std::string postgres;
  bool is_postgres_named = false;  ///< The configuration names it; otherwise it is merely the only one.
  std::vector<std::string> postgres_databases{"*"};  ///< Globs of PgBouncer's databases that are on that server.
  std::shared_ptr<const ServerLimits> server_limits;
};

/// @return the names `collectors` may have, in the order in which they are asked.
[[nodiscard]] std::vector<std::string_view> pgbouncer_collectors();

}  // namespace midst::sources
