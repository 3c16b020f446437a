// Files that the configuration names, read whole and within a limit.
#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <string>

namespace midst::app {

/// @return the file's bytes; Errc::config when it cannot be read or has more than `most_bytes`.
[[nodiscard]] Result<std::string> read_file_text(const std::string& path, std::size_t most_bytes);

}  // namespace midst::app
