// The manual pages and the completions of shells, made from the table of commands and the reference of settings.
#pragma once

#include "agent/app/reference.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace midst::app {

/// @param page  man1, man5, bash, zsh or fish. @return exit_ok.
int print_manual(const CLI::App& program, const std::string& page);

/// @return midst-agent(1) as groff's man macros have it.
[[nodiscard]] std::string command_page(const CLI::App& program);

/// @return midst-agent.toml(5).
[[nodiscard]] std::string settings_page(const std::vector<ReferenceTable>& tables);

/// @return completions; files are completed after options that take one.
[[nodiscard]] std::string bash_completion(const CLI::App& program);
[[nodiscard]] std::string zsh_completion(const CLI::App& program);
[[nodiscard]] std::string fish_completion(const CLI::App& program);

}  // namespace midst::app
