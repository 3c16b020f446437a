// Collector "scripts": numbers that the operator's own Lua scripts return.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {

/// One script, read from its file by whoever makes the collector.
struct Script {
  std::string filename;  ///< The label; as the operator wrote it.
  std::string text;
};

/// What is run at each scrape. Nothing is by default.
struct ScriptsOptions {
  std::vector<Script> scripts;
  bool is_read_only = false;              ///< EVAL_RO (Redis 7.0), which refuses scripts that write; else EVAL.
  std::size_t max_values = 1000;          ///< Of one script; the rest is in folded_series.
  std::chrono::milliseconds interval{0};  ///< From one run to the next; 0: at every scrape.
};

/// What one script answered.
struct ScriptValues {
  enum class Outcome : int { failed = 0, good = 1, empty = 2 };
  Outcome outcome = Outcome::failed;
  std::vector<std::pair<std::string, double>> values;  ///< Those that are numbers.
  std::size_t left_out = 0;
};

/// Reads names and numbers in turn, as strings or integers; a table without any, or none at all, is `empty`. A value
/// that is no number, a name without value, or an error reply makes it `failed`; the numbers there are count all the
/// same.
[[nodiscard]] ScriptValues read_script_values(const redis::Reply& reply, std::size_t max_values);

/// A script that fails costs its own values, and shows in redis_script_result; the target stays up.
[[nodiscard]] std::unique_ptr<Collector> make_scripts(ScriptsOptions options);

}  // namespace midst::sources::redis_info
