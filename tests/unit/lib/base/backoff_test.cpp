#include "lib/base/backoff.hpp"

#include <gtest/gtest.h>

namespace midst {
namespace {

using namespace std::chrono_literals;

constexpr Backoff::Clock::time_point start{};

TEST(Backoff, LetsTheFirstAttemptThrough) {
  EXPECT_EQ(Backoff(100ms, 1s).running(start), nullptr);
}

TEST(Backoff, WaitsHalfToWholeOfTheFirstWaitAndTellsWhy) {
  for (int i = 0; i < 100; ++i) {
    Backoff backoff(100ms, 1s);
    backoff.begin(Error{Errc::dns, "no such host"}, start);
    ASSERT_NE(backoff.running(start + 49ms), nullptr);
    EXPECT_EQ(backoff.running(start + 49ms)->code, Errc::dns);
    EXPECT_EQ(backoff.running(start + 101ms), nullptr);
  }
}

TEST(Backoff, DoublesWithEachFailureUpToTheLongest) {
  Backoff backoff(100ms, 300ms);
  for (const auto wait : {100ms, 200ms, 300ms, 300ms}) {
    backoff.begin(Error{Errc::closed, ""}, start);
    EXPECT_NE(backoff.running(start + wait / 2 - 1ms), nullptr);
    EXPECT_EQ(backoff.running(start + wait + 1ms), nullptr);
  }
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff(100ms, 10s);
  for (int i = 0; i < 5; ++i) backoff.begin(Error{Errc::closed, ""}, start);
  backoff.reset();
  EXPECT_EQ(backoff.running(start), nullptr);
  backoff.begin(Error{Errc::closed, ""}, start);
  EXPECT_EQ(backoff.running(start + 101ms), nullptr);
}

}  // namespace
}  // namespace midst
