// What this process costs, read from /proc; used by Metrics before each flush. Linux only.
#pragma once

#include "lib/base/error.hpp"

#include <cstdint>

namespace midst::api {

/// One reading of this process.
struct ProcessUsage {
  double cpu_user_seconds = 0, cpu_system_seconds = 0;  ///< Since the process started.
  double start_time_seconds = 0;                        ///< Unix time.
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_descriptors = 0, max_descriptors = 0;
};

/// @return a reading of /proc/self, or Errc::internal when it cannot be read. Blocks for some microseconds; called on
/// the push client's flush thread, never on the loop.
[[nodiscard]] Result<ProcessUsage> read_process_usage();

}  // namespace midst::api
