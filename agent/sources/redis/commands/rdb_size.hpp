// The size of the server's dump file, looked up in the file system: for servers on the agent's own machine.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace midst::sources::redis_info {

struct RdbSizeOptions {
  std::string config_command = "CONFIG";     ///< Its name where it was renamed.
  std::chrono::seconds config_interval{60};  ///< Where the file lies is not asked again within this time.
};

/// @param directory  of the server's setting "dir"; must be absolute.
/// @param file_name  of its setting "dbfilename"; a name that leads out of the directory is not followed.
/// @return the size of the file in bytes, 0 when there is none; nothing when the name is unsafe, it is no regular
/// file, or the agent may not look.
[[nodiscard]] std::optional<double> rdb_file_size(std::string_view directory, std::string_view file_name);

/// Collector "rdb_size".
[[nodiscard]] std::unique_ptr<Collector> make_rdb_size(RdbSizeOptions options);

}  // namespace midst::sources::redis_info
