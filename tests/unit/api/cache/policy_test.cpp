#include "api/cache/policy.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

using namespace std::chrono_literals;

TEST(CachePolicy, KeepsAProfileForTenMinutesAndAPageForOne) {
  EXPECT_EQ(policy::profile_ttl, 600s);
  EXPECT_EQ(policy::profile_page_ttl, 60s);
}

TEST(CachePolicy, WritesKeysInOneNamespace) {
  EXPECT_EQ(policy::profile_key("0190a6b2"), "midst:profile:0190a6b2");
  EXPECT_EQ(policy::profile_page_key(40, 20), "midst:profiles:page:40:20");
}

TEST(CachePolicy, MakesAProfileAndEveryPageStaleWhenItIsWritten) {
  const auto stale = policy::profile_written("0190a6b2");
  EXPECT_EQ(stale.keys, (std::vector<std::string>{"midst:profile:0190a6b2"}));
  EXPECT_EQ(stale.prefixes, (std::vector<std::string>{"midst:profiles:page:"}));
  EXPECT_TRUE(policy::profile_page_key(0, 1).starts_with(stale.prefixes[0]));
}

TEST(CachePolicy, ShortensALifetimeByAtMostATenth) {
  EXPECT_EQ(policy::jittered(600s, 0.0), 600'000ms);
  EXPECT_EQ(policy::jittered(600s, 0.5), 570'000ms);
  EXPECT_GE(policy::jittered(600s, 0.999999), 540'000ms);
}

}  // namespace
}  // namespace midst::api
