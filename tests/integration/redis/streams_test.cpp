// The collector "streams" on a real server.
#include "agent/sources/redis/keys/streams.hpp"

#include "tests/integration/redis/live.hpp"
#include "tests/support/collector_driver.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace midst {
namespace {

using sources::redis_info::make_streams;
using sources::redis_info::parse_key_arguments;
using sources::redis_info::StreamsOptions;
using test::CollectorDriver;
using test::has_line;
using test::redis_cli;
using test::RedisServer;

StreamsOptions checking(std::string_view check, std::string_view single = "") {
  StreamsOptions options;
  options.check = parse_key_arguments(check).value();
  options.single = parse_key_arguments(single).value();
  return options;
}

std::string errors(const RedisServer& server) {
  const auto text = redis_cli(server, {"info", "stats"});
  const auto at = text.find("total_error_replies:");
  return text.substr(at + 20, text.find('\r', at) - at - 20);
}

std::size_t sent(const CollectorDriver::Scrape& scrape, const std::string& word) {
  return static_cast<std::size_t>(std::count_if(scrape.commands.begin(), scrape.commands.end(), [&](const auto& each) {
    return std::find(each.begin(), each.end(), word) != each.end();
  }));
}

/// Two groups on "s": "behind" has read one of three entries, "odd" was set to an id in the middle of a gap.
void make_stream(const RedisServer& server) {
  for (const auto* id : {"1000-1", "2000-1", "3000-1"}) redis_cli(server, {"xadd", "s", id, "a", "1"});
  redis_cli(server, {"xgroup", "create", "s", "behind", "0"});
  redis_cli(server, {"xreadgroup", "group", "behind", "c1", "count", "1", "streams", "s", ">"});
  redis_cli(server, {"xgroup", "createconsumer", "s", "behind", "c2"});
}

constexpr const char* of_stream = "{db=\"db0\",stream=\"s\"}";
constexpr const char* of_group = "{db=\"db0\",group=\"behind\",stream=\"s\"}";

TEST(RedisStreams, TellWhatTheServerSays) {
  RedisServer server;
  make_stream(server);
  redis_cli(server, {"set", "string", "x"});
  for (const auto& options : {checking("", "s"), checking("s"), checking("s*")}) {
    CollectorDriver driver(make_streams(options), server.url());
    for (int i = 0; i < 3; ++i) {
      const auto scrape = driver.scrape();
      EXPECT_FALSE(scrape.error) << describe(*scrape.error);
      for (const auto* line :
           {"length 3", "radix_tree_keys 1", "radix_tree_nodes 2", "groups 1", "last_generated_id 3000",
            "max_deleted_entry_id 0", "first_entry_id 1000", "last_entry_id 3000", "entries_added_total 3"}) {
        const std::string text(line);
        const auto space = text.find(' ');
        EXPECT_TRUE(has_line(scrape.samples, "redis_stream_" + text.substr(0, space) + of_stream + text.substr(space)))
            << line << "\n"
            << scrape.samples;
      }
      for (const auto* line :
           {"consumers 2", "messages_pending 1", "last_delivered_id 1000", "entries_read 1", "lag 2"}) {
        const std::string text(line);
        const auto space = text.find(' ');
        EXPECT_TRUE(
            has_line(scrape.samples, "redis_stream_group_" + text.substr(0, space) + of_group + text.substr(space)))
            << line << "\n"
            << scrape.samples;
      }
      EXPECT_TRUE(has_line(scrape.samples,
                           "redis_stream_group_consumer_messages_pending{consumer=\"c1\",db=\"db0\",group=\"behind\","
                           "stream=\"s\"} 1"));
      EXPECT_TRUE(has_line(scrape.samples,
                           "redis_stream_group_consumer_messages_pending{consumer=\"c2\",db=\"db0\",group=\"behind\","
                           "stream=\"s\"} 0"));
      const auto idle = test::value_of(
          scrape.samples,
          "redis_stream_group_consumer_idle_seconds{consumer=\"c1\",db=\"db0\",group=\"behind\",stream=\"s\"}");
      ASSERT_TRUE(idle);
      EXPECT_LT(*idle, 60);
    }
    EXPECT_EQ(errors(server), "0") << "a pattern may match what is no stream";
  }
}

TEST(RedisStreams, AreAskedInOneRoundTripOnceTheirGroupsAreKnown) {
  RedisServer server;
  make_stream(server);
  CollectorDriver driver(make_streams(checking("", "s")), server.url());
  (void)driver.scrape();
  const auto scrape = driver.scrape();
  EXPECT_EQ(scrape.rounds, 1);
  EXPECT_EQ(scrape.commands.size(), 3U);
  redis_cli(server, {"xgroup", "create", "s", "new", "$"});
  const auto with_new = driver.scrape();
  EXPECT_EQ(with_new.rounds, 2);
  EXPECT_NE(with_new.samples.find("redis_stream_group_consumers{db=\"db0\",group=\"new\""), std::string::npos);
  redis_cli(server, {"xgroup", "destroy", "s", "new"});
  const auto without = driver.scrape();
  EXPECT_FALSE(without.error) << describe(*without.error);
  EXPECT_EQ(without.samples.find("group=\"new\""), std::string::npos);
  EXPECT_EQ(driver.scrape().commands.size(), 3U);
}

TEST(RedisStreams, DoNotAskForConsumersThatAreNotWanted) {
  RedisServer server;
  make_stream(server);
  auto options = checking("", "s");
  options.has_consumers = false;
  CollectorDriver driver(make_streams(options), server.url());
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_EQ(sent(scrape, "CONSUMERS"), 0U);
    EXPECT_EQ(scrape.samples.find("consumer=\""), std::string::npos);
    EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_group_consumers") + of_group + " 2"));
  }
}

TEST(RedisStreams, OmitALagThatTheServerDoesNotKnow) {
  RedisServer server;
  make_stream(server);
  redis_cli(server, {"xdel", "s", "2000-1"});
  redis_cli(server, {"xgroup", "create", "s", "odd", "1500-0"});
  CollectorDriver driver(make_streams(checking("", "s")), server.url());
  const auto scrape = driver.scrape();
  EXPECT_NE(scrape.samples.find("redis_stream_group_consumers{db=\"db0\",group=\"odd\""), std::string::npos);
  EXPECT_EQ(scrape.samples.find("redis_stream_group_lag{db=\"db0\",group=\"odd\""), std::string::npos)
      << scrape.samples;
  EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_max_deleted_entry_id") + of_stream + " 2000"));
}

TEST(RedisStreams, CauseNoErrorRepliesInASteadyState) {
  RedisServer server;
  make_stream(server);
  redis_cli(server, {"set", "string", "x"});
  redis_cli(server, {"-n", "4", "xadd", "other", "5-1", "a", "1"});
  CollectorDriver driver(make_streams(checking("s*,db4=o*", "missing,string,s")), server.url());
  (void)driver.scrape();
  const auto before = errors(server);
  for (int i = 0; i < 100; ++i) ASSERT_FALSE(driver.scrape().error);
  EXPECT_EQ(errors(server), before);
  const auto scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, "redis_stream_length{db=\"db4\",stream=\"other\"} 1"));
  EXPECT_EQ(scrape.samples.find("missing"), std::string::npos);
  EXPECT_EQ(scrape.samples.find("\"string\""), std::string::npos);
}

TEST(RedisStreams, FollowAStreamThatGoesAndComesBack) {
  RedisServer server;
  make_stream(server);
  CollectorDriver driver(make_streams(checking("", "s")), server.url());
  (void)driver.scrape();
  redis_cli(server, {"del", "s"});
  auto scrape = driver.scrape();
  EXPECT_FALSE(scrape.error);
  EXPECT_EQ(scrape.samples.find("redis_stream_length"), std::string::npos);
  redis_cli(server, {"set", "s", "x"});
  EXPECT_EQ(driver.scrape().samples.find("redis_stream_length"), std::string::npos);
  redis_cli(server, {"del", "s"});
  redis_cli(server, {"xadd", "s", "7-1", "a", "1"});
  scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_length") + of_stream + " 1"));
  redis_cli(server, {"xtrim", "s", "maxlen", "0"});
  scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_length") + of_stream + " 0"));
  EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_first_entry_id") + of_stream + " 0"));
}

TEST(RedisStreams, NeedNoMoreRightsThanTheyName) {
  RedisServer server;
  make_stream(server);
  auto collector = make_streams(checking("s*,db2=x*", "s,missing"));
  std::vector<std::string> user{"acl", "setuser", "watcher", "on", ">secret", "+info", "+client|setname"};
  for (auto& right : collector->rights()) user.push_back(right);
  ASSERT_EQ(redis_cli(server, user), "OK\n");
  CollectorDriver driver(std::move(collector), fmt::format("redis://watcher:secret@127.0.0.1:{}", server.port()));
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_FALSE(scrape.error) << describe(*scrape.error);
    EXPECT_TRUE(has_line(scrape.samples, std::string("redis_stream_group_consumers") + of_group + " 2"));
  }
  EXPECT_EQ(errors(server), "0");
}

TEST(RedisStreams, KeepWithinTheirLimits) {
  RedisServer server;
  make_stream(server);
  for (int i = 0; i < 5; ++i) {
    redis_cli(server, {"xgroup", "create", "s", fmt::format("g{}", i), "0"});
    redis_cli(server, {"xgroup", "createconsumer", "s", "g0", fmt::format("c{}", i)});
    redis_cli(server, {"xadd", fmt::format("s{}", i), "1-1", "a", "1"});
  }
  auto options = checking("s*");
  options.max_streams = 4;
  options.max_groups = 3;
  options.max_consumers = 2;
  CollectorDriver driver(make_streams(options), server.url());
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    const auto folded = [&](const std::string& family) {
      return test::value_of(scrape.samples, "redis_exporter_folded_series{metric=\"" + family + "\"}");
    };
    EXPECT_EQ(folded("redis_stream_length"), 2);
    if (scrape.samples.find("stream=\"s\"}") == std::string::npos) continue;  // SCAN's order decides who is shown
    EXPECT_EQ(folded("redis_stream_group_messages_pending"), 3);
    EXPECT_EQ(folded("redis_stream_group_consumer_messages_pending"), 3);
  }
}

}  // namespace
}  // namespace midst
