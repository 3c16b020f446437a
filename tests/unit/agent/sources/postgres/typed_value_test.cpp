#include "agent/sources/postgres/typed_value.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

namespace midst::sources {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(TypedValue, TimestampsAreUnixSeconds) {
  const std::pair<std::string, double> table[] = {{"1970-01-01", 0},
                                                  {"1970-01-01 00:00:00", 0},
                                                  {"1970-01-01 00:00:00+01", -3600},
                                                  {"2026-11-23 20:03:49.5+00", 1795464229.5},
                                                  {"2026-11-23 20:03:49.123456-03:30", 1795476829.123456},
                                                  {"1969-12-31 23:59:59", -1},
                                                  {"2000-02-29", 951782400},
                                                  {"1890-01-01 00:00:00+00:19:32", -2524522772.0},
                                                  {"0001-12-31 BC", -62135683200.0},
                                                  {"10000-01-01", 253402300800.0},
                                                  {"infinity", infinity},
                                                  {"-infinity", -infinity}};
  for (const auto& [text, seconds] : table) EXPECT_EQ(parse_timestamp(text), seconds) << text;
}

TEST(TypedValue, OtherTextsAreNoTimestamp) {
  for (const std::string text :
       {"", "now", "2026", "2026-11", "2026-13-01", "2026-02-30", "26-01-01", "2026-11-23T20:03:49", "2026-11-23 ",
        "2026-11-23 20:03", "2026-11-23 20:03:4", "2026-11-23 20:03:49x", "2026-11-23 20:03:49+",
        "2026-11-23 20:03:49+1", "2026-11-23 20:03:49+01:", "23.11.2026", "Mon Nov 23 20:03:49 2026", "99999-01-01",
        "2026-11-23 20:03:49..5"})
    EXPECT_EQ(parse_timestamp(text), std::nullopt) << text;
}

TEST(TypedValue, SpansAreSecondsOfIntervalsAndOfDurations) {
  const std::pair<std::string, double> table[] = {{"00:00:00", 0},
                                                  {"00:01:02.5", 62.5},
                                                  {"-00:00:01", -1},
                                                  {"100:00:00", 360000},
                                                  {"1 day", 86400},
                                                  {"3 days 04:05:06", 273906},
                                                  {"-2 days +00:00:10", -172790},
                                                  {"1 mon", 2592000},
                                                  {"1 year 2 mons -3 days +04:05:06.7", 36497106.7},
                                                  {"10ms", 0.01},
                                                  {"1h30m", 5400},
                                                  {"-1.5h", -5400},
                                                  {"250us", 250e-6},
                                                  {"250µs", 250e-6},
                                                  {"1d", 86400},
                                                  {"0", 0}};
  for (const auto& [text, seconds] : table) EXPECT_DOUBLE_EQ(parse_span(text).value_or(infinity), seconds) << text;
}

TEST(TypedValue, OtherTextsAreNoSpan) {
  for (const std::string text : {"", "-", "-1", "5", "1 fortnight", "1 day 2", "1 day 00:00", "00:00:00 1 day", "1day2",
                                 "h", "1.2.3s", "1 s", "PT1S", "1e3s", "1 days x", "@ 1 day", " 1 day"})
    EXPECT_EQ(parse_span(text), std::nullopt) << text;
}

TEST(TypedValue, OnlyDatesAndTimestampsArePointsInTime) {
  EXPECT_TRUE(is_time(1082) && is_time(1114) && is_time(1184));
  EXPECT_FALSE(is_time(0) || is_time(16) || is_time(25) || is_time(1186));
}

}  // namespace
}  // namespace midst::sources
