#include "agent/sources/redis/commands/latency.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;
using test::page_of;
using test::reply_of;

class RedisSpikes : public ::testing::Test {
 protected:
  RedisSpikes() : server(make_latency_spikes()) {}
  /// One scrape 15 s after the last one; each event with the time of its last spike.
  std::string scrape(const std::vector<std::pair<std::string, double>>& events) {
    server.wait(std::chrono::seconds(15));
    std::string wire = "*" + std::to_string(events.size()) + "\r\n";
    for (const auto& [name, last] : events)
      wire += "*4\r\n" + bulk(name) + ":" + std::to_string(static_cast<long>(last)) + "\r\n:83\r\n:250\r\n";
    server.answer("LATENCY LATEST", wire);
    return server.scrape();
  }
  static std::string spikes(const std::string& event, int count) {
    return "redis_latency_spikes_total{event_name=\"" + event + "\"} " + std::to_string(count);
  }
  Canned server;
};

TEST_F(RedisSpikes, AreCountedWhenTheirTimeMovesOn) {
  const auto begin = server.unix_now;
  EXPECT_TRUE(has_line(scrape({{"command", begin}}), spikes("command", 0)));
  EXPECT_TRUE(has_line(scrape({{"command", begin}}), spikes("command", 0)));
  EXPECT_TRUE(has_line(scrape({{"command", begin + 31}}), spikes("command", 1)));
  EXPECT_TRUE(has_line(scrape({{"command", begin + 46}}), spikes("command", 2)));
}

TEST_F(RedisSpikes, CountTheFirstOneOfAnEvent) {
  scrape({});
  const auto page = scrape({{"fork", server.unix_now + 15}, {"old", server.unix_now - 1}});
  EXPECT_TRUE(has_line(page, spikes("fork", 1)));
  EXPECT_TRUE(has_line(page, spikes("old", 0)));
}

TEST_F(RedisSpikes, GoOnAfterAResetAndOnAnotherServer) {
  scrape({{"command", server.unix_now}});
  EXPECT_TRUE(has_line(scrape({{"command", server.unix_now + 15}}), spikes("command", 1)));
  EXPECT_TRUE(has_line(scrape({}), spikes("command", 1)));
  EXPECT_TRUE(has_line(scrape({{"command", server.unix_now + 15}}), spikes("command", 2)));
  server.collector().forget();
  EXPECT_TRUE(has_line(scrape({{"command", 1000}}), spikes("command", 2)));
  EXPECT_TRUE(has_line(scrape({{"command", server.unix_now + 15}}), spikes("command", 3)));
}

TEST_F(RedisSpikes, OfEventsAboveTheLimitAreOther) {
  scrape({});
  std::vector<std::pair<std::string, double>> events;
  for (int i = 0; i < 66; ++i) events.emplace_back("e" + std::to_string(i), server.unix_now + 15);
  EXPECT_TRUE(has_line(scrape(events), spikes("other", 2)));
}

std::string histogram(std::string_view command, int calls, std::string_view steps) {
  return bulk(command) + "*4\r\n" + bulk("calls") + ":" + std::to_string(calls) + "\r\n" + bulk("histogram_usec") +
         std::string(steps);
}

/// The page's lines of one command's histogram that have a value, without the empty buckets before the first call.
std::string commands_of(const std::string& wire, const HistogramOptions& options) {
  metrics::SnapshotBuilder builder;
  const Commands commands{{"get", {100, 4, {}}}, {"set", {50, 3, {}}}, {"config|get", {7, 1, {}}}};
  EXPECT_TRUE(add_latency_histograms(reply_of(wire), commands, options, builder));
  std::string lines;
  const auto page = test::samples_of(page_of(builder));
  for (std::string_view rest = page; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(line.size());
    if (line.find("_sum") != line.npos || line.find("_count") != line.npos || line.find("folded") != line.npos)
      lines += line;
  }
  return lines;
}

const std::string three = "*6\r\n" + histogram("set", 3, "*2\r\n:8\r\n:3\r\n") +
                          histogram("config|get", 1, "*2\r\n:33\r\n:1\r\n") + histogram("get", 4, "*2\r\n:2\r\n:4\r\n");

TEST(RedisHistograms, AreOnlyOfTheWantedCommands) {
  HistogramOptions options;
  options.commands = {"set", "config|*"};
  EXPECT_EQ(commands_of(three, options),
            "redis_commands_latencies_usec_sum{cmd=\"set\"} 50\nredis_commands_latencies_usec_count{cmd=\"set\"} 3\n"
            "redis_commands_latencies_usec_sum{cmd=\"config|get\"} 7\n"
            "redis_commands_latencies_usec_count{cmd=\"config|get\"} 1\n");
  options.ignored_commands = {"config|*"};
  EXPECT_EQ(commands_of(three, options),
            "redis_commands_latencies_usec_sum{cmd=\"set\"} 50\nredis_commands_latencies_usec_count{cmd=\"set\"} 3\n");
}

TEST(RedisHistograms, KeepTheBusiestAndSumUpTheRest) {
  HistogramOptions options;
  options.max_commands = 3;
  EXPECT_EQ(commands_of(three, options).find("other"), std::string::npos);
  options.max_commands = 1;
  EXPECT_EQ(commands_of(three, options),
            "redis_commands_latencies_usec_sum{cmd=\"get\"} 100\nredis_commands_latencies_usec_count{cmd=\"get\"} 4\n"
            "redis_commands_latencies_usec_sum{cmd=\"other\"} 57\n"
            "redis_commands_latencies_usec_count{cmd=\"other\"} 4\n"
            "redis_exporter_folded_series{metric=\"redis_commands_latencies_usec\"} 2\n");
}

TEST(RedisHistograms, SumUpTheRestOverTheLadder) {
  HistogramOptions options;
  options.max_commands = 0;
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(
      add_latency_histograms(reply_of("*4\r\n" + histogram("a", 5, "*6\r\n:3\r\n:2\r\n:8\r\n:4\r\n:2000000\r\n:5\r\n") +
                                      histogram("b", 1, "*2\r\n:8\r\n:1\r\n")),
                             {}, options, builder));
  const auto snapshot = builder.freeze();
  const auto& other = snapshot.find("redis_commands_latencies_usec")->distributions[0];
  ASSERT_EQ(other.bounds.size(), 21u);
  EXPECT_EQ(other.cumulative[1], 0u);  // ≤ 2 µs
  EXPECT_EQ(other.cumulative[2], 2u);  // ≤ 4 µs: with those of the bound at 3
  EXPECT_EQ(other.cumulative[3], 5u);
  EXPECT_EQ(other.cumulative[20], 5u);
  EXPECT_EQ(other.count, 6u);  // the one above the ladder
}

TEST(RedisHistograms, LoseOnlyTheOneThatIsBroken) {
  metrics::SnapshotBuilder builder;
  const auto added = add_latency_histograms(reply_of("*6\r\n" + histogram("a", 1, "*2\r\n:8\r\n:-1\r\n") + bulk("b") +
                                                     ":1\r\n" + histogram("c", 1, "*2\r\n:8\r\n:1\r\n")),
                                            {}, {}, builder);
  EXPECT_EQ(added.error().code, Errc::protocol);
  const auto page = page_of(builder);
  EXPECT_TRUE(has_line(page, "redis_commands_latencies_usec_count{cmd=\"c\"} 1"));
  EXPECT_EQ(page.find("cmd=\"a\""), std::string::npos);
  EXPECT_EQ(page.find("cmd=\"b\""), std::string::npos);
}

}  // namespace
}  // namespace midst::sources::redis_info
