// The Redis cache. Commands of concurrent requests share one connection and travel in shared pipelines. While Redis is
// away a MemoryCache stands in; the way back, the stale keys included, is found without anyone's help.
#pragma once

#include "api/cache/cache.hpp"
#include "api/cache/memory_cache.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace midst::api {

struct RedisCacheOptions {
  std::chrono::milliseconds command_timeout{250};   ///< Of one pipeline; then Redis counts as away.
  std::chrono::milliseconds retry_interval{500};    ///< Between attempts while it is away.
  std::chrono::milliseconds invalidate_wait{1000};  ///< Longest that a write waits for its invalidation.
  std::size_t max_waiting = 1024;                   ///< Commands queued at most; a further lookup is a miss.
  std::size_t max_batch = 128;                      ///< Commands of one pipeline.
  std::size_t max_owed = 10'000;                    ///< Remembered invalidations; more: all keys of the API go.
  MemoryCacheLimits fallback{};
};

class RedisCache final : public Cache {
 public:
  /// Starts to connect at once; until that has worked, memory is used.
  RedisCache(asio::any_io_executor executor, redis::Uri uri, RedisCacheOptions options, CacheEvents events,
             SteadyClock clock, RandomUnit random);
  ~RedisCache() override;

  asio::awaitable<std::optional<std::string>> get(std::string key) override;
  /// Queued, not awaited: a later get() of the same key comes after it.
  void put(std::string key, std::string value, std::chrono::seconds ttl) override;
  /// SCAN and UNLINK, never KEYS. A failed one is remembered and done before Redis is used again.
  asio::awaitable<void> invalidate(Invalidation stale) override;
  asio::awaitable<Result<Done>> check() override;

  /// @return whether commands go to Redis at present.
  [[nodiscard]] bool is_up() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// @return the glob that matches exactly the keys with this prefix. Exposed for tests.
[[nodiscard]] std::string glob_of_prefix(std::string_view prefix);

}  // namespace midst::api
