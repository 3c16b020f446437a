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

/// What is known of a target beside its options.
struct DraftTarget {
  LabelMode label = LabelMode::automatic;
  std::size_t fingerprint = 0;
};

/// What the tables of all files add up to, before the labels of the targets can be settled.
struct Draft {
  Config config;
  std::vector<Problem> problems;
  std::set<std::string> known_keys;                     ///< "redis.tls.ca_file": of the tables that were there.
  std::set<std::string, std::less<>> variables;         ///< Every name that a variable of ours may have.
  std::vector<GivenTable> given{1};                     ///< The first is of the root, which has no values.
  std::vector<DraftTarget> redis, postgres, pgbouncer;  ///< One for each target of config, same order.
};

/// @return a fingerprint that differs when either does.
[[nodiscard]] std::size_t mix(std::size_t fingerprint, std::size_t another) noexcept;
/// @return that of what a file holds; 0 when it cannot be read.
[[nodiscard]] std::size_t fingerprint_of_file(const std::string& path);

/// @return a login that reads the password anew at each connect.
[[nodiscard]] redis::LoginProvider login_with(std::string username, Secret password);

/// Adds the targets of the exporters' own variables, of kinds that the files name no target of.
void add_targets_of_exporters(const Environment& environment, Draft& draft);

/// Finds the Postgres target of each PgBouncer: the one that it names, or the only one there is.
void settle_postgres_of_pgbouncer(Draft& draft);

}  // namespace midst::app
