// LATENCY LATEST and LATENCY HISTOGRAM → samples.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace midst::sources::redis_info {

/// Which commands have a histogram: 21 buckets each.
struct HistogramOptions {
  std::vector<std::string> commands;          ///< Globs of the wanted ones: "get", "config|*"; empty: all.
  std::vector<std::string> ignored_commands;  ///< Globs of those among them that are left out altogether.
  /// Histograms of their own, for the commands called most; the others are summed up as cmd="other", so that sums over
  /// all commands stay right. 1 … 10000.
  std::size_t max_commands = 2000;
};

/// LATENCY LATEST: last and longest spike of each event.
[[nodiscard]] Result<Done> add_latency_spikes(const redis::Reply& reply, metrics::SnapshotBuilder& builder);

/// LATENCY HISTOGRAM: every command gets every step of the server's ladder, counts carried forward, so that buckets
/// can be summed over commands; a bound outside the ladder is kept as well.
/// @param commands  what INFO of the same scrape told the same builder; the sums come from there.
/// @return Errc::protocol when a histogram has another shape; the others are added all the same.
[[nodiscard]] Result<Done> add_latency_histograms(const redis::Reply& reply, const Commands& commands,
                                                  const HistogramOptions& options, metrics::SnapshotBuilder& builder);

/// Collector "latency".
[[nodiscard]] std::unique_ptr<Collector> make_latency_spikes();
/// Collector "histogram".
[[nodiscard]] std::unique_ptr<Collector> make_latency_histograms(HistogramOptions options);

}  // namespace midst::sources::redis_info
