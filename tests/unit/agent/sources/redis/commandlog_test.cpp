#include "agent/sources/redis/commands/commandlog.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>

namespace midst::sources::redis_info {
namespace {

using test::Canned;

/// Replies written by hand after Valkey 8.1's documentation: no such server is packaged for the tests.
void answer_all(Canned& server) {
  server.facts.version = 70204;
  server.facts.valkey_version = 80100;
  server.answer("COMMANDLOG LEN slow", ":3\r\n");
  server.answer("COMMANDLOG LEN large-request", ":2\r\n");
  server.answer("COMMANDLOG LEN large-reply", ":1\r\n");
  server.answer("CONFIG GET commandlog-*",
                "*12\r\n$32\r\ncommandlog-execution-slower-than\r\n$5\r\n10000\r\n"
                "$33\r\ncommandlog-slow-execution-max-len\r\n$3\r\n128\r\n"
                "$30\r\ncommandlog-request-larger-than\r\n$7\r\n1048576\r\n"
                "$32\r\ncommandlog-large-request-max-len\r\n$3\r\n129\r\n"
                "$28\r\ncommandlog-reply-larger-than\r\n$2\r\n-1\r\n"
                "$30\r\ncommandlog-large-reply-max-len\r\n$3\r\n130\r\n");
}

constexpr std::string_view lengths =
    "redis_commandlog_slow_length 3\nredis_commandlog_large_request_length 2\nredis_commandlog_large_reply_length 1\n";
constexpr std::string_view thresholds =
    "redis_commandlog_execution_slower_than 10000\nredis_commandlog_slow_execution_max_len 128\n"
    "redis_commandlog_request_larger_than 1048576\nredis_commandlog_large_request_max_len 129\n"
    "redis_commandlog_reply_larger_than -1\nredis_commandlog_large_reply_max_len 130\n";

TEST(RedisCommandlog, ShowsLengthsAtEachScrapeAndThresholdsOnceAMinute) {
  Canned server(make_commandlog({}));
  answer_all(server);
  EXPECT_EQ(server.scrape(), std::string(lengths) + std::string(thresholds));
  EXPECT_EQ(server.asked.size(), 4u);
  server.wait(std::chrono::seconds(59));
  EXPECT_EQ(server.scrape(), std::string(lengths) + std::string(thresholds));
  EXPECT_EQ(server.asked.size(), 3u);
  server.wait(std::chrono::seconds(1));
  server.scrape();
  EXPECT_EQ(server.asked.size(), 4u);
}

TEST(RedisCommandlog, AsksNothingOfServersThatHaveNone) {
  Canned server(make_commandlog({}));
  answer_all(server);
  for (const int version : {0, 70205, 80099}) {
    server.facts.valkey_version = version;
    EXPECT_EQ(server.scrape(), "");
    EXPECT_TRUE(server.asked.empty()) << version;
  }
}

TEST(RedisCommandlog, ShowsTheLengthsWhereConfigIsDenied) {
  Canned server(make_commandlog({}));
  answer_all(server);
  server.answer("CONFIG GET commandlog-*", "-NOPERM no\r\n");
  EXPECT_EQ(server.scrape(), lengths);
  EXPECT_EQ(server.error->code, Errc::noperm);
}

TEST(RedisCommandlog, ShowsTheRestWhenOneLengthIsMissing) {
  CommandlogOptions options;
  options.config_command = "";
  Canned server(make_commandlog(options));
  answer_all(server);
  server.answer("COMMANDLOG LEN slow", "-ERR no\r\n");
  EXPECT_EQ(server.scrape(), "redis_commandlog_large_request_length 2\nredis_commandlog_large_reply_length 1\n");
  EXPECT_EQ(server.error->code, Errc::server);
  EXPECT_EQ(server.asked.size(), 3u);
}

}  // namespace
}  // namespace midst::sources::redis_info
