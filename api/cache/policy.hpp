// Keys, lifetimes and what a write makes stale: the whole caching policy in one place. Pure.
#pragma once

#include "api/cache/cache.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace midst::api::policy {

/// Every key begins with it, so that the API can share a Redis database with others.
inline constexpr std::string_view key_namespace = "midst:";

inline constexpr std::chrono::seconds profile_ttl{600};
/// Short, because a page also shows rows that other instances create while Redis is away.
inline constexpr std::chrono::seconds profile_page_ttl{60};

/// A value above this costs more to move than to make again.
inline constexpr std::size_t max_value_bytes = 1024 * 1024;

/// The largest share of a lifetime that jitter takes away.
inline constexpr double jitter_share = 0.1;

/// @param id  a UUID in lower case.
[[nodiscard]] inline std::string profile_key(std::string_view id) {
  return fmt::format("{}profile:{}", key_namespace, id);
}

[[nodiscard]] inline std::string profile_page_prefix() {
  return fmt::format("{}profiles:page:", key_namespace);
}

[[nodiscard]] inline std::string profile_page_key(std::uint64_t offset, std::uint64_t limit) {
  return fmt::format("{}{}:{}", profile_page_prefix(), offset, limit);
}

/// @return what is stale once the profile `id` was created or changed.
[[nodiscard]] inline Invalidation profile_written(std::string_view id) {
  return {{profile_key(id)}, {profile_page_prefix()}};
}

/// @param random_unit  from [0, 1).
/// @return a lifetime in (ttl × (1 - jitter_share), ttl].
[[nodiscard]] inline std::chrono::milliseconds jittered(std::chrono::seconds ttl, double random_unit) {
  const auto full = std::chrono::duration<double, std::milli>(ttl);
  return std::chrono::duration_cast<std::chrono::milliseconds>(full * (1.0 - jitter_share * random_unit));
}

}  // namespace midst::api::policy
