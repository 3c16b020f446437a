// CLUSTER SLOT-STATS → the busiest hash slots of a cluster node. Redis 8.2 and Valkey 8.0 know it.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace midst::sources::redis_info {

/// How many slots are shown, and how often they are looked for.
struct SlotStatsOptions {
  std::size_t max_slots = 10;  ///< The first ones by keys, CPU time, bytes in, bytes out and memory each. 1 … 1000.
  std::chrono::seconds interval{60};  ///< How old the numbers may be; the server sorts its slots for each order.
};

/// Collector "slot_stats"; silent where there is no cluster or the server is too old. All but the
/// keys need the server's setting cluster-slot-stats-enabled; without it they are looked for again after an hour.
[[nodiscard]] std::unique_ptr<Collector> make_slot_stats(SlotStatsOptions options);

}  // namespace midst::sources::redis_info
