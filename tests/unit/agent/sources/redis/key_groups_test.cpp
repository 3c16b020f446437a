#include "agent/sources/redis/keys/key_groups.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

std::vector<std::string> lines(const KeyGroups::Summary& summary) {
  std::vector<std::string> all;
  for (const auto& group : summary.groups)
    all.push_back(fmt::format("{} {} {}", group.name, group.count, group.memory_bytes));
  return all;
}

using Lines = std::vector<std::string>;

TEST(RedisKeyGroups, SumUpByName) {
  KeyGroups groups(10);
  groups.add("a", 5);
  groups.add("b", 7);
  groups.add("a", 6);
  const auto summary = groups.summary(2);
  EXPECT_EQ(lines(summary), (Lines{"a 2 11", "b 1 7"}));
  EXPECT_EQ(summary.distinct, 2U);
  EXPECT_FALSE(summary.has_overflow);
}

TEST(RedisKeyGroups, OrderByMemoryThenFewerKeysThenName) {
  KeyGroups groups(10);
  for (const auto* name : {"e", "d"}) groups.add(name, 10);
  groups.add("c", 4);
  groups.add("c", 6);
  groups.add("b", 20);
  groups.add("a", 1);
  EXPECT_EQ(lines(groups.summary(5)), (Lines{"b 1 20", "d 1 10", "e 1 10", "c 2 10", "a 1 1"}));
  const auto summary = groups.summary(2);
  EXPECT_EQ(lines(summary), (Lines{"b 1 20", "d 1 10", "overflow 4 21"}));
  EXPECT_EQ(summary.distinct, 5U);
  EXPECT_TRUE(summary.has_overflow);
}

TEST(RedisKeyGroups, KeepSoManyApartAndNoMore) {
  KeyGroups groups(3);
  for (int i = 0; i < 5; ++i) groups.add(fmt::format("g{}", i), 10);
  groups.add("g1", 1);
  const auto summary = groups.summary(100);
  EXPECT_EQ(lines(summary), (Lines{"g1 2 11", "g0 1 10", "g2 1 10", "overflow 2 20"}));
  EXPECT_EQ(summary.distinct, 3U);
}

TEST(RedisKeyGroups, TakeTheFirstPatternThatMatches) {
  const auto patterns = parse_lua_patterns("^(user):,^([^:]+):,plain").value();
  EXPECT_EQ(group_of("user:1", patterns), "user");
  EXPECT_EQ(group_of("cart:1", patterns), "cart");
  EXPECT_EQ(group_of("a plain one", patterns), "") << "a match without captures";
  EXPECT_EQ(group_of("nothing", patterns), "unclassified");
  EXPECT_EQ(group_of(std::string(1000, 'x') + ":", patterns), std::string(256, 'x'));
}

}  // namespace
}  // namespace midst::sources::redis_info
