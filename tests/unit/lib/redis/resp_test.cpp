#include "lib/redis/resp.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace midst::redis {
namespace {

constexpr std::size_t plenty = 1024 * 1024;

TEST(Resp, WritesCommandsBinarySafeOneBehindTheOther) {
  std::string wire = "x";
  const std::vector<Command> commands{{"PING"}, {"SET", std::string("a\0b", 3), ""}};
  ASSERT_TRUE(append_commands(wire, commands));
  EXPECT_EQ(wire, std::string("x*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", 43));
}

TEST(Resp, RefusesACommandWithoutAName) {
  std::string wire;
  const std::vector<Command> commands{{}};
  EXPECT_EQ(append_commands(wire, commands).error().code, Errc::config);
}

/// Every type, nested, and a second reply behind it.
constexpr std::string_view all_types = "*6\r\n$3\r\na\r\n\r\n+OK\r\n:-7\r\n-ERR no\r\n$-1\r\n*2\r\n*0\r\n*-1\r\n:1\r\n";

void expect_all_types(const std::vector<Reply>& replies) {
  ASSERT_EQ(replies.size(), 2u);
  const auto& parts = replies[0].elements;
  ASSERT_EQ(parts.size(), 6u);
  EXPECT_EQ(parts[0].type, Reply::Type::string);
  EXPECT_EQ(parts[0].text, "a\r\n");
  EXPECT_EQ(parts[1].type, Reply::Type::status);
  EXPECT_EQ(parts[1].text, "OK");
  EXPECT_EQ(parts[2].number, -7);
  EXPECT_EQ(parts[3].type, Reply::Type::error);
  EXPECT_EQ(parts[3].text, "ERR no");
  EXPECT_EQ(parts[4].type, Reply::Type::nil);
  ASSERT_EQ(parts[5].elements.size(), 2u);
  EXPECT_TRUE(parts[5].elements[0].is_array());
  EXPECT_EQ(parts[5].elements[1].type, Reply::Type::nil);
  EXPECT_EQ(replies[1].number, 1);
}

TEST(Resp, ReadsRepliesCutAtEveryByte) {
  for (std::size_t cut = 0; cut <= all_types.size(); ++cut) {
    SCOPED_TRACE(cut);
    ReplyReader reader(plenty);
    ASSERT_TRUE(reader.feed(all_types.substr(0, cut), 2));
    ASSERT_TRUE(reader.feed(all_types.substr(cut), 2));
    expect_all_types(reader.replies());
    EXPECT_FALSE(reader.has_rest());
  }
}

TEST(Resp, ReadsRepliesFedByteByByte) {
  ReplyReader reader(plenty);
  for (const char byte : all_types) ASSERT_TRUE(reader.feed({&byte, 1}, 2));
  expect_all_types(reader.take());
}

TEST(Resp, LeavesTheBytesBehindTheWantedReplies) {
  ReplyReader reader(plenty);
  ASSERT_TRUE(reader.feed(":1\r\n:2\r\n", 1));
  EXPECT_EQ(reader.replies().size(), 1u);
  EXPECT_TRUE(reader.has_rest());
}

TEST(Resp, RefusesWhatIsNoRedisProtocol) {
  for (const std::string_view bytes :
       {"HTTP/1.1 400 Bad Request\r\n", "$x\r\n", ":1x\r\n", "*99999999999999\r\n", "$-2\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    ReplyReader reader(plenty);
    const auto fed = reader.feed(bytes, 1);
    ASSERT_FALSE(fed) << bytes;
    EXPECT_EQ(fed.error().code, Errc::protocol) << bytes;
  }
}

TEST(Resp, RefusesMoreBytesThanAllowed) {
  const std::string reply = "$10\r\n0123456789\r\n";
  ReplyReader fits(reply.size() + sizeof(Reply));
  EXPECT_TRUE(fits.feed(reply, 1));
  ReplyReader small(reply.size() - 1);
  EXPECT_EQ(small.feed(reply, 1).error().code, Errc::limit);
}

TEST(Resp, CountsTheMemoryOfManySmallReplies) {
  // 5 bytes on the wire, more than ten times that in memory: the announced size alone must not be trusted.
  std::string nils = "*1000\r\n";
  for (int i = 0; i < 1000; ++i) nils += "$-1\r\n";
  ReplyReader fits(1001 * sizeof(Reply));
  EXPECT_TRUE(fits.feed(nils, 1));
  ReplyReader small(1001 * sizeof(Reply) - 1);
  EXPECT_EQ(small.feed(nils, 1).error().code, Errc::limit);
}

TEST(Resp, TakesNoMemoryForAnAnnouncedArray) {
  ReplyReader reader(plenty);
  EXPECT_TRUE(reader.feed("*2147483647\r\n", 1));
  EXPECT_TRUE(reader.replies().empty());
}

}  // namespace
}  // namespace midst::redis
