#include "agent/sources/redis/keys/lua_pattern.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

/// Beside these, tests/integration/redis/key_groups_test.cpp compares thousands of patterns with the server's own Lua.
struct Row {
  const char* pattern;
  const char* subject;
  std::optional<std::string> captures;
};
const Row rows[] = {
    {"^(user):", "user:17", "user"},
    {"^(user):", "a user:17", std::nullopt},
    {"^([^:]+):.*$", "cart:1:items", "cart"},
    {"^([^:]+):[^:]+:([^:]+)$", "cart:1:items", "cartitems"},
    {"(%a+)%d*", "12abc34", "abc"},
    {"abc", "xxabcxx", ""},
    {"", "anything", ""},
    {"()b()", "abc", "23"},
    {"^(.-)_(.*)$", "a_b_c", "ab_c"},
    {"^(.*)_(.*)$", "a_b_c", "a_bc"},
    {"(x*)", "aax", ""},
    {"(x+)", "aaxxb", "xx"},
    {"(a?)b", "ab", "a"},
    {"(a?)b", "b", ""},
    {"(a-)b", "aaab", "aaa"},
    {"(%d%d)%-(%d%d)", "10-20", "1020"},
    {"([%w_]+)", "--a_1--", "a_1"},
    {"([^%s]+)", "  ab cd", "ab"},
    {"([]]+)", "a]]b", "]]"},
    {"([^]]+)", "]]ab]", "ab"},
    {"([a%-c]+)", "xb-ac", "-ac"},
    {"([a-c]+)", "xxbcad", "bca"},
    {"([-a]+)", "x-a-", "-a-"},
    {"([a-]+)", "x-a-", "-a-"},
    {"(%b())", "f(a(b)c)d", "(a(b)c)"},
    {"%f[%a](%a+)", "12 THE (quick)", "THE"},
    {"(%a+)%f[%A]", "THE", "THE"},
    {"(.)%1", "abccd", "c"},
    {"^(a)(b)%2%1$", "abba", "ab"},
    {"a$", "ba", ""},
    {"a$b", "a$b", ""},
    {"a^b", "a^b", ""},
    {"(%%)", "10%", "%"},
    {"(%.)", "a.b", "."},
    {"(%S+)", " x y", "x"},
    {"(%U+)", "ABcdE", "cd"},
    {"(%x+)", "zzBEefg", "BEef"},
    {"(%p+)", "ab:;c", ":;"},
    {"(%c)", "a\tb", "\t"},
    {"((a)(b))", "ab", "abab"},
    {"(a*(.)%w(%s*))", "THE (quick) fox", "THT"},
    {"*a", "x*a", ""},
    {"(a**)", "aa*", "aa*"},
    {"(.)$", "xyz", "z"},
    {"^$", "", ""},
    {"^$", "a", std::nullopt},
    {"(%z)", "a", std::nullopt},
};

TEST(RedisLuaPattern, FindsWhatLuaFinds) {
  for (const auto& row : rows) {
    const auto pattern = LuaPattern::parse(row.pattern);
    ASSERT_TRUE(pattern) << row.pattern << ": " << pattern.error().message;
    EXPECT_EQ(pattern->find(row.subject), row.captures) << row.pattern << " in " << row.subject;
  }
}

TEST(RedisLuaPattern, TakesBytesAsTheyAre) {
  EXPECT_EQ(LuaPattern::parse("(%z+)").value().find(std::string("a\0\0b", 4)), std::string("\0\0", 2));
  EXPECT_EQ(LuaPattern::parse("([\x80-\xff]+)").value().find("a\xc3\xa4z"), "\xc3\xa4");
  EXPECT_EQ(LuaPattern::parse("(%a)").value().find("\xc3\xa4"), std::nullopt) << "classes are those of the C locale";
}

TEST(RedisLuaPattern, RefusesWhatLuaRefuses) {
  for (const auto* pattern : {"(",   ")",  "(()", "a)", "%",   "a%", "[",    "[a", "[^",   "[%",   "[]",
                              "[^]", "%b", "%bx", "%f", "%fa", "%1", "(%1)", "%0", "()%1", "(a)%2"}) {
    const auto parsed = LuaPattern::parse(pattern);
    ASSERT_FALSE(parsed) << pattern;
    EXPECT_EQ(parsed.error().code, Errc::config);
    EXPECT_NE(parsed.error().message.find(std::string("\"") + pattern + "\""), std::string::npos);
  }
  std::string many, too_many;
  for (int i = 0; i < 32; ++i) many += "(a)";
  EXPECT_TRUE(LuaPattern::parse(many));
  EXPECT_FALSE(LuaPattern::parse(many + "(a)"));
}

TEST(RedisLuaPattern, GivesUpAfterSoManySteps) {
  const auto slow = LuaPattern::parse(".-.-.-.-.-.-.-.-x$").value();
  EXPECT_EQ(slow.find(std::string(5000, 'a')), std::nullopt);
  const auto greedy = LuaPattern::parse("(a*)").value();
  EXPECT_EQ(greedy.find(std::string(1000, 'a'), 10'000), std::string(1000, 'a'));
  EXPECT_EQ(greedy.find(std::string(1000, 'a'), 500), std::nullopt) << "a cut result would be another group";
  const auto deep = LuaPattern::parse([] {
                      std::string pattern;
                      for (int i = 0; i < 10'000; ++i) pattern += "a?";
                      return pattern;
                    }())
                        .value();
  (void)deep.find(std::string(10'000, 'a'));
}

TEST(RedisLuaPattern, ReadsTheListAsCommaSeparatedValues) {
  const auto texts = [](std::string_view list) {
    std::vector<std::string> all;
    for (const auto& pattern : parse_lua_patterns(list).value()) all.push_back(pattern.text());
    return all;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(texts(""), Texts{});
  EXPECT_EQ(texts(" , ,"), Texts{});
  EXPECT_EQ(texts("^(a):, ^(b): "), (Texts{"^(a):", "^(b):"}));
  EXPECT_EQ(texts("\"^([^,]+),\",x"), (Texts{"^([^,]+),", "x"}));
  EXPECT_EQ(texts("\"a\"\"b\""), (Texts{"a\"b"}));
  EXPECT_EQ(parse_lua_patterns("a,\"b").error().code, Errc::config);
  EXPECT_EQ(parse_lua_patterns("a,(b").error().message, "Lua pattern \"(b\": a capture is not closed");
}

}  // namespace
}  // namespace midst::sources::redis_info
