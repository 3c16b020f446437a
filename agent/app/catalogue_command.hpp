// `midst-agent metrics`: every metric there is with a fixed name, from the tables of the sources themselves.
#pragma once

#include <string>

namespace midst::app {

/// Prints the catalogue of all sources with every collector on. @param format  "md", as docs/metrics.md has it, or
/// "json". @return exit_ok.
int print_metrics(const std::string& format);

}  // namespace midst::app
