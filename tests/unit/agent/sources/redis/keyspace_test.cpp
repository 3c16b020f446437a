#include "agent/sources/redis/info/keyspace.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

TEST(RedisKeyspace, ReadsFieldsByName) {
  const auto two = parse_database("db0", "keys=1,expires=0");
  ASSERT_TRUE(two);
  EXPECT_EQ(two->number, 0);
  EXPECT_EQ(two->keys, 1);
  EXPECT_EQ(two->expires, 0);
  EXPECT_FALSE(two->avg_ttl_ms);
  const auto three = parse_database("db12", "keys=25714011,expires=25091314,avg_ttl=685620459");
  ASSERT_TRUE(three);
  EXPECT_EQ(three->number, 12);
  EXPECT_EQ(three->keys, 25714011);
  EXPECT_EQ(three->expires, 25091314);
  EXPECT_EQ(three->avg_ttl_ms, 685620459);
  const auto cached = parse_database("db1", "keys=1,expires=0,avg_ttl=0,cached_keys=7");
  ASSERT_TRUE(cached);
  EXPECT_EQ(cached->cached_keys, 7);
  EXPECT_FALSE(cached->keys_with_expiring_items);
  EXPECT_EQ(parse_database("db1", "keys=1,expires=0,avg_ttl=0,subexpiry=7")->keys_with_expiring_items, 7);
  EXPECT_EQ(parse_database("db1", "keys=1,expires=0,avg_ttl=0,keys_with_volatile_items=8")->keys_with_expiring_items,
            8);
  EXPECT_TRUE(parse_database("db1", "keys=1,expires=0,avg_ttl=0,cached_keys=7,more=1,later=2"));
}

TEST(RedisKeyspace, RefusesWhatIsNoDatabaseLine) {
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, std::string>>{{"xxx", "keys=1,expires=0"},
                                                        {"db", "keys=1,expires=0"},
                                                        {"dbx", "keys=1,expires=0"},
                                                        {"db-1", "keys=1,expires=0"},
                                                        {"db0", "xxx"},
                                                        {"db0", ""},
                                                        {"db0", "keys=abcde,expires=0,avg_ttl=0"},
                                                        {"db0", "keys=1,expires=xxx,avg_ttl=0"},
                                                        {"db0", "keys=1,expires=0,avg_ttl=zzz"},
                                                        {"db0", "keys=1,expires=0,avg_ttl=0,cached_keys=zzz"},
                                                        {"db0", "keys=1234=1234,expires=0"},
                                                        {"db0", "keys=1"},
                                                        {"db0", "expires=1"},
                                                        {"db0_distrib_strings_sizes", "1=5,2=3"}})
    EXPECT_FALSE(parse_database(field, value)) << field << ":" << value;
}

TEST(RedisKeyspace, OrdersDatabasesByNumberWithTheEmptyOnesBetween) {
  metrics::SnapshotBuilder builder;
  add_databases({{10, 5, 1, 1500, {}, {}}, {1, 2, 0, {}, 3, 4}}, 3, builder);
  EXPECT_EQ(test::samples_of(test::page_of(builder)),
            "redis_db_keys{db=\"db0\"} 0\nredis_db_keys{db=\"db1\"} 2\nredis_db_keys{db=\"db2\"} 0\n"
            "redis_db_keys{db=\"db10\"} 5\n"
            "redis_db_keys_expiring{db=\"db0\"} 0\nredis_db_keys_expiring{db=\"db1\"} 0\n"
            "redis_db_keys_expiring{db=\"db2\"} 0\nredis_db_keys_expiring{db=\"db10\"} 1\n"
            "redis_db_keys_cached{db=\"db1\"} 3\nredis_db_keys_with_expiring_items{db=\"db1\"} 4\n"
            "redis_db_avg_ttl_seconds{db=\"db10\"} 1.5\n");
}

}  // namespace
}  // namespace midst::sources::redis_info
