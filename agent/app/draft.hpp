// A configuration on its way from files and variables to a Config; shared by config.cpp and environment.cpp only.
#pragma once

#include "agent/app/config.hpp"
#include "agent/app/secret.hpp"

#include <set>
#include <string>
#include <vector>

namespace midst::app {

/// When a target's series carry target="NAME": when there is a second one of its kind, always, or never.
enum class LabelMode { automatic, always, never };

/// What the tables of all files add up to, before the labels of the targets can be settled.
struct Draft {
  Config config;
  std::vector<Problem> problems;
  std::set<std::string> known_keys;  ///< "redis.tls.ca_file": of the tables that were there.
  std::vector<LabelMode> redis_labels, postgres_labels, pgbouncer_labels;  ///< One for each target, same order.
};

/// Sets log.level or log.format from its text; Errc::config names the words it takes.
[[nodiscard]] Result<Done> set_level(LogConfig& log_config, const std::string& text);
[[nodiscard]] Result<Done> set_format(LogConfig& log_config, const std::string& text);

/// @return a login that reads the password anew at each connect.
[[nodiscard]] redis::LoginProvider login_with(std::string username, Secret password);

/// Lets the variables speak: MIDST_AGENT_* over scalars, the exporters' own when the files name no such target.
void apply_environment(const Environment& environment, Draft& draft);

/// Finds the Postgres target of each PgBouncer: the one that it names, or the only one there is.
void settle_postgres_of_pgbouncer(Draft& draft);

}  // namespace midst::app
