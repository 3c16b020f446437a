// The sampler's families: from its rows, big keys and counts to samples. Pure.
#pragma once

#include "agent/sources/redis/sampler/big_keys.hpp"
#include "agent/sources/redis/sampler/sampler_check.hpp"
#include "agent/sources/redis/sampler/sampler_cycle.hpp"
#include "lib/metrics/snapshot.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace midst::sources::redis_info {

/// How the sampler itself is doing.
struct SamplerStatus {
  double busy_seconds = 0, duty_ratio = 0;
  std::optional<double> cycle_seconds;      ///< Duration of the last complete cycle.
  std::optional<double> cycle_age_seconds;  ///< Since its end.
  std::array<std::uint64_t, pause_count> pauses{};
  std::map<Errc, std::uint64_t> errors;  ///< One entry per kind at most.
};

/// @return every family add_sampler() can add.
[[nodiscard]] std::vector<metrics::MetricSpec> sampler_specs();

void add_sampler(const SamplerCycle& cycle, const SamplerStatus& status, KeyNames names,
                 metrics::SnapshotBuilder& builder);

}  // namespace midst::sources::redis_info
