// Replies of SLOWLOG, LATENCY, CONFIG and CLUSTER INFO → samples. Pure. Used by redis_source.cpp.
#pragma once

#include "agent/sources/redis/info.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/redis/reply.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {

/// Settings that CONFIG GET answered, in its order.
struct Settings {
  std::vector<std::pair<std::string, std::string>> pairs;
  /// @return the value of a setting, or empty.
  [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
};

/// The settings that the agent asks for.
[[nodiscard]] std::span<const std::string_view> wanted_settings() noexcept;

/// Appends the pairs of one CONFIG GET reply.
/// @return the server's error, or Errc::protocol when the reply has another shape.
[[nodiscard]] Result<Done> read_settings(const redis::Reply& reply, Settings& settings);
void add_settings(const Settings& settings, metrics::SnapshotBuilder& builder);

/// SLOWLOG LEN and SLOWLOG GET 1. Each of the two adds what it can; an error of either is returned.
[[nodiscard]] Result<Done> add_slowlog(const redis::Reply& length, const redis::Reply& newest,
                                       metrics::SnapshotBuilder& builder);

/// LATENCY LATEST: last and longest spike of each event.
[[nodiscard]] Result<Done> add_latency_spikes(const redis::Reply& reply, metrics::SnapshotBuilder& builder);

/// LATENCY HISTOGRAM: every command gets every step of the server's ladder, counts carried forward, so that buckets
/// can be summed over commands; a bound outside the ladder is kept as well.
/// @param commands  what INFO of the same pipeline told the same builder; the sums come from there.
[[nodiscard]] Result<Done> add_latency_histograms(const redis::Reply& reply, const Commands& commands,
                                                  metrics::SnapshotBuilder& builder);

/// CLUSTER INFO: each cluster_ line becomes a gauge.
[[nodiscard]] Result<Done> add_cluster_info(const redis::Reply& reply, metrics::SnapshotBuilder& builder);
/// One cluster_ field of CLUSTER INFO or INFO; nothing is added when it is no number.
void add_cluster_field(std::string_view field, std::string_view value, metrics::SnapshotBuilder& builder);

}  // namespace midst::sources::redis_info
