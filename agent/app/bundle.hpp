// `midst-agent bundle`: what somebody who helps from afar would ask for, in one archive and without secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::app {

/// Writes FILE.tgz: version, configuration in force, its problems, status, push clients, two pages of metrics, the last
/// lines of the log, the unit's properties. What cannot be had (no daemon, no systemd) is told in its place.
/// @return exit_ok, or exit_failed when the file cannot be written; it is readable for its owner alone.
int bundle(const std::optional<std::string>& config_path, const std::string& file);

/// @return an uncompressed ustar archive (POSIX.1-1988) of regular files. Names have at most 99 bytes. Pure.
[[nodiscard]] std::string tar(const std::vector<std::pair<std::string, std::string>>& files, std::int64_t unix_time);

}  // namespace midst::app
