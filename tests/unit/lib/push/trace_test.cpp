#include "lib/push/trace.hpp"

#include <gtest/gtest.h>

#include <string>

namespace midst::push {
namespace {

TEST(Trace, AValidSampledHeaderGivesItsIds) {
  const auto trace = sampled_trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->trace_id, (std::array<std::uint8_t, 16>{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48,
                                                           0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c}));
  EXPECT_EQ(trace->span_id, (std::array<std::uint8_t, 8>{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}));
  EXPECT_TRUE(trace->is_valid());
}

TEST(Trace, ALaterVersionMayGoOnAfterADash) {
  const std::string header = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
  EXPECT_TRUE(sampled_trace(header));
  EXPECT_TRUE(sampled_trace(header + "-what-comes-then"));
  EXPECT_FALSE(sampled_trace(header + ".what"));
}

TEST(Trace, WhatTheStandardForbidsOrNobodyKeepsGivesNothing) {
  for (const auto* header : {
           "",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",    // not sampled
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",     // cut short
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",  // version 0 ends there
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333x-01",
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0z",
       })
    EXPECT_FALSE(sampled_trace(header)) << header;
}

}  // namespace
}  // namespace midst::push
