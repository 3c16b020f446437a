// What this process costs, read from /proc (Linux): for the process_* families of the agent and those of the API.
#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace midst {

/// One reading of this process.
struct ProcessUsage {
  double cpu_user_seconds = 0, cpu_system_seconds = 0;  ///< Since the process started.
  double start_time_seconds = 0;                        ///< Unix time.
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_descriptors = 0, max_descriptors = 0;
  std::uint64_t threads = 0;
};

/// @return a reading of /proc/self, or Errc::internal when it cannot be read. Takes
/// some tens of microseconds.
[[nodiscard]] Result<ProcessUsage> read_process_usage();

}  // namespace midst
