// Which families the "vitals" profile of a Redis target keeps: what one looks at first, and what alerts need.
// Used by redis_source.cpp when it shapes the page.
#pragma once

#include <span>
#include <string_view>

namespace midst::sources::redis_info {

/// @return whether the family (its name with the prefix "redis_") stays on the page of a target with this profile.
[[nodiscard]] bool is_vital(std::string_view family) noexcept;

/// @return the names, sorted.
[[nodiscard]] std::span<const std::string_view> vital_families() noexcept;

}  // namespace midst::sources::redis_info
