// The subcommands of midst-agent, each from parsed options to an exit code.
#pragma once

#include "agent/app/config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace midst::app {

/// Exit codes, as sysexits(3) has them where it has one.
enum ExitCode { exit_ok = 0, exit_failed = 1, exit_usage = 64, exit_no_daemon = 69, exit_config = 78 };

/// Loads the configuration and prints its problems to standard error. @return nothing when it cannot be used.
[[nodiscard]] std::optional<Config> usable_config(const std::optional<std::string>& path);

/// Serves until SIGTERM or SIGINT. @return exit_ok, exit_config, or exit_failed when a listener cannot be opened.
int run(const std::optional<std::string>& config_path);

/// Reports every problem of the configuration; with `connects` also tries every target.
/// @return exit_ok, exit_config, or exit_failed when a target cannot be collected.
int check(const std::optional<std::string>& config_path, bool connects, bool as_json);

struct CollectOptions {
  std::vector<std::string> targets;  ///< Names; empty: all.
  std::string format = "text";       ///< text, openmetrics or json.
  bool shows_timing = false;         ///< A table of durations on standard error.
  bool explains = false;             ///< What was asked, instead of the page.
};

/// One collection to standard output, without a daemon. @return exit_failed when a target failed.
int collect(const std::optional<std::string>& config_path, const CollectOptions& options);

}  // namespace midst::app
