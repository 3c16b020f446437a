// Sentinel and cluster as they really are: several servers, a failover, a node that dies.
#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/cluster_nodes.hpp"
#include "agent/sources/redis/commands/sentinel.hpp"
#include "agent/sources/redis/commands/slot_stats.hpp"
#include "agent/sources/redis/sentinel_follow.hpp"
#include "tests/integration/redis/live_collector.hpp"
#include "tests/support/redis_groups.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

namespace midst {
namespace {

using namespace sources::redis_info;
using test::has_line;
using test::LiveCollector;
using test::redis_cli_at;

std::string text_of(std::uint16_t port) {
  return std::to_string(port);
}

/// Scrapes until the page has the line. @return whether it came.
bool comes(LiveCollector& live, const std::string& line) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!has_line(live.scrape(), line)) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

TEST(RedisSentinelLive, IsFollowedThroughAFailover) {
  test::SentinelGroup group;
  SentinelOptions options;
  options.has_peer_info = options.has_config = true;
  LiveCollector live(group.sentinel().port(), make_sentinel(options));
  const auto labels = [](std::uint16_t port) {
    return "{master_address=\"127.0.0.1:" + text_of(port) + "\",master_name=\"mymaster\"} ";
  };
  const auto before = live.scrape();
  EXPECT_FALSE(live.error) << describe(*live.error);
  const auto of_first = labels(group.first().port());
  for (const auto* end : {"ok_slaves#1", "ok_sentinels#1", "setting_ckquorum#1", "setting_parallel_syncs#1",
                          "setting_down_after_milliseconds#5000", "setting_failover_timeout#180000", "config_epoch#0",
                          "usable_sentinels#1"}) {
    auto line = "redis_sentinel_master_" + std::string(end);
    line.replace(line.find('#'), 1, of_first);
    EXPECT_TRUE(has_line(before, line)) << line << "\n" << before;
  }
  EXPECT_TRUE(has_line(before,
                       "redis_sentinel_master_ckquorum_status{master_name=\"mymaster\",message=\"quorum and majority "
                       "can be reached\"} 1"));
  EXPECT_TRUE(has_line(before, "redis_sentinel_config_key_value{key=\"announce-hostnames\",value=\"no\"} 1")) << before;
  EXPECT_EQ(before.find("sentinel-pass"), std::string::npos);

  asio::io_context io;
  SentinelFollowOptions follow;
  follow.sentinels.push_back(parse_sentinel_address("127.0.0.1:" + text_of(test::free_port())).value());
  follow.sentinels.push_back(parse_sentinel_address("127.0.0.1:" + text_of(group.sentinel().port())).value());
  MasterFinder finder(io.get_executor(), follow);
  const auto found = [&] {
    return test::run(io, finder.find_master(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  };
  EXPECT_EQ(found().value(), (MasterAddress{"127.0.0.1", group.first().port()}));
  group.fail_over();
  EXPECT_EQ(found().value(), (MasterAddress{"127.0.0.1", group.second().port()}));
  const auto of_second = labels(group.second().port());
  EXPECT_TRUE(comes(live, "redis_sentinel_master_ok_slaves" + of_second + "1"));
  EXPECT_TRUE(has_line(live.scrape(), "redis_sentinel_master_config_epoch" + of_second + "1"));
  follow.master_name = "another";
  MasterFinder stranger(io.get_executor(), follow);
  const auto nobody = test::run(io, stranger.find_master(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  EXPECT_EQ(nobody.error().code, Errc::not_found);
}

TEST(RedisSentinelLive, SaysThatThereIsNoQuorum) {
  test::RedisServer master;
  test::SentinelServer sentinel("mine", master.port());
  redis_cli_at(sentinel.port(), {"SENTINEL", "SET", "mine", "quorum", "2"});
  LiveCollector live(sentinel.port(), make_sentinel({}));
  EXPECT_TRUE(has_line(live.scrape(),
                       "redis_sentinel_master_ckquorum_status{master_name=\"mine\",message=\"quorum cannot be "
                       "reached\"} 0"));
  EXPECT_FALSE(live.error);
}

TEST(RedisSentinelLive, AsksNothingOfAServerThatIsNone) {
  test::RedisServer server;
  LiveCollector live(server.port(), make_sentinel({}));
  EXPECT_EQ(live.scrape(), "");
  EXPECT_NE(redis_cli_at(server.port(), {"INFO", "stats"}).find("total_error_replies:0"), std::string::npos);
}

TEST(RedisClusterLive, IsSeenFromOneNode) {
  test::RedisCluster cluster;
  ClusterNodesOptions options;
  options.interval = std::chrono::seconds(0);
  LiveCollector live(cluster.node(0).port(), make_cluster_nodes(options));
  const auto page = live.scrape();
  EXPECT_FALSE(live.error) << describe(*live.error);
  const auto line = [&](const std::string& family, std::size_t node, const std::string& value) {
    return "redis_cluster_" + family + "{address=\"127.0.0.1:" + text_of(cluster.node(node).port()) + "\",node_id=\"" +
           cluster.id(node) + "\"} " + value;
  };
  for (const auto& expected :
       {line("node_slots", 0, "5461"), line("node_slots", 1, "5462"), line("node_slots", 2, "5461"),
        line("node_slots", 3, "0"), line("node_link_up", 1, "1"), line("node_link_up", 5, "1"),
        line("node_failed", 1, "0"), line("node_suspected", 1, "0"),
        "redis_cluster_node_info{address=\"127.0.0.1:" + text_of(cluster.node(3).port()) +
            "\",hostname=\"\",master_id=\"" + cluster.id(0) + "\",node_id=\"" + cluster.id(3) + "\",role=\"slave\"} 1",
        std::string("redis_cluster_nodes{role=\"master\",state=\"ok\"} 3"),
        std::string("redis_cluster_nodes{role=\"slave\",state=\"ok\"} 3"),
        std::string("redis_cluster_nodes{role=\"master\",state=\"fail\"} 0"),
        std::string("redis_cluster_migrating_slots 0")})
    EXPECT_TRUE(has_line(page, expected)) << expected << "\n" << page;

  redis_cli_at(cluster.node(0).port(), {"CLUSTER", "SETSLOT", "7", "MIGRATING", cluster.id(1)});
  redis_cli_at(cluster.node(0).port(), {"CLUSTER", "SETSLOT", "6000", "IMPORTING", cluster.id(1)});
  const auto moving = live.scrape();
  EXPECT_TRUE(has_line(moving, "redis_cluster_migrating_slots 1")) << moving;
  EXPECT_TRUE(has_line(moving, "redis_cluster_importing_slots 1"));

  cluster.node(5).kill();
  EXPECT_TRUE(comes(live, line("node_failed", 5, "1")));
  const auto after = live.scrape();
  EXPECT_TRUE(has_line(after, line("node_link_up", 5, "0")));
  EXPECT_TRUE(has_line(after, "redis_cluster_nodes{role=\"slave\",state=\"fail\"} 1"));
  EXPECT_TRUE(has_line(after, "redis_cluster_nodes{role=\"slave\",state=\"ok\"} 2"));

  LiveCollector info(cluster.node(1).port(), make_cluster_info());
  const auto summary = info.scrape();
  EXPECT_TRUE(has_line(summary, "redis_cluster_known_nodes 6")) << summary;
  EXPECT_TRUE(has_line(summary, "redis_cluster_size 3"));
  EXPECT_TRUE(has_line(summary, "redis_cluster_slots_assigned 16384"));

  const auto nodes = parse_cluster_nodes(redis_cli_at(cluster.node(0).port(), {"CLUSTER", "NODES"}));
  const auto targets = discovery_targets(nodes, "redis", HostForm::address);
  EXPECT_EQ(targets.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(std::count(targets.begin(), targets.end(), cluster.node(i).url()), 1) << cluster.node(i).url();

  LiveCollector slots(cluster.node(0).port(), make_slot_stats({}));
  EXPECT_EQ(slots.scrape(), "") << "Redis 7.0 does not know CLUSTER SLOT-STATS";
}

}  // namespace
}  // namespace midst
