// A bounded least-recently-used cache in this process: the cache without Redis, and the one that stands in for it.
#pragma once

#include "api/cache/cache.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>

namespace midst::api {

/// @return a number from [0, 1), another one at each call. Tests give their own.
using RandomUnit = std::function<double()>;
/// @return now; tests give their own.
using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;

/// @return a RandomUnit that is seeded from the system.
[[nodiscard]] RandomUnit make_random_unit();

struct MemoryCacheLimits {
  std::size_t entries = 10'000;          ///< More: the least recently used goes.
  std::size_t bytes = 64 * 1024 * 1024;  ///< Keys and values together; more: likewise.
};

class MemoryCache final : public Cache {
 public:
  MemoryCache(MemoryCacheLimits limits, CacheEvents events, SteadyClock clock, RandomUnit random);

  asio::awaitable<std::optional<std::string>> get(std::string key) override;
  void put(std::string key, std::string value, std::chrono::seconds ttl) override;
  asio::awaitable<void> invalidate(Invalidation stale) override;
  /// @return always Done: memory is there.
  asio::awaitable<Result<Done>> check() override;

  /// get() and invalidate() without a coroutine.
  [[nodiscard]] std::optional<std::string> find(const std::string& key);
  void remove(const Invalidation& stale);
  void clear() noexcept;

  [[nodiscard]] std::size_t entry_count() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return size_bytes_; }
  /// @return how many values had to go although they had not expired.
  [[nodiscard]] std::uint64_t eviction_count() const noexcept { return eviction_count_; }

 private:
  struct Entry {
    std::string value;
    std::chrono::steady_clock::time_point expires;
    std::list<std::map<std::string, Entry>::iterator>::iterator recency;
  };
  // Ordered, so that a prefix is one range.
  using Entries = std::map<std::string, Entry>;

  void erase(Entries::iterator entry) noexcept;
  [[nodiscard]] bool is_over_limit() const noexcept;

  MemoryCacheLimits limits_;
  CacheEvents events_;
  SteadyClock clock_;
  RandomUnit random_;
  Entries entries_;
  std::list<Entries::iterator> by_recency_;  // Front: used last.
  std::size_t size_bytes_ = 0;
  std::uint64_t eviction_count_ = 0;
};

}  // namespace midst::api
