#include "agent/app/file_text.hpp"

#include <fmt/core.h>

#include <fstream>

namespace midst::app {

Result<std::string> read_file_text(const std::string& path, std::size_t most_bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(most_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof())) return Error{Errc::config, "cannot read " + path};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most_bytes)
    return Error{Errc::config, fmt::format("{} is larger than {} KiB", path, most_bytes / 1024)};
  return text;
}

}  // namespace midst::app
