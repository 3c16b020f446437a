// SLOWLOG LEN and SLOWLOG GET → samples: its length and newest entry, and counters of all entries by command.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace midst::sources::redis_info {

/// How the slow log is read.
struct SlowlogOptions {
  std::size_t entries = 10;        ///< Entries asked for at each scrape. 1 … max_entries.
  std::size_t max_entries = 128;   ///< Asked for when more than `entries` are new. 1 … 10000.
  std::size_t max_commands = 200;  ///< Commands with counters of their own; the rest is "other". 1 … 10000.
};

/// One entry; of its arguments nothing is kept but what names the command.
struct SlowlogEntry {
  std::int64_t id = 0;
  double unix_seconds = 0, microseconds = 0;
  std::string command, subcommand;  ///< The first two words in lower case, at most 64 bytes each.
};

/// @return the entries of SLOWLOG GET, newest first; its error, or Errc::protocol for another shape.
[[nodiscard]] Result<std::vector<SlowlogEntry>> read_slowlog(const redis::Reply& reply);

/// SLOWLOG LEN and SLOWLOG GET: length, and number and duration of the newest entry. Each of the two adds what it can;
/// an error of either is returned.
[[nodiscard]] Result<Done> add_slowlog(const redis::Reply& length, const redis::Reply& newest,
                                       metrics::SnapshotBuilder& builder);

/// Collector "slowlog".
[[nodiscard]] std::unique_ptr<Collector> make_slowlog(SlowlogOptions options);

}  // namespace midst::sources::redis_info
