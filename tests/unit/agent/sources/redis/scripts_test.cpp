#include "agent/sources/redis/keys/scripts.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using Outcome = ScriptValues::Outcome;
using Values = std::vector<std::pair<std::string, double>>;
using test::bulk;
using test::reply_of;

TEST(RedisScripts, ReadNamesAndNumbersInTurn) {
  const auto result = read_script_values(reply_of("*8\r\n" + bulk("a") + bulk("1.5") + bulk("b") + ":2\r\n" + ":3\r\n" +
                                                  bulk("-1e3") + bulk("") + bulk("0")),
                                         10);
  EXPECT_EQ(result.outcome, Outcome::good);
  EXPECT_EQ(result.values, (Values{{"a", 1.5}, {"b", 2}, {"3", -1000}, {"", 0}}));
}

TEST(RedisScripts, TellNothingFromAFailure) {
  EXPECT_EQ(read_script_values(reply_of("*0\r\n"), 10).outcome, Outcome::empty);
  EXPECT_EQ(read_script_values(reply_of("$-1\r\n"), 10).outcome, Outcome::empty);
  EXPECT_EQ(read_script_values(reply_of("-ERR Error compiling script\r\n"), 10).outcome, Outcome::failed);
  EXPECT_EQ(read_script_values(reply_of(":1\r\n"), 10).outcome, Outcome::failed);
  EXPECT_EQ(read_script_values(reply_of("*1\r\n" + bulk("a")), 10).outcome, Outcome::failed);
}

TEST(RedisScripts, KeepTheNumbersBesideAValueThatIsNone) {
  const auto result = read_script_values(
      reply_of("*6\r\n" + bulk("a") + bulk("1") + bulk("b") + bulk("x") + bulk("c") + bulk("3")), 10);
  EXPECT_EQ(result.outcome, Outcome::failed);
  EXPECT_EQ(result.values, (Values{{"a", 1}, {"c", 3}}));
}

TEST(RedisScripts, KeepNoMoreThanTheLimit) {
  const auto reply = reply_of("*4\r\n" + bulk("a") + bulk("1") + bulk("b") + bulk("2"));
  EXPECT_EQ(read_script_values(reply, 2).left_out, 0U);
  const auto result = read_script_values(reply, 1);
  EXPECT_EQ(result.outcome, Outcome::good);
  EXPECT_EQ(result.values, (Values{{"a", 1}}));
  EXPECT_EQ(result.left_out, 1U);
}

}  // namespace
}  // namespace midst::sources::redis_info
