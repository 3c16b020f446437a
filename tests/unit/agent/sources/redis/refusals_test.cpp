#include "agent/sources/redis/refusals.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace midst::sources::redis_info {
namespace {

using namespace std::chrono_literals;
using test::reply_of;

const auto begin = std::chrono::steady_clock::time_point{} + 1h;
const redis::Reply denied = reply_of("-NOPERM this user has no permissions to run the 'config|get' command\r\n");
const redis::Reply denied_key = reply_of("-NOPERM this user has no permissions to access one of the keys\r\n");
const redis::Reply unknown = reply_of("-ERR unknown command 'COMMANDLOG', with args beginning with: \r\n");
const redis::Reply loading = reply_of("-LOADING Redis is loading the dataset in memory\r\n");
const redis::Reply fine = reply_of("+OK\r\n");

TEST(RedisCommandName, IsTheOneOfAclRules) {
  EXPECT_EQ(command_name({"INFO", "server"}), "info");
  EXPECT_EQ(command_name({"CONFIG", "GET", "maxmemory"}), "config|get");
  EXPECT_EQ(command_name({"xinfo", "STREAM", "k"}), "xinfo|stream");
  EXPECT_EQ(command_name({"CLUSTER"}), "cluster");
  EXPECT_EQ(command_name({}), "");
}

TEST(RedisRefusals, RememberADeniedCommandByItsNameForItsTime) {
  Refusals refusals(60s);
  EXPECT_TRUE(refusals.note({"CONFIG", "GET", "a"}, denied, begin));
  EXPECT_FALSE(refusals.note({"CONFIG", "GET", "b"}, denied, begin));
  ASSERT_NE(refusals.find({"CONFIG", "GET", "b"}, begin + 59s), nullptr);
  EXPECT_EQ(refusals.find({"CONFIG", "GET", "b"}, begin + 59s)->text, denied.text);
  EXPECT_EQ(refusals.find({"CONFIG", "SET", "b", "1"}, begin), nullptr);
  EXPECT_EQ(refusals.find({"CONFIG", "GET", "b"}, begin + 60s), nullptr);
}

TEST(RedisRefusals, RememberADeniedKeyByTheWholeCommand) {
  Refusals refusals(60s);
  EXPECT_FALSE(refusals.note({"TYPE", "secret"}, denied_key, begin));
  EXPECT_NE(refusals.find({"TYPE", "secret"}, begin), nullptr);
  EXPECT_EQ(refusals.find({"TYPE", "open"}, begin), nullptr);
  EXPECT_EQ(refusals.find({"TYPEs", "ecret"}, begin), nullptr);
}

TEST(RedisRefusals, RememberWhatTheServerDoesNotKnow) {
  Refusals refusals(60s);
  refusals.note({"COMMANDLOG", "LEN", "slow"}, unknown, begin);
  EXPECT_NE(refusals.find({"COMMANDLOG", "LEN", "large-reply"}, begin), nullptr);
}

TEST(RedisRefusals, DoNotTakePassingErrorsForRefusals) {
  Refusals refusals(60s);
  refusals.note({"SLOWLOG", "LEN"}, loading, begin);
  refusals.note({"SLOWLOG", "LEN"}, reply_of("-MOVED 1 127.0.0.1:7000\r\n"), begin);
  refusals.note({"SLOWLOG", "LEN"}, reply_of("-WRONGTYPE x\r\n"), begin);
  EXPECT_EQ(refusals.size(), 0u);
}

TEST(RedisRefusals, EndWhenTheCommandIsAllowedOrAnotherServerAnswers) {
  Refusals refusals(60s);
  refusals.note({"CONFIG", "GET", "a"}, denied, begin);
  refusals.note({"CONFIG", "GET", "a"}, fine, begin + 61s);
  EXPECT_EQ(refusals.find({"CONFIG", "GET", "a"}, begin), nullptr);
  refusals.note_oversized({"CLIENT", "LIST"}, begin);
  EXPECT_NE(refusals.find({"CLIENT", "LIST"}, begin), nullptr);
  refusals.clear();
  EXPECT_EQ(refusals.find({"CLIENT", "LIST"}, begin), nullptr);
}

TEST(RedisRefusals, AreBounded) {
  Refusals refusals(60s);
  for (std::size_t i = 0; i < Refusals::limit + 10; ++i)
    refusals.note({"TYPE", "key" + std::to_string(i)}, denied_key, begin);
  EXPECT_EQ(refusals.size(), Refusals::limit);
}

}  // namespace
}  // namespace midst::sources::redis_info
