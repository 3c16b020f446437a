// The sampler's pace, with a clock of the test.
#include "agent/sources/redis/sampler/duty_budget.hpp"

#include <gtest/gtest.h>

#include <random>

namespace midst::sources::redis_info {
namespace {

using namespace std::chrono_literals;
using Time = DutyBudget::Clock::time_point;

constexpr Time start{1h};

TEST(DutyBudget, LetsTheNextStepBeginWhenTheShareIsKept) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(200us, start);
  budget.note_step({start, start + 700us, 30, {}});
  EXPECT_EQ(budget.busy(), 500us) << "the reply's time without the round trip";
  EXPECT_EQ(budget.next_at(), start + 50ms);
  EXPECT_DOUBLE_EQ(budget.duty_ratio(start + 1ms), 0.01) << "the wait that is owed counts";
  EXPECT_DOUBLE_EQ(budget.duty_ratio(start + 100ms), 0.005);
}

TEST(DutyBudget, CountsCommandsAtLeastWhatTheyCostAnyServer) {
  DutyBudget budget({0.1, 500us, 10, 500});
  budget.note_round_trip(1ms, start);
  budget.note_step({start, start + 1ms, 100, {}});
  EXPECT_EQ(budget.busy(), 20us);
  EXPECT_EQ(budget.next_at(), start + 200us);
}

TEST(DutyBudget, TakesTheWholeReplyTimeWhileItKnowsNoRoundTrip) {
  DutyBudget budget({0.5, 500us, 10, 500});
  budget.note_check({start, start + 300us, 1, {}});
  budget.note_check({start + 600us, start + 700us, 1, {}});
  EXPECT_EQ(budget.shortest_round_trip(), 100us) << "no reply comes sooner than the round trip";
}

TEST(DutyBudget, ForgetsARoundTripAfterTwoMinutesAtTheLatest) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(100us, start);
  budget.note_round_trip(300us, start + 61s);
  EXPECT_EQ(budget.shortest_round_trip(), 100us);
  budget.note_round_trip(250us, start + 122s);
  EXPECT_EQ(budget.shortest_round_trip(), 250us);
  budget.note_round_trip(900us, start + 600s);
  EXPECT_EQ(budget.shortest_round_trip(), 900us);
}

TEST(DutyBudget, OwesForChecksAndStepsAlike) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(0us, start);
  budget.note_check({start, start + 100us, 3, {}});
  EXPECT_EQ(budget.next_at(), start + 10ms);
  budget.note_step({start + 1ms, start + 1100us, 3, {}});
  EXPECT_EQ(budget.next_at(), start + 20ms) << "a step that came early is added to what is owed";
  EXPECT_EQ(budget.count(), 12) << "only the step adapts COUNT";
}

TEST(DutyBudget, TrustsTheServersOwnClock) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(100us, start);
  budget.note_step({start, start + 30ms, 3, 180us});
  EXPECT_EQ(budget.busy(), 200us) << "and what is around the commands";
  EXPECT_EQ(budget.next_at(), start + 20ms) << "not what others kept it waiting";
  budget.note_check({start, start + 150us, 3, 1h});
  EXPECT_EQ(budget.busy(), 350us) << "but not a clock that was set";
}

TEST(DutyBudget, PaysTheUsualPriceForAStepThatWasLost) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(10ms, start);
  budget.note_lost(start);
  EXPECT_EQ(budget.next_at(), start + 50ms) << "however long the server hung";
  EXPECT_EQ(budget.shortest_round_trip(), 10ms);
  EXPECT_EQ(budget.count(), 10);
}

TEST(DutyBudget, GrowsCountByAQuarterUpToTheTargetAndNoFurther) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(0us, start);
  auto now = start;
  int last = budget.count();
  EXPECT_EQ(last, 10);
  for (int step = 0; step < 40; ++step) {  // a server that takes 2.5 µs a key
    budget.note_step({now, now + 2500ns * budget.count(), 1, {}});
    EXPECT_LE(budget.count(), last * 5 / 4 + 1);
    last = budget.count();
    now = budget.next_at();
  }
  EXPECT_NEAR(last, 200, 1);
  for (int step = 0; step < 40; ++step) {  // and one that is ten times as fast
    budget.note_step({now, now + 250ns * budget.count(), 1, {}});
    now = budget.next_at();
  }
  EXPECT_EQ(budget.count(), 500);
}

TEST(DutyBudget, CutsCountWhenAStepIsSlowButNotBelowTheLeast) {
  DutyBudget budget({0.01, 500us, 10, 500});
  budget.note_round_trip(0us, start);
  auto now = start;
  for (int step = 0; step < 40; ++step) {
    budget.note_step({now, now + 100ns * budget.count(), 1, {}});
    now = budget.next_at();
  }
  ASSERT_EQ(budget.count(), 500);
  budget.note_step({now, now + 20ms, 1, {}});
  EXPECT_EQ(budget.count(), 250) << "at most by half at a time";
  for (int step = 0; step < 20; ++step) {
    now = budget.next_at();
    budget.note_step({now, now + 20ms, 1, {}});
  }
  EXPECT_EQ(budget.count(), 10);
  budget.shrink();
  EXPECT_EQ(budget.count(), 5) << "but for replies that are too big";
  for (int i = 0; i < 10; ++i) budget.shrink();
  EXPECT_EQ(budget.count(), 1);
}

TEST(DutyBudget, NeverTakesMoreThanItsShareWhateverTheStepsTake) {
  std::minstd_rand random(7);
  std::exponential_distribution<double> durations(1.0 / 400);
  DutyBudget budget({0.02, 500us, 10, 500});
  budget.note_round_trip(50us, start);
  auto now = start;
  for (int step = 0; step < 5000; ++step) {
    const auto elapsed = 50us + std::chrono::microseconds(static_cast<int>(durations(random)));
    budget.note_step({now, now + elapsed, 20, {}});
    now = budget.next_at();
    EXPECT_LE(budget.duty_ratio(now), 0.0201);
  }
  const auto share = std::chrono::duration<double>(budget.busy()) / std::chrono::duration<double>(now - start);
  EXPECT_NEAR(share, 0.02, 1e-9);
}

TEST(DutyBudget, ShowsNoDutyWhenNothingWasDoneForLong) {
  DutyBudget budget({0.01, 500us, 10, 500});
  EXPECT_EQ(budget.duty_ratio(start), 0);
  budget.note_round_trip(0us, start);
  budget.note_step({start, start + 1ms, 1, {}});
  EXPECT_EQ(budget.duty_ratio(start + 121s), 0);
}

}  // namespace
}  // namespace midst::sources::redis_info
