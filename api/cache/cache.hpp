// What the routes know of a cache: text in, text out, and no failure ever reaches them.
// Implementations: MemoryCache, and RedisCache in front of a MemoryCache.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// What a cache tells whoever counts; each may be empty. Called on the loop thread, once per event.
struct CacheEvents {
  std::function<void(std::string_view cache_type)> on_hit, on_miss;
  /// Work that came to nothing: `reason` is an Errc word or "overflow".
  std::function<void(std::string_view cache_type, std::string_view reason)> on_failure;
  /// One Redis command, answered or given up.
  std::function<void(std::string_view operation, std::chrono::nanoseconds duration)> on_redis_operation;
};

/// What a write makes stale: exact keys, and everything that begins with one of the prefixes.
struct Invalidation {
  std::vector<std::string> keys, prefixes;
};

class Cache {
 public:
  Cache() = default;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  virtual ~Cache() = default;

  /// @return the value, or nothing: absent, expired, or not to be had in time.
  [[nodiscard]] virtual asio::awaitable<std::optional<std::string>> get(std::string key) = 0;

  /// Keeps a value for at most `ttl`, shortened by a random tenth so that values stored together do not expire
  /// together. Values above policy::max_value_bytes are not kept.
  virtual void put(std::string key, std::string value, std::chrono::seconds ttl) = 0;

  /// Removes what a write made stale. Returns when a later get() on this cache cannot see it any more, or after a
  /// bounded wait; what could not be removed by then is removed as soon as the store answers again.
  [[nodiscard]] virtual asio::awaitable<void> invalidate(Invalidation stale) = 0;

  /// @return whether the store behind the cache answers, or why not; for readiness.
  [[nodiscard]] virtual asio::awaitable<Result<Done>> check() = 0;
};

}  // namespace midst::api
