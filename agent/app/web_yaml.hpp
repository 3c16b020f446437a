// web.yml of Prometheus' exporter-toolkit (--web.config.file), taken as it is: TLS, users and headers of the web side.
#pragma once

#include "agent/app/config.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace midst::app {

/// Bytes that such a file may have.
inline constexpr std::size_t max_web_yaml_bytes = 1024 * 1024;

/// Reads such a file over what `web` has. File names in it are relative to its folder.
/// @param file_name  its path, and what places are called.
/// @return what is wrong, each with its place.
[[nodiscard]] std::vector<Problem> parse_web_yaml(std::string_view yaml, std::string_view file_name, WebConfig& web);

}  // namespace midst::app
