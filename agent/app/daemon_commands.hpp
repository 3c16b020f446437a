// The subcommands that look after a running daemon: status, health, reload.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace midst::app {

/// How it goes, as a table or as the daemon's JSON (docs/status.schema.json).
/// @param wait  asks again for as long, until everything is healthy.
/// @return exit_ok when the daemon is ready, every target that was collected is up and the last reload succeeded, else
/// exit_failed; exit_no_daemon.
int status(const std::optional<std::string>& config_path, bool as_json, std::chrono::seconds wait);

/// @return a status document for people. Pure; exposed for tests.
[[nodiscard]] std::string status_text(std::string_view document);

/// For HEALTHCHECK and probes: whether the daemon answers and is ready. That a target is down does not count, as a new
/// start of the agent would not mend it.
/// @return exit_ok, exit_failed or exit_no_daemon.
int health(const std::optional<std::string>& config_path);

/// Has the daemon read its configuration anew, and prints what has changed, or why nothing has.
/// @return exit_ok, exit_failed or exit_no_daemon.
int reload(const std::optional<std::string>& config_path);

}  // namespace midst::app
