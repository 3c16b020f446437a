#include "agent/sources/postgres/custom/versions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace midst::sources {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int newest = std::numeric_limits<int>::max();

TEST(Versions, AVersionIsTheRangeOfAllThatBeginWithIt) {
  EXPECT_EQ(parse_version("14").value(), (VersionRange{140'000, 150'000}));
  EXPECT_EQ(parse_version("9.6").value(), (VersionRange{90'600, 90'700}));
  EXPECT_EQ(parse_version("9.6.5").value(), (VersionRange{90'605, 90'606}));
  EXPECT_EQ(parse_version("16.2").value(), (VersionRange{160'002, 160'003}));
  for (const std::string text : {"", "x", "14.x", "14.1.0", "-1", "14.", ".1", "1.2.3.4", "14beta1", "99999999999"})
    EXPECT_FALSE(parse_version(text)) << text;
}

TEST(Versions, SemanticRangesAreReadAsQueriesFilesHaveThem) {
  const std::pair<std::string, VersionRanges> table[] = {
      {">=9.4.0 <12.0.0", {{90'400, 120'000}}},
      {">= 9.4.0  < 12.0.0", {{90'400, 120'000}}},
      {">=10.0.0", {{100'000, newest}}},
      {"<=14.5.0", {{0, 140'006}}},
      {">14.5.0", {{140'006, newest}}},
      {"14.5.0", {{140'005, 140'006}}},
      {"==9.6.3", {{90'603, 90'604}}},
      {"9.6.x", {{90'600, 90'700}}},
      {"10.x || >=14.0.0", {{100'000, 110'000}, {140'000, newest}}},
      {"<9.2.0||>=9.2.0", {{0, newest}}},
      {"!=13.1.0", {{0, 130'001}, {130'002, newest}}},
      {">=13.0.0 !=13.1.x <14.0.0", {{130'000, 130'001}, {130'002, 140'000}}},
      {">=14.5.1", {{140'006, newest}}},
      {"<14.5.1", {{0, 140'006}}},
      {">=12.0.0 <11.0.0", {}}};
  for (const auto& [text, ranges] : table) {
    const auto parsed = parse_semantic_range(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, ranges) << text;
  }
}

TEST(Versions, OtherTextsAreNoRange) {
  for (const std::string text : {"", " ", "||", ">=10.0.0 ||", ">=", "ten", ">=10.0.0,<12.0.0", "1.x.3", "=>1.0.0",
                                 ">=1.2.3.4", ">=10.0.0-beta"})
    EXPECT_FALSE(parse_semantic_range(text)) << text;
  EXPECT_THAT(parse_semantic_range(">=ten").error().message, HasSubstr("not a version: \"ten\""));
}

TEST(Versions, RangesAreJoinedAndIntersected) {
  EXPECT_THAT(intersection({{0, 10}, {20, 30}}, {{5, 25}}), ElementsAre(VersionRange{5, 10}, VersionRange{20, 25}));
  EXPECT_THAT(intersection({{0, 10}}, {{10, 20}}), IsEmpty());
  EXPECT_TRUE(contains({{0, 10}, {20, 30}}, 20));
  EXPECT_FALSE(contains({{0, 10}, {20, 30}}, 10));
  EXPECT_FALSE(contains({}, 10));
}

}  // namespace
}  // namespace midst::sources
