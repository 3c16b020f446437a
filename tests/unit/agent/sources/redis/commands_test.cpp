#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::page_of;
using test::reply_of;
using test::samples_of;

constexpr std::string_view no_permission = "-NOPERM this user has no permissions\r\n";

TEST(RedisConfig, ReadsPairsAndAddsTheSettings) {
  Settings settings;
  ASSERT_TRUE(
      read_settings(reply_of("*4\r\n$9\r\nmaxmemory\r\n$4\r\n1024\r\n$9\r\ndatabases\r\n$2\r\n16\r\n"), settings));
  ASSERT_TRUE(read_settings(reply_of("*2\r\n$26\r\nclient-output-buffer-limit\r\n$40\r\n"
                                     "normal 0 0 0 slave 268435456 67108864 60\r\n"),
                            settings));
  EXPECT_EQ(settings.find("databases"), "16");
  EXPECT_EQ(settings.find("maxclients"), "");
  metrics::SnapshotBuilder builder;
  add_settings(settings, builder);
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_config_maxmemory 1024\n"
            "redis_config_client_output_buffer_limit_bytes{class=\"normal\",limit=\"hard\"} 0\n"
            "redis_config_client_output_buffer_limit_bytes{class=\"normal\",limit=\"soft\"} 0\n"
            "redis_config_client_output_buffer_limit_bytes{class=\"slave\",limit=\"hard\"} 268435456\n"
            "redis_config_client_output_buffer_limit_bytes{class=\"slave\",limit=\"soft\"} 67108864\n"
            "redis_config_client_output_buffer_limit_overcome_seconds{class=\"normal\",limit=\"soft\"} 0\n"
            "redis_config_client_output_buffer_limit_overcome_seconds{class=\"slave\",limit=\"soft\"} 60\n");
}

TEST(RedisConfig, StopsAtABrokenOutputLimit) {
  for (const std::string text : {"normal 0 0", "normal 0 0 x", "normal"}) {
    Settings settings{{{"client-output-buffer-limit", text}}};
    metrics::SnapshotBuilder builder;
    add_settings(settings, builder);
    EXPECT_EQ(page_of(builder), "") << text;
  }
}

TEST(RedisConfig, PassesOnARefusal) {
  Settings settings;
  EXPECT_EQ(read_settings(reply_of(no_permission), settings).error().code, Errc::noperm);
  EXPECT_EQ(read_settings(reply_of("+OK\r\n"), settings).error().code, Errc::protocol);
}

TEST(RedisSlowlog, ShowsLengthAndNewestEntry) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_slowlog(reply_of(":15\r\n"),
                          reply_of("*1\r\n*4\r\n:14\r\n:1700000000\r\n:98000\r\n*1\r\n$4\r\ninfo\r\n"), builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_slowlog_length 15\nredis_slowlog_last_id 14\nredis_last_slow_execution_duration_seconds 0.098\n");
}

TEST(RedisSlowlog, ShowsZeroWhenNothingWasSlow) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_slowlog(reply_of(":0\r\n"), reply_of("*0\r\n"), builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_slowlog_length 0\nredis_slowlog_last_id 0\nredis_last_slow_execution_duration_seconds 0\n");
}

TEST(RedisSlowlog, AddsNothingWhereItIsRefused) {
  metrics::SnapshotBuilder builder;
  const auto added = add_slowlog(reply_of(no_permission), reply_of(no_permission), builder);
  EXPECT_EQ(added.error().code, Errc::noperm);
  EXPECT_EQ(page_of(builder), "");
  metrics::SnapshotBuilder short_entry;
  EXPECT_EQ(add_slowlog(reply_of(":1\r\n"), reply_of("*1\r\n*1\r\n:1\r\n"), short_entry).error().code, Errc::protocol);
}

TEST(RedisLatency, ShowsLastAndLongestSpikeOfEachEvent) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_latency_spikes(reply_of("*2\r\n*4\r\n$7\r\ncommand\r\n:1700000000\r\n:83\r\n:250\r\n"
                                          "*4\r\n$4\r\nfork\r\n:1700000001\r\n:2\r\n:2\r\n"),
                                 builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_latency_spike_last{event_name=\"command\"} 1700000000\n"
            "redis_latency_spike_last{event_name=\"fork\"} 1700000001\n"
            "redis_latency_spike_duration_seconds{event_name=\"command\"} 0.083\n"
            "redis_latency_spike_duration_seconds{event_name=\"fork\"} 0.002\n"
            "redis_latency_spike_max_seconds{event_name=\"command\"} 0.25\n"
            "redis_latency_spike_max_seconds{event_name=\"fork\"} 0.002\n");
}

TEST(RedisLatency, RefusesSpikesOfAnotherShape) {
  metrics::SnapshotBuilder builder;
  EXPECT_EQ(add_latency_spikes(reply_of("*1\r\n*1\r\n$1\r\na\r\n"), builder).error().code, Errc::protocol);
  EXPECT_EQ(add_latency_spikes(reply_of("$-1\r\n"), builder).error().code, Errc::protocol);
  EXPECT_EQ(add_latency_spikes(reply_of("-ERR unknown command 'LATENCY'\r\n"), builder).error().code,
            Errc::unsupported);
}

std::string histogram(std::string_view command, std::string_view calls, std::string_view steps) {
  return "$" + std::to_string(command.size()) + "\r\n" + std::string(command) +
         "\r\n*4\r\n$5\r\ncalls\r\n:" + std::string(calls) + "\r\n$14\r\nhistogram_usec\r\n" + std::string(steps);
}

TEST(RedisLatency, LaysEveryCommandOverTheWholeLadder) {
  metrics::SnapshotBuilder builder;
  const Commands commands{{"set", {20, 5, {}}}};
  ASSERT_TRUE(add_latency_histograms(
      reply_of("*4\r\n" + histogram("set", "5", "*6\r\n:8\r\n:2\r\n:33\r\n:4\r\n:541065\r\n:5\r\n") +
               histogram("get", "1", "*2\r\n:1\r\n:1\r\n")),
      commands, {}, builder));
  const auto snapshot = builder.freeze();
  const auto* family = snapshot.find("redis_commands_latencies_usec");
  ASSERT_NE(family, nullptr);
  ASSERT_EQ(family->distributions.size(), 2u);
  const std::vector<double> ladder{1,    2,    4,    8,     16,    33,    66,     132,    264,    528,    1056,
                                   2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1073741};
  const std::vector<std::uint64_t> set_counts{0, 0, 0, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5};
  const auto& set = family->distributions[0];
  EXPECT_EQ(std::vector<double>(set.bounds.begin(), set.bounds.end()), ladder);
  EXPECT_EQ(std::vector<std::uint64_t>(set.cumulative.begin(), set.cumulative.end()), set_counts);
  EXPECT_EQ(set.sum, 20);
  EXPECT_EQ(set.count, 5u);
  const auto& get = family->distributions[1];
  EXPECT_EQ(std::vector<double>(get.bounds.begin(), get.bounds.end()), ladder);
  EXPECT_EQ(std::vector<std::uint64_t>(get.cumulative.begin(), get.cumulative.end()),
            std::vector<std::uint64_t>(21, 1));
  EXPECT_EQ(get.sum, 0);
}

TEST(RedisLatency, KeepsABoundOutsideTheLadder) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_latency_histograms(
      reply_of("*2\r\n" + histogram("set", "9", "*6\r\n:3\r\n:2\r\n:8\r\n:5\r\n:2000000\r\n:9\r\n")), {}, {}, builder));
  const auto snapshot = builder.freeze();
  const auto& set = snapshot.find("redis_commands_latencies_usec")->distributions[0];
  ASSERT_EQ(set.bounds.size(), 23u);
  EXPECT_EQ(set.bounds[2], 3);
  EXPECT_EQ(set.cumulative[1], 0u);
  EXPECT_EQ(set.cumulative[2], 2u);
  EXPECT_EQ(set.cumulative[3], 2u);
  EXPECT_EQ(set.cumulative[4], 5u);
  EXPECT_EQ(set.bounds[22], 2000000);
  EXPECT_EQ(set.cumulative[21], 5u);
  EXPECT_EQ(set.cumulative[22], 9u);
}

TEST(RedisLatency, RefusesHistogramsThatAreNone) {
  for (const auto& steps : {"*4\r\n:8\r\n:2\r\n:4\r\n:3\r\n", "*4\r\n:8\r\n:2\r\n:16\r\n:1\r\n",
                            "*2\r\n$1\r\nx\r\n:1\r\n", "*2\r\n:0\r\n:1\r\n", "*2\r\n:1\r\n:-1\r\n"}) {
    metrics::SnapshotBuilder builder;
    EXPECT_EQ(add_latency_histograms(reply_of("*2\r\n" + histogram("set", "1", steps)), {}, {}, builder).error().code,
              Errc::protocol)
        << steps;
  }
  metrics::SnapshotBuilder builder;
  EXPECT_EQ(add_latency_histograms(reply_of("*2\r\n$1\r\na\r\n:1\r\n"), {}, {}, builder).error().code, Errc::protocol);
}

TEST(RedisLatency, TakesAnEmptyAnswer) {
  metrics::SnapshotBuilder builder;
  EXPECT_TRUE(add_latency_histograms(reply_of("*0\r\n"), {}, {}, builder));
  EXPECT_TRUE(add_latency_spikes(reply_of("*0\r\n"), builder));
  EXPECT_EQ(page_of(builder), "");
}

TEST(RedisCluster, ShowsEveryClusterFieldAndNoOther) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_cluster_info(reply_of(test::bulk("cluster_state:fail\r\ncluster_size:3\r\n"
                                                   "cluster_stats_messages_auth-req_sent:2\r\nother:1\r\n"
                                                   "cluster_new:text\r\n")),
                               builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_cluster_state 0\nredis_cluster_size 3\nredis_cluster_stats_messages_auth_req_sent 2\n");
}

TEST(RedisCluster, PassesOnARefusal) {
  metrics::SnapshotBuilder builder;
  EXPECT_EQ(add_cluster_info(reply_of(no_permission), builder).error().code, Errc::noperm);
}

}  // namespace
}  // namespace midst::sources::redis_info
