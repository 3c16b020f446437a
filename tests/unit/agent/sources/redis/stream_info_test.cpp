#include "agent/sources/redis/keys/stream_info.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::reply_of;

std::string array(const std::vector<std::string>& elements) {
  std::string wire = "*" + std::to_string(elements.size()) + "\r\n";
  for (const auto& element : elements) wire += element;
  return wire;
}

TEST(RedisStreamInfo, ReadsTheMillisecondsOfAnId) {
  EXPECT_EQ(stream_id_milliseconds("1638006862416-0"), 1638006862416.0);
  EXPECT_EQ(stream_id_milliseconds("0-0"), 0.0);
  EXPECT_EQ(stream_id_milliseconds("18446744073709551615-18446744073709551615"), 18446744073709551615.0);
  EXPECT_EQ(stream_id_milliseconds("12"), 12.0);
  for (const auto* id : {"", "-1", "abc", "1.5-0", " 1-0", "123456789012345678901-0"})
    EXPECT_EQ(stream_id_milliseconds(id), std::nullopt) << id;
}

TEST(RedisStreamInfo, ReadsWhatVersion7Says) {
  const auto facts = read_stream(reply_of(array({bulk("length"),
                                                 ":2\r\n",
                                                 bulk("radix-tree-keys"),
                                                 ":1\r\n",
                                                 bulk("radix-tree-nodes"),
                                                 ":2\r\n",
                                                 bulk("last-generated-id"),
                                                 bulk("1638006862521-3"),
                                                 bulk("max-deleted-entry-id"),
                                                 bulk("0-0"),
                                                 bulk("entries-added"),
                                                 ":5\r\n",
                                                 bulk("recorded-first-entry-id"),
                                                 bulk("1638006862416-0"),
                                                 bulk("groups"),
                                                 ":3\r\n",
                                                 bulk("first-entry"),
                                                 array({bulk("1638006862416-0"), array({bulk("a"), bulk("1")})}),
                                                 bulk("last-entry"),
                                                 array({bulk("1638006862521-3"), array({bulk("a"), bulk("2")})})})));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->length, 2);
  EXPECT_EQ(facts->radix_tree_keys, 1);
  EXPECT_EQ(facts->radix_tree_nodes, 2);
  EXPECT_EQ(facts->groups, 3);
  EXPECT_EQ(facts->entries_added, 5);
  EXPECT_EQ(facts->last_generated_id, 1638006862521.0);
  EXPECT_EQ(facts->max_deleted_entry_id, 0);
  EXPECT_EQ(facts->first_entry_id, 1638006862416.0);
  EXPECT_EQ(facts->last_entry_id, 1638006862521.0);
}

TEST(RedisStreamInfo, LeavesOutWhatVersion6DoesNotSay) {
  const auto facts =
      read_stream(reply_of(array({bulk("length"), ":0\r\n", bulk("radix-tree-keys"), ":0\r\n", bulk("radix-tree-nodes"),
                                  ":1\r\n", bulk("last-generated-id"), bulk("0-0"), bulk("groups"), ":0\r\n",
                                  bulk("first-entry"), "$-1\r\n", bulk("last-entry"), "$-1\r\n"})));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->length, 0);
  EXPECT_EQ(facts->max_deleted_entry_id, std::nullopt);
  EXPECT_EQ(facts->entries_added, std::nullopt);
  EXPECT_EQ(facts->first_entry_id, 0);
  EXPECT_EQ(facts->last_entry_id, 0);
}

TEST(RedisStreamInfo, ReadsGroupsWithAndWithoutLag) {
  const auto seven =
      array({bulk("name"), bulk("g1"), bulk("consumers"), ":1\r\n", bulk("pending"), ":2\r\n",
             bulk("last-delivered-id"), bulk("12-1"), bulk("entries-read"), ":7\r\n", bulk("lag"), ":3\r\n"});
  const auto unknown =
      array({bulk("name"), bulk("g2"), bulk("consumers"), ":0\r\n", bulk("pending"), ":0\r\n",
             bulk("last-delivered-id"), bulk("0-0"), bulk("entries-read"), "$-1\r\n", bulk("lag"), "$-1\r\n"});
  const auto six = array({bulk("name"), bulk("g3"), bulk("consumers"), ":1\r\n", bulk("pending"), ":1\r\n",
                          bulk("last-delivered-id"), bulk("5-0")});
  const auto groups = read_stream_groups(reply_of(array({seven, unknown, six})), 10);
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 3U);
  EXPECT_EQ((*groups)[0].name, "g1");
  EXPECT_EQ((*groups)[0].consumers, 1);
  EXPECT_EQ((*groups)[0].pending, 2);
  EXPECT_EQ((*groups)[0].last_delivered_id, 12);
  EXPECT_EQ((*groups)[0].entries_read, 7);
  EXPECT_EQ((*groups)[0].lag, 3);
  EXPECT_EQ((*groups)[1].entries_read, std::nullopt);
  EXPECT_EQ((*groups)[1].lag, std::nullopt);
  EXPECT_EQ((*groups)[2].lag, std::nullopt);
  EXPECT_EQ((*groups)[2].last_delivered_id, 5);
  EXPECT_EQ(read_stream_groups(reply_of(array({seven, unknown, six})), 2)->size(), 2U);
}

TEST(RedisStreamInfo, ReadsConsumersInSeconds) {
  const auto one = array(
      {bulk("name"), bulk("c1"), bulk("pending"), ":4\r\n", bulk("idle"), ":83841983\r\n", bulk("inactive"), ":1\r\n"});
  const auto consumers =
      read_stream_consumers(reply_of(array({one, array({bulk("pending"), ":1\r\n"}), "$-1\r\n"})), 5);
  ASSERT_TRUE(consumers);
  ASSERT_EQ(consumers->size(), 1U) << "what has no name is skipped";
  EXPECT_EQ((*consumers)[0].name, "c1");
  EXPECT_EQ((*consumers)[0].pending, 4);
  EXPECT_EQ((*consumers)[0].idle_seconds, 83841.983);
}

TEST(RedisStreamInfo, ReturnsTheServersError) {
  EXPECT_EQ(read_stream(reply_of("-ERR no such key\r\n")).error().message, "XINFO STREAM: ERR no such key");
  EXPECT_EQ(read_stream_groups(reply_of(":1\r\n"), 1).error().code, Errc::protocol);
  EXPECT_EQ(read_stream_consumers(reply_of("$-1\r\n"), 1).error().code, Errc::protocol);
}

}  // namespace
}  // namespace midst::sources::redis_info
