#include "agent/sources/postgres/top/sticky_top.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Deadline start{};

Membership update(StickyTop& top, std::vector<Candidate> candidates, Deadline now) {
  return top.update(candidates, now);
}

TEST(StickyTop, TheHeaviestTakeTheFreePlacesAndOfEqualOnesTheFirst) {
  StickyTop top(3, 10min);
  const auto changed = update(top, {{0, 1}, {1, 5}, {2, 3}, {3, 3}, {4, 3}}, start);
  EXPECT_THAT(changed.joined, ElementsAre(1, 2, 3));
  EXPECT_THAT(changed.displaced, IsEmpty());
  EXPECT_TRUE(top.is_full());
  EXPECT_FALSE(top.is_member(4));
}

TEST(StickyTop, ANewcomerWaitsUntilTheHoldIsOverAndIsClearlyHeavier) {
  StickyTop top(2, 10min);
  (void)update(top, {{0, 10}, {1, 20}}, start);
  EXPECT_THAT(update(top, {{0, 10}, {1, 20}, {2, 100}}, start + 10min - 1ms).displaced, IsEmpty());
  EXPECT_THAT(update(top, {{0, 10}, {1, 20}, {2, 12.5}}, start + 10min).displaced, IsEmpty())
      << "a fifth is not enough";
  const auto changed = update(top, {{0, 10}, {1, 20}, {2, 12.6}}, start + 10min);
  EXPECT_THAT(changed.displaced, ElementsAre(0));
  EXPECT_THAT(changed.displacing, ElementsAre(2));
  EXPECT_THAT(changed.joined, IsEmpty());
  EXPECT_THAT(update(top, {{0, 50}, {1, 90}, {2, 12}}, start + 11min).displaced, IsEmpty())
      << "its hold has begun anew";
}

TEST(StickyTop, TheHeaviestNewcomersDisplaceTheLightestMembers) {
  StickyTop top(3, 0ms);
  (void)update(top, {{0, 1}, {1, 2}, {2, 30}}, start);
  const auto changed = update(top, {{0, 1}, {1, 2}, {2, 30}, {3, 20}, {4, 40}, {5, 1}}, start + 1s);
  EXPECT_THAT(changed.displaced, ElementsAre(0, 1));
  EXPECT_THAT(changed.displacing, ElementsAre(4, 3));
  EXPECT_EQ(top.size(), 3U);
}

TEST(StickyTop, AMemberThatIsNoCandidateWeighsNothingAndEqualWeightsChangeNothing) {
  StickyTop top(1, 0ms);
  (void)update(top, {{7, 5}}, start);
  EXPECT_THAT(update(top, {{8, 0}}, start + 1s).displaced, IsEmpty());
  EXPECT_THAT(update(top, {{7, 5}, {8, 5}}, start + 1s).displaced, IsEmpty());
  EXPECT_THAT(update(top, {{8, 0.001}}, start + 1s).displaced, ElementsAre(7));
}

TEST(StickyTop, ARemovedMemberLeavesRoom) {
  StickyTop top(1, 10min);
  (void)update(top, {{0, 5}}, start);
  top.remove(0);
  top.remove(0);
  EXPECT_EQ(top.size(), 0U);
  EXPECT_THAT(update(top, {{1, 0}}, start + 1s).joined, ElementsAre(1));
}

TEST(StickyTop, WithoutALimitEveryoneIsAMember) {
  StickyTop top(0, 10min);
  std::vector<Candidate> many;
  for (std::uint32_t id = 0; id < 1000; ++id) many.push_back({id, 0});
  EXPECT_EQ(update(top, many, start).joined.size(), 1000U);
  EXPECT_FALSE(top.is_full());
}

}  // namespace
}  // namespace midst::sources
