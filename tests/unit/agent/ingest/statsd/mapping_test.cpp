#include "agent/ingest/statsd/mapping.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::ingest::statsd {
namespace {

MappingRule rule(std::string pattern, std::string name, MappingRule::Match match = MappingRule::Match::glob,
                 MappingRule::Only only = MappingRule::Only::any) {
  MappingRule made;
  made.pattern = std::move(pattern);
  made.name = std::move(name);
  made.match = match;
  made.only = only;
  return made;
}

std::string mapped(const Mapper& mapper, std::string_view name, Type type = Type::counter) {
  Mapper::Match match;
  if (!mapper.find(name, type, match)) return "-";
  std::string out = match.name;
  for (const auto& [label, value] : match.labels) out += " " + label + "=" + value;
  return out;
}

std::string error_of(const MappingRule& wrong) {
  const auto done = check(wrong);
  return done ? "" : done.error().message;
}

constexpr auto regex = MappingRule::Match::regex;

TEST(StatsdMapping, FillsInWhatTheStarsOfAGlobStandFor) {
  auto first = rule("app.*.db.*", "db_${2}_$1");
  first.labels = {{"all", "$0"}, {"both", "$1-$2x"}, {"dollar", "$"}, {"more", "a$$1"}};
  const Mapper mapper({first});
  EXPECT_EQ(mapped(mapper, "app.web.db.read"), "db_read_web all=app.web.db.read both=web-readx dollar=$ more=a$web");
  EXPECT_EQ(mapped(mapper, "app.web.db"), "-");
  EXPECT_EQ(mapped(mapper, "app.web.db.read.more"), "-");
  EXPECT_EQ(mapped(mapper, "appx.web.db.read"), "-");
  EXPECT_EQ(mapped(mapper, "app..db."), "db__ all=app..db. both=-x dollar=$ more=a$");
}

TEST(StatsdMapping, TriesGlobsInTheirOrderAndGoesBackWhereAWayEnds) {
  const Mapper mapper({rule("a.*.c", "star"), rule("a.b.*", "tail"), rule("a.b.c", "exact"), rule("*.*.*.d", "deep"),
                       rule("a.b.x.e", "end")});
  EXPECT_EQ(mapped(mapper, "a.b.c"), "star");
  EXPECT_EQ(mapped(mapper, "a.b.d"), "tail");
  EXPECT_EQ(mapped(mapper, "a.b.x.d"), "deep");
  EXPECT_EQ(mapped(mapper, "a.b.x.e"), "end");
  EXPECT_EQ(mapped(mapper, "a.b.x.f"), "-");
}

TEST(StatsdMapping, KeepsRulesToTheirTypes) {
  using Only = MappingRule::Only;
  const Mapper mapper({rule("a.*", "gauge", MappingRule::Match::glob, Only::gauge),
                       rule("a.*", "observer", MappingRule::Match::glob, Only::observer),
                       rule("a.(.*)", "counter_$1", regex, Only::counter), rule("a", "any", regex)});
  EXPECT_EQ(mapped(mapper, "a.b", Type::gauge), "gauge");
  EXPECT_EQ(mapped(mapper, "a.b", Type::timing), "observer");
  EXPECT_EQ(mapped(mapper, "a.b", Type::histogram), "observer");
  EXPECT_EQ(mapped(mapper, "a.b", Type::counter), "counter_b");
  EXPECT_EQ(mapped(mapper, "a.b", Type::set), "any");
}

TEST(StatsdMapping, TriesExpressionsAfterGlobsAndKnowsNamedGroups) {
  auto named = rule(R"(^web\.(?P<host>\w+)\.(\d+)$)", "web_$2", regex);
  named.labels = {{"host", "${host}"}, {"h", "$host"}};
  const Mapper mapper({rule("unanchored(x?)", "found_$1", regex), named, rule("web.one.*", "glob")});
  EXPECT_EQ(mapped(mapper, "web.one.7"), "glob");
  EXPECT_EQ(mapped(mapper, "web.two.7"), "web_7 host=two h=two");
  EXPECT_EQ(mapped(mapper, "some.unanchored.name"), "found_");
}

TEST(StatsdMapping, TakesTimeThatIsLinearInTheName) {
  const Mapper mapper({rule("(a*)*b", "never", regex)});
  EXPECT_EQ(mapped(mapper, std::string(60'000, 'a')), "-");
}

TEST(StatsdMapping, SaysWhatIsWrongWithARule) {
  EXPECT_EQ(error_of(rule("a.*", "x_$1")), "");
  EXPECT_EQ(error_of(rule("", "x")), "match is missing");
  EXPECT_EQ(error_of(rule("a.*", "")), "name is missing");
  EXPECT_EQ(error_of(rule("a.*", "x_$2")), "$2 stands for nothing: the match has 1 such place");
  EXPECT_EQ(error_of(rule("a", "${x}", regex)), "$x stands for nothing: the match has 0 such places");
  EXPECT_EQ(error_of(rule("a(", "x", regex)), "match \"a(\": missing ): a(");
  for (const auto* wrong : {"a*", "a..b", ".a", "a.", "**"})
    EXPECT_NE(error_of(rule(wrong, "x")).find("stands for one whole part"), std::string::npos) << wrong;
  auto scaled = rule("a", "x");
  scaled.scale = 0;
  EXPECT_EQ(error_of(scaled), "scale is neither 0 nor infinite");
  auto bounds = rule("a", "x");
  bounds.bounds = {1, 1};
  EXPECT_EQ(error_of(bounds), "buckets have to ascend");
  auto dropped = rule("a", "");
  dropped.action = MappingRule::Action::drop;
  EXPECT_EQ(error_of(dropped), "");
}

}  // namespace
}  // namespace midst::ingest::statsd
