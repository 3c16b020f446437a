// The bounded tables of the sampler: Space-Saving, rows by prefix, biggest keys.
#include "agent/sources/redis/sampler/prefix_table.hpp"

#include "agent/sources/redis/sampler/big_keys.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace midst::sources::redis_info {
namespace {

TEST(SpaceSaving, CountsExactlyWhileThereArePlaces) {
  SpaceSaving sketch(3);
  for (const auto* pattern : {"a", "b", "a", "c", "a", "b"}) sketch.add({0, pattern});
  const auto ranked = sketch.ranked();
  ASSERT_EQ(ranked.size(), 3U);
  EXPECT_EQ(ranked[0].id.pattern, "a");
  EXPECT_EQ(ranked[0].guaranteed, 3U);
  EXPECT_EQ(ranked[1].id.pattern, "b");
  EXPECT_EQ(ranked[1].guaranteed, 2U);
  EXPECT_EQ(ranked[2].guaranteed, 1U);
}

TEST(SpaceSaving, KeepsTheFrequentAmongMoreThanItHolds) {
  SpaceSaving sketch(4);
  for (int i = 0; i < 1000; ++i) {
    sketch.add({0, "often"});
    sketch.add({0, "rare" + std::to_string(i)});
  }
  EXPECT_EQ(sketch.size(), 4U);
  const auto ranked = sketch.ranked();
  EXPECT_EQ(ranked[0].id.pattern, "often");
  EXPECT_EQ(ranked[0].guaranteed, 1000U);
  EXPECT_EQ(ranked[1].guaranteed, 1U) << "what it inherited is no guarantee";
}

TEST(SpaceSaving, TellsDatabasesApartAndForgetsBelowAPrefix) {
  SpaceSaving sketch(8);
  sketch.add({0, "user:a:*"});
  sketch.add({1, "user:a:*"});
  sketch.add({1, "user:*:*"});
  sketch.add({1, "shop:*"});
  EXPECT_EQ(sketch.size(), 4U);
  sketch.forget_below("user:", ":");
  const auto ranked = sketch.ranked();
  ASSERT_EQ(ranked.size(), 2U);
  EXPECT_EQ(ranked[0].id.pattern, "shop:*");
  EXPECT_EQ(ranked[1].id.pattern, "user:*:*");
  sketch.add({1, "shop:*"});
  EXPECT_EQ(sketch.ranked()[0].guaranteed, 2U);
}

/// Rows as "db/pattern" → keys.
std::map<std::string, std::uint64_t> keys_of(const std::vector<PrefixRow>& rows) {
  std::map<std::string, std::uint64_t> keys;
  for (const auto& row : rows) keys[std::to_string(row.id.database) + "/" + row.id.pattern] = row.totals.keys;
  return keys;
}
using Keys = std::map<std::string, std::uint64_t>;

void count(PrefixTable& table, std::string_view pattern, int times) {
  for (int i = 0; i < times; ++i) table.count({0, pattern});
}

PrefixTableOptions rows_of(std::size_t max_prefixes) {
  PrefixTableOptions options;
  options.max_prefixes = max_prefixes;
  options.max_candidates = 4;
  return options;
}

TEST(PrefixTable, PublishesACycleWhenItIsComplete) {
  PrefixTable table(rows_of(4));
  count(table, "a", 3);
  EXPECT_TRUE(table.published().empty());
  EXPECT_EQ(keys_of(table.current()), (Keys{{"0/a", 3}}));
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/a", 3}}));
  EXPECT_EQ(keys_of(table.current()), (Keys{{"0/a", 0}}));
  count(table, "a", 1);
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/a", 3}}));
}

TEST(PrefixTable, HoldsEveryKeyInARowOrInTheRestOfItsDatabase) {
  PrefixTable table(rows_of(2));
  count(table, "a", 5);
  table.count({7, "a"});
  count(table, "c", 2);
  count(table, "other", 1);
  table.count({7, "d"});
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/a", 5}, {"7/a", 1}, {"0/other", 3}, {"7/other", 1}}));
  EXPECT_EQ(table.published().back().id.pattern, "other") << "the rest stands at the end";
}

TEST(PrefixTable, GivesRowsToTheMostFrequentOfTheCycleBefore) {
  PrefixTable table(rows_of(2));
  count(table, "first", 1);
  count(table, "second", 8);
  count(table, "big", 10);
  table.end_cycle();
  count(table, "second", 8);
  count(table, "big", 10);
  count(table, "first", 1);
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/big", 10}, {"0/second", 8}, {"0/other", 1}}));
}

TEST(PrefixTable, KeepsItsRowsUntilAnotherPatternHasClearlyMoreKeys) {
  for (const auto& [rival, expected] : {std::pair{12, "0/old"}, std::pair{13, "0/rival"}}) {
    PrefixTable table(rows_of(1));
    for (int cycle = 0; cycle < 2; ++cycle) {
      count(table, "old", 10);
      count(table, "rival", rival);
      table.end_cycle();
    }
    EXPECT_TRUE(keys_of(table.published()).contains(expected)) << rival << " against 10 at 1.25";
  }
}

TEST(PrefixTable, ShowsAnEmptiedRowAsZeroOnceBeforeItGoes) {
  PrefixTable table(rows_of(2));
  count(table, "gone", 4);
  table.end_cycle();
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/gone", 0}}));
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), (Keys{{"0/gone", 0}})) << "published before it went";
  table.end_cycle();
  EXPECT_EQ(keys_of(table.published()), Keys{});
}

TEST(PrefixTable, FoldsTheRowsBelowAPrefixIntoOne) {
  PrefixTable table(rows_of(4));
  count(table, "user:a:*", 2);
  count(table, "shop:*", 1);
  count(table, "user:b:*", 3);
  table.count({1, "user:a:*"}).add({KeyType::hash, 100, -1});
  table.fold("user:");
  EXPECT_EQ(keys_of(table.current()), (Keys{{"0/user:*:*", 5}, {"0/shop:*", 1}, {"1/user:*:*", 1}}));
  EXPECT_EQ(table.find({1, "user:*:*"}).memory_bytes, 100U);
  count(table, "user:*:*", 1);
  EXPECT_EQ(keys_of(table.current())["0/user:*:*"], 6U);
}

TEST(PrefixTable, StaysWithinItsLimits) {
  PrefixTable table(rows_of(3));
  for (int cycle = 0; cycle < 3; ++cycle) {
    for (int i = 0; i < 1000; ++i) count(table, "p" + std::to_string(cycle * 500 + i), 1);
    EXPECT_EQ(table.current().size(), 4U);
    EXPECT_EQ(table.candidate_count(), 4U);
    table.end_cycle();
  }
}

TEST(PrefixTotals, PutsTimesToLiveIntoTheirBuckets) {
  PrefixTotals totals;
  for (const std::int64_t ttl_ms : {-1, 0, 1000, 1001, 10'000, 3'600'000})
    totals.add({std::nullopt, std::nullopt, ttl_ms});
  totals.add({std::nullopt, std::nullopt, std::int64_t{2'592'000'001}});
  totals.add({std::nullopt, std::nullopt, std::nullopt});
  EXPECT_EQ(totals.ttl_samples, 7U);
  EXPECT_EQ(totals.without_ttl, 1U);
  EXPECT_EQ(totals.ttl_counts, (std::array<std::uint64_t, 11>{2, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1}));
  EXPECT_DOUBLE_EQ(totals.ttl_seconds, 1 + 1.001 + 10 + 3600 + 2'592'000.001);
}

TEST(KeyTypes, AreTheWordsOfTYPE) {
  for (const auto* name : {"string", "list", "set", "zset", "hash", "stream"}) EXPECT_EQ(word(key_type(name)), name);
  EXPECT_EQ(word(key_type("ReJSON-RL")), "other");
}

BigKey big(std::string name, std::uint64_t size) {
  return {0, std::move(name), "p:*", KeyType::list, size};
}

TEST(BigKeys, KeepTheBiggestInOrder) {
  BigKeys keys(3);
  for (const auto& [name, size] : {std::pair{"a", 5}, {"b", 9}, {"c", 1}, {"d", 7}, {"e", 1}})
    keys.offer(big(name, static_cast<std::uint64_t>(size)));
  ASSERT_EQ(keys.keys().size(), 3U);
  EXPECT_EQ(keys.keys()[0].name, "b");
  EXPECT_EQ(keys.keys()[1].name, "d");
  EXPECT_EQ(keys.keys()[2].name, "a");
  EXPECT_TRUE(keys.wants(0, "x", 6));
  EXPECT_FALSE(keys.wants(0, "x", 5));
  EXPECT_TRUE(keys.wants(0, "a", 5)) << "a known key's new size is wanted";
  EXPECT_FALSE(keys.wants(1, "a", 5));
}

TEST(BigKeys, FollowTheSizeOfAKeyAndForgetIt) {
  BigKeys keys(2);
  keys.offer(big("a", 5));
  keys.offer(big("b", 9));
  keys.offer(big("b", 2));
  EXPECT_EQ(keys.keys()[0].name, "a");
  EXPECT_EQ(keys.keys()[1].size, 2U);
  keys.erase(1, "a");
  EXPECT_EQ(keys.keys().size(), 2U);
  keys.erase(0, "a");
  EXPECT_EQ(keys.keys().size(), 1U);
  BigKeys none(0);
  none.offer(big("a", 5));
  EXPECT_TRUE(none.keys().empty());
}

TEST(BigKeys, AreCalledByAHashOrByAReadableName) {
  EXPECT_EQ(key_label("a", KeyNames::hashed), "#dc4c8601ec8c");
  EXPECT_EQ(key_label("user:1", KeyNames::shown), "user:1");
  EXPECT_EQ(key_label(std::string(128, 'k'), KeyNames::shown), std::string(128, 'k'));
  const auto cut = key_label(std::string(129, 'k'), KeyNames::shown);
  EXPECT_EQ(cut.size(), 128U);
  EXPECT_EQ(cut.substr(0, 116), std::string(115, 'k') + "#");
  EXPECT_TRUE(key_label(std::string_view("x\0\xff", 3), KeyNames::shown).starts_with("x?\xef\xbf\xbd#"));
}

}  // namespace
}  // namespace midst::sources::redis_info
