#include "agent/sources/redis/keys/key_size.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

/// A command as one text.
std::string asked(KeySizeLook& look) {
  std::string all;
  for (const auto& command : look.ask("k")) {
    if (!all.empty()) all += " | ";
    for (std::size_t i = 0; i < command.size(); ++i) all += (i == 0 ? "" : " ") + command[i];
  }
  return all;
}

Result<Done> answer(KeySizeLook& look, const std::vector<std::string>& wires) {
  std::vector<redis::Reply> replies;
  for (const auto& wire : wires) replies.push_back(test::reply_of(wire));
  return look.take(std::move(replies));
}

std::string shown(const KeySizeLook& look) {
  metrics::SnapshotBuilder builder;
  look.add("db0", "k", builder);
  return test::samples_of(test::page_of(builder));
}

const std::string wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

TEST(RedisKeySize, AsksANamedKeyForItsTypeOnlyWhenItExists) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::named);
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k");
  ASSERT_TRUE(answer(look, {"$-1\r\n"}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look), "redis_key_size{db=\"db0\",key=\"k\"} 0\n");

  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k");
  ASSERT_TRUE(answer(look, {":56\r\n"}));
  EXPECT_EQ(asked(look), "TYPE k");
  ASSERT_TRUE(answer(look, {"+hash\r\n"}));
  EXPECT_EQ(asked(look), "HLEN k");
  ASSERT_TRUE(answer(look, {":7\r\n"}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 7\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 56\n");

  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | HLEN k");
}

TEST(RedisKeySize, OmitsAMissingKeyWhereZeroIsNotWanted) {
  KeySizeOptions options;
  options.has_zero_for_missing = false;
  KeySizeLook look(options, KeyOrigin::named);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"$-1\r\n"}));
  EXPECT_EQ(shown(look), "");
}

TEST(RedisKeySize, KnowsEachType) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"list", "LLEN k"},   {"set", "SCARD k"},     {"zset", "ZCARD k"},          {"hash", "HLEN k"},
      {"stream", "XLEN k"}, {"array", "ARCOUNT k"}, {"string", "GETRANGE k 0 63"}};
  for (const auto& [type, command] : rows) {
    const KeySizeOptions options;
    KeySizeLook look(options, KeyOrigin::scanned);
    look.begin();
    EXPECT_EQ(asked(look), "TYPE k | MEMORY USAGE k");
    ASSERT_TRUE(answer(look, {"+" + type + "\r\n", ":100\r\n"}));
    EXPECT_EQ(asked(look), command);
  }
}

TEST(RedisKeySize, ShowsTheMemoryOfAModulesTypeAlone) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+ReJSON-RL\r\n", ":100\r\n"}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look), "redis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n");
}

TEST(RedisKeySize, NeverReadsAStringOnceItsLengthIsKnown) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+string\r\n", ":100\r\n"}));
  (void)asked(look);
  ASSERT_TRUE(answer(look, {test::bulk("1234.56")}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 7\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n");
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | STRLEN k");
  ASSERT_TRUE(answer(look, {":100\r\n", ":8\r\n"}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 8\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n");
}

TEST(RedisKeySize, ShowsValuesUpToTheLimit) {
  KeySizeOptions options;
  options.has_values = true;
  options.max_value_bytes = 8;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+string\r\n", ":100\r\n"}));
  EXPECT_EQ(asked(look), "GETRANGE k 0 8");
  ASSERT_TRUE(answer(look, {test::bulk("-1.5e2")}));
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 6\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n"
            "redis_key_value{db=\"db0\",key=\"k\"} -150\n");
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | GETRANGE k 0 8");
  ASSERT_TRUE(answer(look, {":100\r\n", test::bulk("12345678")}));
  EXPECT_TRUE(look.is_done());
}

TEST(RedisKeySize, AsksForTheLengthOfAStringThatIsTooLongToShow) {
  KeySizeOptions options;
  options.has_values = true;
  options.max_value_bytes = 4;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+string\r\n", ":100\r\n"}));
  EXPECT_EQ(asked(look), "GETRANGE k 0 4");
  ASSERT_TRUE(answer(look, {test::bulk("abcde")}));
  EXPECT_EQ(asked(look), "STRLEN k");
  ASSERT_TRUE(answer(look, {":1000\r\n"}));
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 1000\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n");
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | STRLEN k");
  ASSERT_TRUE(answer(look, {":100\r\n", ":3\r\n"}));
  EXPECT_EQ(asked(look), "GETRANGE k 0 4");
  ASSERT_TRUE(answer(look, {test::bulk("abc")}));
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 3\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n"
            "redis_key_value_as_string{db=\"db0\",key=\"k\",val=\"abc\"} 1\n");
}

TEST(RedisKeySize, CountsAHyperLogLog) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+string\r\n", ":100\r\n"}));
  (void)asked(look);
  ASSERT_TRUE(answer(look, {test::bulk(std::string("HYLL\1\0\0\0\0\0\0\0\0\0\0\0\0\0", 18))}));
  EXPECT_EQ(asked(look), "PFCOUNT k");
  ASSERT_TRUE(answer(look, {":3\r\n"}));
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | PFCOUNT k");
  // A plain string in its place: one error, then its type and its length; it is not taken for one again.
  ASSERT_TRUE(answer(look, {":100\r\n", wrong_type}));
  EXPECT_EQ(asked(look), "TYPE k");
  ASSERT_TRUE(answer(look, {"+string\r\n"}));
  EXPECT_EQ(asked(look), "GETRANGE k 0 63");
  ASSERT_TRUE(answer(look, {test::bulk("HYLL but no HyperLogLog")}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 23\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 100\n");
}

TEST(RedisKeySize, LooksForAHyperLogLogWhereALongStringHasChangedItsLength) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+string\r\n", ":100\r\n"}));
  (void)asked(look);
  ASSERT_TRUE(answer(look, {test::bulk("a plain string of 26 bytes")}));
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {":100\r\n", ":26\r\n"}));
  EXPECT_TRUE(look.is_done());
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {":100\r\n", ":18\r\n"}));
  EXPECT_EQ(asked(look), "GETRANGE k 0 3");
  ASSERT_TRUE(answer(look, {test::bulk("HYLL")}));
  EXPECT_EQ(asked(look), "PFCOUNT k");
}

TEST(RedisKeySize, AsksForTheTypeAgainWhenItHasChanged) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"+list\r\n", ":100\r\n"}));
  (void)asked(look);
  ASSERT_TRUE(answer(look, {":5\r\n"}));
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | LLEN k");
  ASSERT_TRUE(answer(look, {":60\r\n", wrong_type}));
  EXPECT_EQ(asked(look), "TYPE k");
  ASSERT_TRUE(answer(look, {"+set\r\n"}));
  EXPECT_EQ(asked(look), "SCARD k");
  ASSERT_TRUE(answer(look, {":2\r\n"}));
  EXPECT_TRUE(look.is_done());
  EXPECT_EQ(shown(look),
            "redis_key_size{db=\"db0\",key=\"k\"} 2\nredis_key_memory_usage_bytes{db=\"db0\",key=\"k\"} 60\n");
}

TEST(RedisKeySize, LeavesAKeyOfAnotherNodeAloneForAWhile) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::named);
  look.begin();
  (void)asked(look);
  ASSERT_TRUE(answer(look, {"-MOVED 12706 127.0.0.1:7001\r\n"}));
  EXPECT_TRUE(look.is_elsewhere());
  EXPECT_EQ(shown(look), "");
  for (int i = 0; i < 60; ++i) {
    look.begin();
    ASSERT_TRUE(look.is_done()) << i;
  }
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k");
}

TEST(RedisKeySize, LeavesADeniedKeyAloneForAWhile) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::scanned);
  const std::string denied = "-NOPERM No permissions to access a key\r\n";
  look.begin();
  (void)asked(look);
  EXPECT_FALSE(answer(look, {denied, denied}));
  EXPECT_TRUE(look.is_done());
  for (int i = 0; i < 60; ++i) {
    look.begin();
    ASSERT_TRUE(look.is_done()) << i;
  }
  look.begin();
  EXPECT_EQ(asked(look), "TYPE k | MEMORY USAGE k");
}

TEST(RedisKeySize, GoesByTheTypeWhereMemoryUsageIsRefused) {
  const KeySizeOptions options;
  KeySizeLook look(options, KeyOrigin::named);
  const std::string refused = "-NOPERM User u has no permissions to run the 'memory|usage' command\r\n";
  look.begin();
  (void)asked(look);
  const auto taken = answer(look, {refused});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::noperm);
  EXPECT_EQ(asked(look), "TYPE k");
  EXPECT_FALSE(answer(look, {"+list\r\n"}));
  EXPECT_EQ(asked(look), "LLEN k");
  EXPECT_FALSE(answer(look, {":5\r\n"}));
  EXPECT_EQ(shown(look), "redis_key_size{db=\"db0\",key=\"k\"} 5\n");
  look.begin();
  EXPECT_EQ(asked(look), "MEMORY USAGE k | LLEN k");
  EXPECT_FALSE(answer(look, {refused, ":0\r\n"}));
  EXPECT_EQ(asked(look), "TYPE k");
  EXPECT_FALSE(answer(look, {"+none\r\n"}));
  EXPECT_EQ(shown(look), "redis_key_size{db=\"db0\",key=\"k\"} 0\n");
}

}  // namespace
}  // namespace midst::sources::redis_info
