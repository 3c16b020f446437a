// `midst-agent config example` and `config effective`.
#pragma once

#include "agent/app/config.hpp"

#include <optional>
#include <string>

namespace midst::app {

/// The shipped file. @return exit_ok.
int config_example();

/// What is in force: files, variables and defaults together, secrets as "(secret)".
/// @return exit_ok, or exit_config with the problems on standard error.
int config_effective(const std::optional<std::string>& config_path);

/// @return the same as TOML. Pure.
[[nodiscard]] std::string effective_text(const Config& config);

}  // namespace midst::app
