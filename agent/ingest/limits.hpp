// The bounds of pushed data. Each refusal is counted with a reason, see counters.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace midst::ingest {

/// What the Store holds at most. Defaults are those of [ingest] in the configuration.
struct StoreLimits {
  std::size_t max_series = 200'000;            ///< Of all clients together.
  std::size_t max_series_per_client = 10'000;  ///< What one client may define; more goes to overflow series.
  std::size_t max_series_per_family = 10'000;  ///< More goes to the family's overflow series.
  std::size_t max_bytes = 128 * 1024 * 1024;   ///< Label text and buckets of all series; more goes to overflow series.
  std::size_t max_exemplars = 20'000;          ///< Kept, one for each counter or bucket at most; 48 bytes each.
  std::size_t max_families = 4096;             ///< Of all clients together.
  std::size_t max_families_per_client = 1024;
  std::size_t max_instances = 4096;  ///< Remembered, connected or not; the longest gone is forgotten first.
  /// Last values remembered of all instances, 8 … 32 bytes each. Of the gone ones the longest gone are forgotten first.
  std::size_t max_client_values = 2'000'000;
  std::chrono::seconds grace{60};  ///< How long a client that lost its connection counts as alive.
  /// Names that begin like this belong to the agent's own sources; a client that pushes one is refused …
  std::vector<std::string> reserved_prefixes{"redis_", "pg_", "pgbouncer_", "midst_", "process_"};
  /// … unless it begins like one of these: what an instrumented API says of its own Redis calls.
  std::vector<std::string> unreserved_prefixes{"redis_operation_", "redis_operations_"};
};

}  // namespace midst::ingest
