#include "lib/redis/reply.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::redis {
namespace {

Reply text_reply(Reply::Type type, std::string text) {
  Reply reply;
  reply.type = type;
  reply.text = std::move(text);
  return reply;
}

TEST(RedisReply, ClassifiesServerErrorsByTheirFirstWords) {
  const std::vector<std::pair<std::string, Errc>> cases{
      {"NOAUTH Authentication required.", Errc::auth},
      {"WRONGPASS invalid username-password pair or user is disabled.", Errc::auth},
      {"NOPERM this user has no permissions to run the 'config|get' command", Errc::noperm},
      {"LOADING Redis is loading the dataset in memory", Errc::loading},
      {"ERR unknown command `FOO`, with args beginning with: ", Errc::unsupported},
      {"ERR unknown command 'FOO'", Errc::unsupported},
      {"ERR Unknown subcommand or wrong number of arguments for 'HISTOGRAM'. Try LATENCY HELP.", Errc::unsupported},
      {"ERR unknown subcommand 'HISTOGRAM'. Try LATENCY HELP.", Errc::unsupported},
      {"ERR syntax error", Errc::server},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", Errc::server},
      {"", Errc::server},
  };
  for (const auto& [text, kind] : cases) EXPECT_EQ(classify(text), kind) << text;
}

TEST(RedisReply, ReadsTextOfStringsAndStatuses) {
  EXPECT_EQ(text_reply(Reply::Type::string, "a").as_text().value(), "a");
  EXPECT_EQ(text_reply(Reply::Type::status, "OK").as_text().value(), "OK");
  EXPECT_EQ(text_reply(Reply::Type::error, "NOPERM no").as_text().error().code, Errc::noperm);
  EXPECT_EQ(Reply{}.as_text().error().code, Errc::protocol);
}

TEST(RedisReply, ReadsIntegersAlsoFromStrings) {
  Reply number;
  number.type = Reply::Type::integer;
  number.number = -5;
  EXPECT_EQ(number.as_integer().value(), -5);
  EXPECT_EQ(text_reply(Reply::Type::string, "42").as_integer().value(), 42);
  EXPECT_EQ(text_reply(Reply::Type::string, "4x").as_integer().error().code, Errc::protocol);
  EXPECT_EQ(text_reply(Reply::Type::error, "LOADING wait").as_integer().error().code, Errc::loading);
  EXPECT_EQ(Reply{}.as_integer().error().code, Errc::protocol);
}

TEST(RedisReply, CutsLongErrorTextsAndMakesThemUtf8) {
  EXPECT_EQ(text_reply(Reply::Type::error, std::string(500, 'x')).to_error().message, std::string(200, 'x'));
  EXPECT_EQ(text_reply(Reply::Type::error, "a\xff").to_error().message, "a\xef\xbf\xbd");
}

}  // namespace
}  // namespace midst::redis
