// Keys → patterns: what is a value and what is a name, and which levels have too many names.
#include "agent/sources/redis/sampler/key_pattern.hpp"

#include "agent/sources/redis/sampler/key_fanout.hpp"
#include "lib/base/text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace midst::sources::redis_info {
namespace {

std::string pattern(std::string_view key, KeyPatternOptions options = {}) {
  KeyPattern made(std::move(options));
  return std::string(made.of(key));
}

TEST(KeyPattern, ReplacesValuesAndKeepsNames) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", "(empty)"},
      {"counter", "counter"},
      {"42", "*"},
      {"user:1234", "user:*"},
      {"user:1234:profile", "user:*:profile"},
      {"user:-17.5", "user:*.*"},
      {"user:1234:orders:9", "user:*:orders:*"},
      {"session:9f86d081884c7d65", "session:*"},
      {"job:550e8400-e29b-41d4-a716-446655440000:state", "job:*:state"},
      {"0x1f:1", "0x1f:*"},
      {"MyServiceV2CacheForUsers:1", "MyServiceV2CacheForUsers:*"},
      {"nano:V1StGXR8_Z5jdHi6B-myT", "nano:*"},
      {"ulid:01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid:*"},
      {"mail:alice@example", "mail:*"},
      {"day:2024-01-05", "day:*"},
      {"a:deadbeef", "a:*"},
      {"facade:1", "facade:*"},
      {"shard01:keys:7", "shard*:keys:*"},
      {"oauth2:v1:1", "oauth2:v1:*"},
      {"camelCaseNameOfThing:1", "camelCaseNameOfThing:*"},
      {"rate-limit:getUserProfile:17", "rate-limit:getUserProfile:*"},
      {"mp3-to-mp4-v2:1", "mp3-to-mp4-v2:*"},
      {"{user:1000}.following", "{user:*}.following"},
      {"{42}:cart", "{*}:cart"},
  };
  for (const auto& [key, expected] : rows) EXPECT_EQ(pattern(key), expected) << key;
}

TEST(KeyPattern, StarsTheLastPartOfAKeyWithoutAnyValue) {
  EXPECT_EQ(pattern("user:alice"), "user:*");
  EXPECT_EQ(pattern("user:alice:"), "user:*:");
  EXPECT_EQ(pattern("user:"), "user:");
  EXPECT_EQ(pattern(":"), ":");
  EXPECT_EQ(pattern("::x"), "::*");
  EXPECT_EQ(pattern("cache:page:/index.html"), "cache:page:/index.*") << "an empty part is one of max_depth";
  EXPECT_EQ(pattern("config:node12"), "config:node*") << "digits are a value already";
}

TEST(KeyPattern, NeedsNoReadableBytes) {
  EXPECT_EQ(pattern(std::string_view("\xff\xfe\x01", 3)), "(binary)");
  EXPECT_EQ(pattern(std::string_view("\0\0", 2)), "(binary)");
  EXPECT_EQ(pattern(std::string_view("sess:\xff\x80:x", 9)), "sess:*:x");
  EXPECT_EQ(pattern("line\nbreak:1"), "*:*");
  EXPECT_EQ(pattern("größe:1"), "größe:*");
  EXPECT_EQ(pattern("\xc3:1"), "*:*") << "half a character";
}

TEST(KeyPattern, IsBoundedInDepthAndLength) {
  EXPECT_EQ(pattern("a:b:c:d:e:f"), "a:b:c:d:*");
  KeyPatternOptions flat;
  flat.max_depth = 1;
  EXPECT_EQ(pattern("a:b", flat), "a:*");
  EXPECT_EQ(pattern("a", flat), "a");
  const std::string long_name(40, 'n'), too_long(41, 'n');
  EXPECT_EQ(pattern(long_name + ":1"), long_name + ":*");
  EXPECT_EQ(pattern(too_long + ":1"), "*:*");
  EXPECT_EQ(pattern(long_name + ":" + long_name + ":" + long_name + ":1"), long_name + ":" + long_name + ":*");
  EXPECT_EQ(pattern("a:" + std::string(5'000'000, 'x') + ":b"), "a:*") << "the end of the part is not looked for";
}

TEST(KeyPattern, PartsOnlyAtItsSeparators) {
  KeyPatternOptions options;
  options.separators = "|";
  EXPECT_EQ(pattern("a:1|b", options), "a:1|*");
  EXPECT_EQ(pattern("user|7|name", options), "user|*|name");
  options.separators = "";
  EXPECT_EQ(pattern("user:77", options), "user:*");
}

TEST(KeyPattern, KnowsWhereItsPartsStand) {
  KeyPattern made({});
  const auto text = made.of("user:1234:profile");
  const auto parts = made.parts();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(text.substr(parts[0].begin, parts[0].size), "user");
  EXPECT_TRUE(parts[0].is_literal);
  EXPECT_EQ(text.substr(parts[1].begin, parts[1].size), "*");
  EXPECT_FALSE(parts[1].is_literal);
  EXPECT_EQ(text.substr(parts[2].begin, parts[2].size), "profile");
  EXPECT_TRUE(parts[2].is_literal);
}

/// What a fan-out of at most two names makes of a key.
struct Learner {
  std::string of(std::string_view key) { return std::string(fanout.apply(made.of(key), made)); }
  KeyPattern made{KeyPatternOptions{}};
  KeyFanout fanout{2, 4};
};

TEST(KeyFanout, ForgetsNamesBelowAPrefixThatHasTooMany) {
  Learner learner;
  EXPECT_EQ(learner.of("user:alice:profile"), "user:alice:*");
  EXPECT_EQ(learner.of("user:bob:profile"), "user:bob:*");
  EXPECT_EQ(learner.of("user:alice:profile"), "user:alice:*") << "no new name";
  EXPECT_TRUE(learner.fanout.new_wide().empty());
  EXPECT_EQ(learner.of("user:carol:profile"), "user:*:*");
  EXPECT_EQ(learner.fanout.new_wide(), std::vector<std::string>{"user:"});
  EXPECT_EQ(learner.of("user:alice:profile"), "user:*:*") << "wide for good";
  EXPECT_TRUE(learner.fanout.new_wide().empty());
  EXPECT_EQ(learner.of("shop:alice:7"), "shop:alice:*") << "another prefix is not";
}

TEST(KeyFanout, NeverReplacesTheFirstPart) {
  Learner learner;
  for (const auto* key : {"a:1", "b:1", "c:1", "d:1"}) EXPECT_EQ(learner.of(key), std::string(key).substr(0, 2) + "*");
}

TEST(KeyFanout, LearnsBelowWidePrefixesToo) {
  Learner learner;
  for (const auto* name : {"a", "b", "c"}) (void)learner.of("user:" + std::string(name) + ":7:mail");
  EXPECT_EQ(learner.of("user:d:7:mail"), "user:*:*:mail");
  (void)learner.of("user:d:7:phone");
  EXPECT_EQ(learner.of("user:e:7:fax"), "user:*:*:*");
}

TEST(KeyFanout, MakesRoomAtTheEndOfACycle) {
  Learner learner;
  for (const auto* prefix : {"a", "b", "c", "e"}) (void)learner.of(std::string(prefix) + ":name:1");
  for (const auto* name : {"n1", "n2", "n3", "n4"})
    EXPECT_EQ(learner.of("d:" + std::string(name) + ":1"), "d:" + std::string(name) + ":*") << "no place to watch it";
  learner.fanout.end_cycle();
  for (const auto* name : {"n1", "n2"}) (void)learner.of("d:" + std::string(name) + ":1");
  EXPECT_EQ(learner.of("d:n3:1"), "d:*:*");
}

TEST(KeyFanout, FoldsAPatternAtThePartAfterThePrefix) {
  EXPECT_EQ(folded_pattern("user:alice:*", "user:", ":/."), "user:*:*");
  EXPECT_EQ(folded_pattern("user:alice", "user:", ":/."), "user:*");
  EXPECT_EQ(folded_pattern("user:*:*", "user:", ":/."), "");
  EXPECT_EQ(folded_pattern("user::x", "user:", ":/."), "") << "an empty part is no name";
  EXPECT_EQ(folded_pattern("user:", "user:", ":/."), "");
  EXPECT_EQ(folded_pattern("users:alice:*", "user:", ":/."), "");
}

TEST(KeyFanout, HashesTheSameInEveryRun) {
  EXPECT_EQ(stable_hash(""), 0xcbf29ce484222325U);
  EXPECT_EQ(stable_hash("a"), 0xaf63dc4c8601ec8cU);  // FNV-1a reference values
}

}  // namespace
}  // namespace midst::sources::redis_info
