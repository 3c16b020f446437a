// Which server versions something of an operator's is for: a set of ranges of server_version_num, and the texts that
// say it. Pure.
#pragma once

#include "lib/base/error.hpp"

#include <limits>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Versions as server_version_num has them: 150002 is 15.2, 90605 is 9.6.5.
struct VersionRange {
  int from = 0;                                  ///< Inclusive.
  int before = std::numeric_limits<int>::max();  ///< Exclusive.

  bool operator==(const VersionRange&) const = default;
};

/// Ascending ranges that neither touch nor overlap; empty: no version.
using VersionRanges = std::vector<VersionRange>;

/// @return what both have in common.
[[nodiscard]] VersionRanges intersection(const VersionRanges& left, const VersionRanges& right);

/// @return whether a version is in one of the ranges.
[[nodiscard]] bool contains(const VersionRanges& ranges, int version) noexcept;

/// @return "14", "9.6" or "16.2" as a range of all versions that begin so.
[[nodiscard]] Result<VersionRange> parse_version(std::string_view text);

/// @return the versions of a range in the notation of semantic versions, as queries files of postgres_exporter have it:
/// ">=9.4.0 <12.0.0", "10.x || >=14.0.0", "!=13.1.0". 14.5.0 is PostgreSQL 14.5.
[[nodiscard]] Result<VersionRanges> parse_semantic_range(std::string_view text);

}  // namespace midst::sources
