#include "api/cache/memory_cache.hpp"

#include "api/cache/policy.hpp"

#include <memory>
#include <random>
#include <utility>

namespace midst::api {
namespace {

constexpr std::string_view cache_type = "memory";

}  // namespace

RandomUnit make_random_unit() {
  auto engine = std::make_shared<std::mt19937_64>(std::random_device{}());
  return [engine] { return std::uniform_real_distribution<double>(0.0, 1.0)(*engine); };
}

MemoryCache::MemoryCache(MemoryCacheLimits limits, CacheEvents events, SteadyClock clock, RandomUnit random)
    : limits_(limits), events_(std::move(events)), clock_(std::move(clock)), random_(std::move(random)) {
}

asio::awaitable<std::optional<std::string>> MemoryCache::get(std::string key) {
  co_return find(key);
}

std::optional<std::string> MemoryCache::find(const std::string& key) {
  auto found = entries_.find(key);
  if (found != entries_.end() && found->second.expires <= clock_()) {
    erase(found);
    found = entries_.end();
  }
  if (found == entries_.end()) {
    if (events_.on_miss) events_.on_miss(cache_type);
    return std::nullopt;
  }
  by_recency_.splice(by_recency_.begin(), by_recency_, found->second.recency);
  if (events_.on_hit) events_.on_hit(cache_type);
  return found->second.value;
}

void MemoryCache::put(std::string key, std::string value, std::chrono::seconds ttl) {
  if (const auto old = entries_.find(key); old != entries_.end()) erase(old);
  if (value.size() > policy::max_value_bytes) return;
  const auto expires = clock_() + policy::jittered(ttl, random_());
  const auto entry = entries_.emplace(std::move(key), Entry{std::move(value), expires, {}}).first;
  by_recency_.push_front(entry);
  entry->second.recency = by_recency_.begin();
  size_bytes_ += entry->first.size() + entry->second.value.size();
  while (is_over_limit()) {
    ++eviction_count_;
    erase(by_recency_.back());
  }
}

asio::awaitable<void> MemoryCache::invalidate(Invalidation stale) {
  remove(stale);
  co_return;
}

asio::awaitable<Result<Done>> MemoryCache::check() {
  co_return Done{};
}

void MemoryCache::remove(const Invalidation& stale) {
  for (const auto& key : stale.keys)
    if (const auto entry = entries_.find(key); entry != entries_.end()) erase(entry);
  for (const auto& prefix : stale.prefixes)
    for (auto entry = entries_.lower_bound(prefix); entry != entries_.end() && entry->first.starts_with(prefix);)
      erase(entry++);
}

void MemoryCache::clear() noexcept {
  by_recency_.clear();
  entries_.clear();
  size_bytes_ = 0;
}

void MemoryCache::erase(Entries::iterator entry) noexcept {
  size_bytes_ -= entry->first.size() + entry->second.value.size();
  by_recency_.erase(entry->second.recency);
  entries_.erase(entry);
}

bool MemoryCache::is_over_limit() const noexcept {
  return entries_.size() > limits_.entries || size_bytes_ > limits_.bytes;
}

}  // namespace midst::api
