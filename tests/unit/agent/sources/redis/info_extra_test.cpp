#include "agent/sources/redis/info/info_extra.hpp"

#include "lib/base/text.hpp"

#include "agent/sources/redis/info/info.hpp"
#include "agent/sources/redis/info/vitals.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {
namespace {

/// The redis_info_field samples of an INFO text and what was folded.
std::string extra(std::string_view info, std::vector<std::string> patterns, std::size_t max_fields = 10) {
  InfoOptions options;
  options.extra_fields = patterns;
  options.max_extra_fields = max_fields;
  metrics::SnapshotBuilder builder;
  const auto facts = read_info(info, options, builder);
  if (!facts) return describe(facts.error());
  std::string all = test::samples_of(test::page_of(builder)), wanted;
  for (std::string_view rest = all; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(line.size());
    if (line.starts_with("redis_info_field") || line.starts_with("redis_exporter_folded")) wanted += line;
  }
  return test::sorted(wanted);
}

TEST(RedisInfoField, MatchesGlobs) {
  for (const auto& [pattern, text] : std::vector<std::pair<std::string_view, std::string_view>>{{"", ""},
                                                                                                {"*", ""},
                                                                                                {"*", "abc"},
                                                                                                {"a?c", "abc"},
                                                                                                {"a*", "abc"},
                                                                                                {"*c", "abc"},
                                                                                                {"a*c", "abbbc"},
                                                                                                {"*b*", "abc"},
                                                                                                {"**", "x"},
                                                                                                {"a*b*c", "a_b_b_c"},
                                                                                                {"?", "x"}})
    EXPECT_TRUE(text::matches_glob(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"", "a"}, {"?", ""}, {"a", "ab"}, {"a*c", "abcd"}, {"*x*", "abc"}, {"A", "a"}, {"a?c", "ac"}})
    EXPECT_FALSE(text::matches_glob(pattern, text)) << pattern << " " << text;
}

TEST(RedisInfoField, MatchesALongPatternWithoutGoingAstray) {
  const std::string text(20'000, 'a');
  EXPECT_FALSE(text::matches_glob("*a*a*a*a*a*a*a*a*b", text));
}

TEST(RedisInfoField, ShowsOnlyUnknownNumbersThatWereAskedFor) {
  const std::string_view info =
      "# Server\nhz:10\nnew_one:1\nnew_text:abc\n# Stats\nnew_two:2.5\nother:3\nnew_state:ok\n";
  EXPECT_EQ(extra(info, {}), "");
  EXPECT_EQ(extra(info, {"hz", "new_*"}),
            "redis_info_field{field=\"new_one\",section=\"server\"} 1\n"
            "redis_info_field{field=\"new_state\",section=\"stats\"} 1\n"
            "redis_info_field{field=\"new_two\",section=\"stats\"} 2.5\n");
  EXPECT_EQ(extra(info, {"stats:new_t*"}), "redis_info_field{field=\"new_two\",section=\"stats\"} 2.5\n");
  EXPECT_EQ(extra(info, {"s*:oth?r"}), "redis_info_field{field=\"other\",section=\"stats\"} 3\n");
}

TEST(RedisInfoField, StopsAtTheLimitAndCountsTheRest) {
  const std::string_view info = "hz:10\na1:1\na2:2\na3:3\n";
  EXPECT_EQ(extra(info, {"a?"}, 3),
            "redis_info_field{field=\"a1\",section=\"\"} 1\nredis_info_field{field=\"a2\",section=\"\"} 2\n"
            "redis_info_field{field=\"a3\",section=\"\"} 3\n");
  EXPECT_EQ(extra(info, {"a?"}, 2),
            "redis_exporter_folded_series{metric=\"redis_info_field\"} 1\n"
            "redis_info_field{field=\"a1\",section=\"\"} 1\nredis_info_field{field=\"a2\",section=\"\"} 2\n");
}

TEST(RedisVitals, AreSortedFewAndKnownByName) {
  EXPECT_TRUE(is_vital("redis_up"));
  EXPECT_TRUE(is_vital("redis_memory_used_bytes"));
  EXPECT_FALSE(is_vital("redis_commands_total"));
  EXPECT_FALSE(is_vital("redis_u"));
  EXPECT_FALSE(is_vital(""));
  EXPECT_LE(vital_families().size(), 45u);
  const std::set<std::string_view> unique(vital_families().begin(), vital_families().end());
  EXPECT_EQ(unique.size(), vital_families().size());
}

}  // namespace
}  // namespace midst::sources::redis_info
