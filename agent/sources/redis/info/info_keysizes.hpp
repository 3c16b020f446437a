// INFO's Keysizes section (Redis 8) → histograms of how big the keys are. Pure. Used by info.cpp.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace midst::sources::redis_info {

/// One dbN_distrib_… line. The server counts keys by powers of two; a size from 2^k up to but without 2^(k+1) is at
/// most 2^(k+1) − 1, so the bounds here are exact: 0, 1, 3, 7 … 2^30 − 1, the same for every line. What is bigger is in
/// `count` alone.
struct KeySizes {
  static constexpr std::size_t bound_count = 31;

  std::string_view database;  ///< "db0".
  std::string_view type;      ///< "string", "list", "set", "zset", "hash", "stream"; another word as it is.
  bool is_items = false;      ///< Elements of a key; else its bytes.
  std::array<std::uint64_t, bound_count> cumulative{};
  std::uint64_t count = 0;
  double least_sum = 0;  ///< What all keys have at least; the server does not tell the sum, which is below twice that.
};

/// @param field  "db0_distrib_strings_sizes"; @param value  "1=19,2=655,1K=31,2M=1".
/// @return nothing when the field is of another form or a part of the value is.
[[nodiscard]] std::optional<KeySizes> parse_key_sizes(std::string_view field, std::string_view value) noexcept;

/// Adds one histogram.
void add_key_sizes(const KeySizes& sizes, metrics::SnapshotBuilder& builder);

/// @return the families of this part.
[[nodiscard]] std::span<const metrics::MetricSpec> keysizes_specs() noexcept;

}  // namespace midst::sources::redis_info
