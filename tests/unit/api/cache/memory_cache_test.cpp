#include "api/cache/memory_cache.hpp"

#include "api/cache/policy.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

using namespace std::chrono_literals;

struct MemoryCacheTest : testing::Test {
  std::chrono::steady_clock::time_point now{1000s};
  double random = 0;
  int hits = 0, misses = 0;

  CacheEvents events() {
    CacheEvents events;
    events.on_hit = [this](std::string_view type) { hits += type == "memory" ? 1 : 100; };
    events.on_miss = [this](std::string_view type) { misses += type == "memory" ? 1 : 100; };
    return events;
  }
  MemoryCache make(MemoryCacheLimits limits = {}) {
    return {limits, events(), [this] { return now; }, [this] { return random; }};
  }
};

TEST_F(MemoryCacheTest, ServesAValueUntilItsLifetimeEndsAndNotAtItsEnd) {
  auto cache = make();
  cache.put("a", "1", 10s);
  now += 10s - 1ns;
  EXPECT_EQ(cache.find("a"), "1");
  now += 1ns;
  EXPECT_EQ(cache.find("a"), std::nullopt);
  EXPECT_EQ(cache.entry_count(), 0U);
  EXPECT_EQ(cache.size_bytes(), 0U);
}

TEST_F(MemoryCacheTest, TakesUpToATenthOfTheLifetimeAwayAtRandom) {
  auto cache = make();
  random = 0.5;
  cache.put("a", "1", 100s);
  now += 95s - 1ns;
  EXPECT_EQ(cache.find("a"), "1");
  now += 1ns;
  EXPECT_EQ(cache.find("a"), std::nullopt);
}

TEST_F(MemoryCacheTest, CountsEachLookupOnce) {
  auto cache = make();
  (void)cache.find("a");
  cache.put("a", "1", 10s);
  (void)cache.find("a");
  (void)cache.find("a");
  now += 20s;
  (void)cache.find("a");
  EXPECT_EQ(hits, 2);
  EXPECT_EQ(misses, 2);
}

TEST_F(MemoryCacheTest, ServesAnEmptyValueAsAHit) {
  auto cache = make();
  cache.put("a", "", 10s);
  EXPECT_EQ(cache.find("a"), "");
  EXPECT_EQ(hits, 1);
}

TEST_F(MemoryCacheTest, LetsTheLeastRecentlyUsedGoWhenItHasTooManyEntries) {
  auto cache = make({.entries = 2, .bytes = 1000});
  cache.put("a", "1", 10s);
  cache.put("b", "2", 10s);
  EXPECT_EQ(cache.eviction_count(), 0U);
  EXPECT_EQ(cache.find("a"), "1");
  cache.put("c", "3", 10s);
  EXPECT_EQ(cache.find("b"), std::nullopt);
  EXPECT_EQ(cache.find("a"), "1");
  EXPECT_EQ(cache.find("c"), "3");
  EXPECT_EQ(cache.eviction_count(), 1U);
}

TEST_F(MemoryCacheTest, LetsAsManyGoAsItsBytesNeed) {
  auto cache = make({.entries = 100, .bytes = 30});
  cache.put("a", std::string(9, 'x'), 10s);
  cache.put("b", std::string(9, 'x'), 10s);
  cache.put("c", std::string(9, 'x'), 10s);
  EXPECT_EQ(cache.size_bytes(), 30U);
  EXPECT_EQ(cache.entry_count(), 3U);
  cache.put("d", std::string(10, 'x'), 10s);
  EXPECT_EQ(cache.entry_count(), 2U);
  EXPECT_EQ(cache.size_bytes(), 21U);
  EXPECT_EQ(cache.eviction_count(), 2U);
}

TEST_F(MemoryCacheTest, DoesNotCountAReplacedValueTwice) {
  auto cache = make();
  cache.put("a", "12345", 10s);
  cache.put("a", "1", 10s);
  EXPECT_EQ(cache.size_bytes(), 2U);
  EXPECT_EQ(cache.entry_count(), 1U);
  EXPECT_EQ(cache.find("a"), "1");
}

TEST_F(MemoryCacheTest, KeepsNoValueAboveAMebibyteAndForgetsTheOneItReplaces) {
  auto cache = make();
  cache.put("a", std::string(policy::max_value_bytes, 'x'), 10s);
  EXPECT_EQ(cache.entry_count(), 1U);
  cache.put("a", std::string(policy::max_value_bytes + 1, 'x'), 10s);
  EXPECT_EQ(cache.find("a"), std::nullopt);
}

TEST_F(MemoryCacheTest, ForgetsKeysAndPrefixesAndNothingBesides) {
  auto cache = make();
  for (const auto* key : {"p:1", "p:2", "p", "p;", "q:1", "k"}) cache.put(key, "x", 10s);
  cache.remove({{"k", "absent"}, {"p:"}});
  EXPECT_EQ(cache.entry_count(), 3U);
  for (const auto* key : {"p", "p;", "q:1"}) EXPECT_TRUE(cache.find(key)) << key;
}

}  // namespace
}  // namespace midst::api
