// COMMANDLOG LEN and its settings → samples: Valkey's successor of the slow log, since 8.1.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace midst::sources::redis_info {

struct CommandlogOptions {
  std::string config_command = "CONFIG";     ///< Its name where it was renamed; empty: thresholds are not asked for.
  std::chrono::seconds config_interval{60};  ///< Thresholds younger than this are not asked for again.
};

/// Collector "commandlog". Asks nothing of servers that are no Valkey or older than 8.1.
[[nodiscard]] std::unique_ptr<Collector> make_commandlog(CommandlogOptions options);

}  // namespace midst::sources::redis_info
