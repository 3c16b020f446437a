#include "agent/sources/redis/keys/key_batch.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

Round round_of(const ServerFacts& facts, std::uint64_t connection) {
  const auto now = std::chrono::steady_clock::time_point(std::chrono::hours(10));
  return {facts, 0, connection, now, 1e9, now + std::chrono::seconds(10)};
}

std::vector<std::string> flush(KeyBatch& keys) {
  Batch batch;
  keys.end(batch);
  std::vector<std::string> all;
  for (const auto& command : batch.take()) {
    all.emplace_back();
    for (const auto& word : command) all.back() += (all.back().empty() ? "" : " ") + word;
  }
  return all;
}

KeyTicket look(std::uint32_t index) {
  return {KeyTicket::Part::look, index};
}

using Commands = std::vector<std::string>;

TEST(RedisKeyBatch, SelectsEachDatabaseOnceAndTheOwnOneAtTheEnd) {
  const ServerFacts facts;
  KeyBatch keys(2);
  keys.begin(round_of(facts, 1));
  keys.add(5, {"TYPE", "a"}, look(0));
  keys.add(2, {"TYPE", "b"}, look(1));
  keys.add(0, {"TYPE", "c"}, look(2));
  keys.add(5, {"TYPE", "d"}, look(3));
  EXPECT_EQ(flush(keys), (Commands{"TYPE b", "SELECT 0", "TYPE c", "SELECT 5", "TYPE a", "TYPE d", "SELECT 2"}));
  std::vector<redis::Reply> replies;
  for (const auto* wire : {"+b\r\n", "+OK\r\n", "+c\r\n", "+OK\r\n", "+a\r\n", "+d\r\n", "+OK\r\n"})
    replies.push_back(test::reply_of(wire));
  const auto answers = keys.take(std::move(replies), round_of(facts, 1));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0].reply.text + answers[1].reply.text + answers[2].reply.text + answers[3].reply.text, "bcad");
  EXPECT_EQ(answers[0].ticket, look(1));
  EXPECT_EQ(answers[3].ticket, look(3));
}

TEST(RedisKeyBatch, HandsTheErrorOfSelectToEveryCommandBehindIt) {
  const ServerFacts facts;
  const auto round = round_of(facts, 1);
  KeyBatch keys(0);
  keys.begin(round);
  keys.add(0, {"TYPE", "a"}, look(0));
  keys.add(16, {"TYPE", "b"}, look(1));
  (void)flush(keys);
  std::vector<redis::Reply> replies;
  for (const auto* wire : {"+string\r\n", "-ERR DB index is out of range\r\n", "+list\r\n", "+OK\r\n"})
    replies.push_back(test::reply_of(wire));
  const auto answers = keys.take(std::move(replies), round);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].reply.text, "string");
  EXPECT_EQ(answers[1].reply.text, "ERR DB index is out of range");
  ASSERT_NE(keys.refusal(16, round.now), nullptr);
  EXPECT_EQ(keys.refusal(16, round.now)->message, "SELECT 16: ERR DB index is out of range");
  EXPECT_EQ(keys.refusal(0, round.now), nullptr);
  EXPECT_EQ(keys.refusal(16, round.now + std::chrono::hours(1)), nullptr);
  keys.forget();
  EXPECT_EQ(keys.refusal(16, round.now), nullptr);
}

TEST(RedisKeyBatch, PreparesEachConnectionOnce) {
  ServerFacts facts;
  facts.version = 70200;
  facts.has_cluster = true;
  KeyBatch keys(0);
  const auto asked = [&](std::uint64_t connection, std::size_t replies) {
    keys.begin(round_of(facts, connection));
    keys.add(0, {"DBSIZE"}, look(0));
    auto commands = flush(keys);
    if (replies > 0) (void)keys.take(std::vector<redis::Reply>(replies), round_of(facts, connection));
    return commands;
  };
  EXPECT_EQ(asked(1, 0), (Commands{"CLIENT NO-TOUCH ON", "DBSIZE"}));
  EXPECT_EQ(asked(2, 2), (Commands{"CLIENT NO-TOUCH ON", "DBSIZE"}));
  EXPECT_EQ(asked(2, 1), (Commands{"DBSIZE"}));
  facts.is_replica = true;
  EXPECT_EQ(asked(2, 2), (Commands{"READONLY", "DBSIZE"}));
  EXPECT_EQ(asked(2, 1), (Commands{"DBSIZE"}));
  facts.version = 70015;
  EXPECT_EQ(asked(3, 2), (Commands{"READONLY", "DBSIZE"}));
}

TEST(RedisKeyBatch, AddsNothingToARoundWithoutCommands) {
  ServerFacts facts;
  facts.version = 70200;
  KeyBatch keys(3);
  keys.begin(round_of(facts, 1));
  EXPECT_EQ(flush(keys), Commands{});
}

}  // namespace
}  // namespace midst::sources::redis_info
