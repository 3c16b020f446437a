// midst-agent push clients|dump|top: what a running daemon has been pushed.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace midst::app {

/// Each asks the daemon over the control socket of the configuration.
/// @return exit_ok, or exit_no_daemon with a sentence on standard error.

/// The clients as a table, or as the daemon's JSON.
int push_clients(const std::optional<std::string>& config_path, bool as_json);

/// Every pushed series and midst_push_* metric as a text page.
int push_dump(const std::optional<std::string>& config_path);

/// The series that grow fastest, over one interval after another.
/// @param rounds  tables printed; 0: until interrupted.
int push_top(const std::optional<std::string>& config_path, std::chrono::milliseconds interval, unsigned rounds);

}  // namespace midst::app
