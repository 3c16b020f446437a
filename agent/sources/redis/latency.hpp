// LATENCY LATEST and LATENCY HISTOGRAM → samples.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <memory>

namespace midst::sources::redis_info {

/// LATENCY LATEST: last and longest spike of each event.
[[nodiscard]] Result<Done> add_latency_spikes(const redis::Reply& reply, metrics::SnapshotBuilder& builder);

/// LATENCY HISTOGRAM: every command gets every step of the server's ladder, counts carried forward, so that buckets
/// can be summed over commands; a bound outside the ladder is kept as well.
/// @param commands  what INFO of the same scrape told the same builder; the sums come from there.
[[nodiscard]] Result<Done> add_latency_histograms(const redis::Reply& reply, const Commands& commands,
                                                  metrics::SnapshotBuilder& builder);

/// Collector "latency".
[[nodiscard]] std::unique_ptr<Collector> make_latency_spikes();
/// Collector "histogram".
[[nodiscard]] std::unique_ptr<Collector> make_latency_histograms();

}  // namespace midst::sources::redis_info
