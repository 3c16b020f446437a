#include "agent/sources/redis/info/info_keysizes.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

TEST(RedisKeySizes, TurnsLowerBoundsIntoExactUpperBounds) {
  const auto sizes = parse_key_sizes("db3_distrib_strings_sizes", "0=1,1=2,2=4,4=8,512=16,1K=32");
  ASSERT_TRUE(sizes);
  EXPECT_EQ(sizes->database, "db3");
  EXPECT_EQ(sizes->type, "string");
  EXPECT_FALSE(sizes->is_items);
  EXPECT_EQ(sizes->count, 63u);
  EXPECT_EQ(sizes->least_sum, 2 + 8 + 32 + 16 * 512 + 32 * 1024);
  // Bound i is 2^i − 1: 0, 1, 3, 7 …
  EXPECT_EQ(sizes->cumulative[0], 1u);
  EXPECT_EQ(sizes->cumulative[1], 3u);
  EXPECT_EQ(sizes->cumulative[2], 7u);
  EXPECT_EQ(sizes->cumulative[3], 15u);
  EXPECT_EQ(sizes->cumulative[9], 15u);
  EXPECT_EQ(sizes->cumulative[10], 31u);
  EXPECT_EQ(sizes->cumulative[11], 63u);
  EXPECT_EQ(sizes->cumulative[30], 63u);
}

TEST(RedisKeySizes, ReadsSuffixesAndCountsWhatIsBeyondTheLastBound) {
  const std::vector<std::pair<std::string_view, double>> bounds{{"512", 512},
                                                                {"16K", 16384},
                                                                {"2M", 2097152},
                                                                {"1G", 1073741824},
                                                                {"1T", 1099511627776},
                                                                {"1P", 1125899906842624},
                                                                {"2E", 2305843009213693952}};
  for (const auto& [text, bound] : bounds) {
    const auto sizes = parse_key_sizes("db0_distrib_lists_items", std::string(text) + "=1");
    ASSERT_TRUE(sizes) << text;
    EXPECT_TRUE(sizes->is_items);
    EXPECT_EQ(sizes->least_sum, bound) << text;
    EXPECT_EQ(sizes->count, 1u);
    EXPECT_EQ(sizes->cumulative[30], bound < 1073741824 ? 1u : 0u) << text;
  }
}

TEST(RedisKeySizes, KnowsTheTypesBySingularWordsAndTakesOthersAsTheyAre) {
  const std::vector<std::pair<std::string_view, std::string_view>> types{
      {"strings", "string"}, {"lists", "list"},           {"sets", "set"}, {"zsets", "zset"}, {"hashes", "hash"},
      {"streams", "stream"}, {"new_things", "new_things"}};
  for (const auto& [plural, singular] : types) {
    const auto field = "db0_distrib_" + std::string(plural) + "_items";
    const auto sizes = parse_key_sizes(field, "1=1");
    ASSERT_TRUE(sizes) << plural;
    EXPECT_EQ(sizes->type, singular);
  }
}

TEST(RedisKeySizes, RefusesBrokenLines) {
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, std::string>>{{"db0", "keys=1,expires=0"},
                                                        {"dbx_distrib_lists_items", "1=1"},
                                                        {"db_distrib_lists_items", "1=1"},
                                                        {"db-1_distrib_lists_items", "1=1"},
                                                        {"db0_distrib_lists", "1=1"},
                                                        {"db0_distrib__items", "1=1"},
                                                        {"db0_distrib_lists_bytes", "1=1"},
                                                        {"db0_distrib_lists_items", "1"},
                                                        {"db0_distrib_lists_items", "=1"},
                                                        {"db0_distrib_lists_items", "K=1"},
                                                        {"db0_distrib_lists_items", "1=x"},
                                                        {"db0_distrib_lists_items", "1=-1"},
                                                        {"db0_distrib_lists_items", "-1=1"},
                                                        {"db0_distrib_lists_items", "1X=1"},
                                                        {"db0_distrib_lists_items", "99E=1"},
                                                        {"db0_distrib_lists_items", "99999999999999999999=1"},
                                                        {"db0_distrib_lists_items", "1=9223372036854775807"}})
    EXPECT_FALSE(parse_key_sizes(field, value)) << field << ":" << value;
}

TEST(RedisKeySizes, GivesEveryHistogramTheSameBounds) {
  metrics::SnapshotBuilder builder;
  add_key_sizes(parse_key_sizes("db0_distrib_hashes_items", "8=10").value(), builder);
  add_key_sizes(parse_key_sizes("db1_distrib_hashes_items", "").value(), builder);
  add_key_sizes(parse_key_sizes("db0_distrib_hashes_sizes", "1G=1").value(), builder);
  const auto page = test::page_of(builder);
  for (const std::string_view line :
       {"redis_db_key_items_bucket{db=\"db0\",type=\"hash\",le=\"7\"} 0",
        "redis_db_key_items_bucket{db=\"db0\",type=\"hash\",le=\"15\"} 10",
        "redis_db_key_items_bucket{db=\"db0\",type=\"hash\",le=\"1.073741823e+09\"} 10",
        "redis_db_key_items_bucket{db=\"db1\",type=\"hash\",le=\"1.073741823e+09\"} 0",
        "redis_db_key_items_bucket{db=\"db0\",type=\"hash\",le=\"+Inf\"} 10",
        "redis_db_key_items_sum{db=\"db0\",type=\"hash\"} 80", "redis_db_key_items_count{db=\"db0\",type=\"hash\"} 10",
        "redis_db_key_size_bytes_bucket{db=\"db0\",type=\"hash\",le=\"1.073741823e+09\"} 0",
        "redis_db_key_size_bytes_bucket{db=\"db0\",type=\"hash\",le=\"+Inf\"} 1"})
    EXPECT_TRUE(test::has_line(page, line)) << line;
}

}  // namespace
}  // namespace midst::sources::redis_info
