#include "agent/sources/redis/commands/cluster_nodes.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;
using Role = ClusterNode::Role;

/// Recorded from Redis 7.0.15 while slot 100 moves, then given a host name, a failing and a new node.
const std::string recorded =
    "a1 127.0.0.1:7001@17001,one.example myself,master - 0 1700000000000 1 connected 0-99 100-5460 [100->-b2] "
    "[7-<-c3]\n"
    "b2 127.0.0.1:7002@17002 master,fail? - 1699999990500 1699999985250 2 connected 5461-10922 12000\n"
    "c3 127.0.0.1:7003@17003 master,fail - 1699999990500 1699999985250 3 disconnected 10923-11999\n"
    "d4 127.0.0.1:7004@17004 slave a1 0 1700000000500 1 connected\n"
    "e5 :0@0 slave,noaddr b2 0 0 2 disconnected\n"
    "f6 127.0.0.1:7006@17006 handshake - 0 0 0 disconnected\n";

ClusterNode one(const std::string& line) {
  const auto nodes = parse_cluster_nodes(line);
  return nodes.size() == 1 ? nodes.front() : ClusterNode{};
}

TEST(RedisClusterNodeLine, IsReadFieldByField) {
  const auto nodes = parse_cluster_nodes(recorded);
  ASSERT_EQ(nodes.size(), 6u);
  const auto& a1 = nodes[0];
  EXPECT_EQ(a1.id, "a1");
  EXPECT_EQ(a1.host, "127.0.0.1");
  EXPECT_EQ(a1.port, 7001);
  EXPECT_EQ(a1.hostname, "one.example");
  EXPECT_EQ(a1.master_id, "");
  EXPECT_EQ(a1.role, Role::master);
  EXPECT_TRUE(a1.is_myself);
  EXPECT_TRUE(a1.is_linked);
  EXPECT_EQ(a1.pong_unix, 1'700'000'000);
  EXPECT_EQ(a1.slots, 5461);
  EXPECT_EQ(a1.migrating, 1);
  EXPECT_EQ(a1.importing, 1);
  EXPECT_TRUE(nodes[1].is_suspected);
  EXPECT_FALSE(nodes[1].is_failed);
  EXPECT_EQ(nodes[1].slots, 5463);
  EXPECT_EQ(nodes[1].pong_unix, 1'699'999'985.25);
  EXPECT_TRUE(nodes[2].is_failed);
  EXPECT_FALSE(nodes[2].is_suspected);
  EXPECT_FALSE(nodes[2].is_linked);
  EXPECT_EQ(nodes[3].role, Role::replica);
  EXPECT_EQ(nodes[3].master_id, "a1");
  EXPECT_EQ(nodes[3].slots, 0);
  EXPECT_FALSE(nodes[4].has_address);
  EXPECT_FALSE(nodes[4].pong_unix);
  EXPECT_TRUE(nodes[5].is_handshake);
  EXPECT_EQ(nodes[5].role, Role::unknown);
}

TEST(RedisClusterNodeLine, HasAnAddressInManyForms) {
  struct Case {
    const char* address;
    const char* host;
    int port;
    const char* hostname;
  };
  const Case cases[] = {
      {"10.0.0.5:6379@16379", "10.0.0.5", 6379, ""},
      {"10.0.0.5:6379@16379,", "10.0.0.5", 6379, ""},
      {"10.0.0.5:6379@16379,redis.example", "10.0.0.5", 6379, "redis.example"},
      {"10.0.0.5:6379@16379,redis.example,shard-id=abc", "10.0.0.5", 6379, "redis.example"},
      {"10.0.0.5:6379@16379,,tls-port=0,shard-id=abc", "10.0.0.5", 6379, ""},
      {"10.0.0.5:6379@16379,shard-id=abc", "10.0.0.5", 6379, ""},
      {"2001:db8::1:6379@16379", "2001:db8::1", 6379, ""},
      {":6379@16379", "", 6379, ""},
      {":0@0", "", 0, ""},
  };
  for (const auto& [address, host, port, hostname] : cases) {
    const auto node = one("a1 " + std::string(address) + " master - 0 0 1 connected");
    EXPECT_EQ(node.id, "a1") << address;
    EXPECT_EQ(node.host, host) << address;
    EXPECT_EQ(node.port, port) << address;
    EXPECT_EQ(node.hostname, hostname) << address;
  }
}

TEST(RedisClusterNodeLine, IsLeftOutWhenItIsNotWhole) {
  for (const auto* line : {"", "a1", "a1 10.0.0.5:6379@16379", "a1 10.0.0.5:6379@16379 master - 0 0 1",
                           " 10.0.0.5:6379@16379 master - 0 0 1 c", "a1 10.0.0.5:6379 master - 0 0 1 connected",
                           "a1 10.0.0.5:6379@ master - 0 0 1 connected", "a1 10.0.0.5:6379@x master - 0 0 1 connected",
                           "a1 10.0.0.5@16379 master - 0 0 1 connected", "a1 10.0.0.5:x@16379 master - 0 0 1 connected",
                           "a1 10.0.0.5:65536@16379 master - 0 0 1 connected",
                           "a1 10.0.0.5:-1@16379 master - 0 0 1 connected", "a1 ,name master - 0 0 1 connected"})
    EXPECT_TRUE(parse_cluster_nodes(line).empty()) << line;
  EXPECT_EQ(parse_cluster_nodes("what\n\na1 10.0.0.5:6379@16379 master - 0 0 1 connected\r\nb2").size(), 1u);
}

TEST(RedisClusterNodeLine, CountsSlotsThatExist) {
  struct Case {
    const char* slots;
    int count;
  };
  for (const auto& [slots, count] :
       {Case{"0-16383", 16384}, Case{"0", 1}, Case{"16383", 1}, Case{"16384", 0}, Case{"0-16384", 0}, Case{"5-4", 0},
        Case{"a-b", 0}, Case{"-1", 0}, Case{"1-", 1}, Case{"[93-<-b2] [", 0}, Case{"0-16383 0-16383", 16384}})
    EXPECT_EQ(one("a1 :1@2 master - 0 0 1 connected " + std::string(slots)).slots, count) << slots;
}

TEST(RedisClusterNodes, AreCutAtTenThousand) {
  std::string text;
  for (int i = 0; i < 10'001; ++i) text += "a :1@2 master - 0 0 1 connected\n";
  EXPECT_EQ(parse_cluster_nodes(text).size(), 10'000u);
}

TEST(RedisClusterDiscovery, ListsNodesThatCanBeConnectedTo) {
  const auto nodes = parse_cluster_nodes(recorded +
                                         "g7 2001:db8::1:7007@17007 slave a1 0 0 1 connected\n"
                                         "h8 :7008@17008 slave a1 0 0 1 connected\n");
  using Targets = std::vector<std::string>;
  EXPECT_EQ(discovery_targets(nodes, "redis", HostForm::address),
            (Targets{"redis://127.0.0.1:7001", "redis://127.0.0.1:7002", "redis://127.0.0.1:7003",
                     "redis://127.0.0.1:7004", "redis://[2001:db8::1]:7007"}));
  EXPECT_EQ(discovery_targets(nodes, "rediss", HostForm::hostname).front(), "rediss://one.example:7001");
}

class RedisClusterNodesCollector : public testing::Test {
 protected:
  RedisClusterNodesCollector() {
    canned_.facts.has_cluster = true;
    canned_.answer("CLUSTER NODES", bulk(recorded));
  }

  Canned canned_{make_cluster_nodes({})};
};

TEST_F(RedisClusterNodesCollector, ShowsEachNode) {
  canned_.unix_now = 1'700'000'001;
  const auto page = canned_.scrape();
  EXPECT_EQ(canned_.asked, std::vector<std::string>{"CLUSTER NODES"});
  for (const auto* line :
       {"redis_cluster_node_info{address=\"127.0.0.1:7001\",hostname=\"one.example\",master_id=\"\",node_id=\"a1\","
        "role=\"master\"} 1",
        "redis_cluster_node_info{address=\"127.0.0.1:7004\",hostname=\"\",master_id=\"a1\",node_id=\"d4\",role="
        "\"slave\"} "
        "1",
        "redis_cluster_node_info{address=\"127.0.0.1:7006\",hostname=\"\",master_id=\"\",node_id=\"f6\",role="
        "\"unknown\"} "
        "1",
        "redis_cluster_node_failed{address=\"127.0.0.1:7002\",node_id=\"b2\"} 0",
        "redis_cluster_node_failed{address=\"127.0.0.1:7003\",node_id=\"c3\"} 1",
        "redis_cluster_node_suspected{address=\"127.0.0.1:7002\",node_id=\"b2\"} 1",
        "redis_cluster_node_suspected{address=\"127.0.0.1:7003\",node_id=\"c3\"} 0",
        "redis_cluster_node_link_up{address=\"127.0.0.1:7002\",node_id=\"b2\"} 1",
        "redis_cluster_node_link_up{address=\"127.0.0.1:7003\",node_id=\"c3\"} 0",
        "redis_cluster_node_slots{address=\"127.0.0.1:7001\",node_id=\"a1\"} 5461",
        "redis_cluster_node_slots{address=\"127.0.0.1:7004\",node_id=\"d4\"} 0",
        "redis_cluster_node_pong_age_seconds{address=\"127.0.0.1:7002\",node_id=\"b2\"} 15.75",
        "redis_cluster_node_pong_age_seconds{address=\"127.0.0.1:7004\",node_id=\"d4\"} 0.5",
        "redis_cluster_migrating_slots 1",
        "redis_cluster_importing_slots 1",
        "redis_cluster_nodes{role=\"master\",state=\"ok\"} 1",
        "redis_cluster_nodes{role=\"master\",state=\"pfail\"} 1",
        "redis_cluster_nodes{role=\"master\",state=\"fail\"} 1",
        "redis_cluster_nodes{role=\"slave\",state=\"ok\"} 2",
        "redis_cluster_nodes{role=\"slave\",state=\"pfail\"} 0",
        "redis_cluster_nodes{role=\"slave\",state=\"fail\"} 0",
        "redis_cluster_nodes{role=\"unknown\",state=\"handshake\"} 1"})
    EXPECT_TRUE(has_line(page, line)) << line << "\n" << page;
  // Six nodes; a node has no link to itself, and of two no pong has come.
  EXPECT_EQ(std::count(page.begin(), page.end(), '\n'), 6 * 4 + 5 + 3 + 2 + 7);
}

TEST_F(RedisClusterNodesCollector, NeverSaysThatAPongIsFromTheFuture) {
  canned_.unix_now = 1'600'000'000;
  EXPECT_TRUE(
      has_line(canned_.scrape(), "redis_cluster_node_pong_age_seconds{address=\"127.0.0.1:7004\",node_id=\"d4\"} 0"));
}

TEST_F(RedisClusterNodesCollector, KeepsItsViewForItsInterval) {
  const auto page = canned_.scrape();
  canned_.wait(std::chrono::seconds(29));
  EXPECT_EQ(canned_.scrape(), page);
  EXPECT_TRUE(canned_.asked.empty());
  canned_.wait(std::chrono::seconds(1));
  canned_.answer("CLUSTER NODES", "-NOPERM no\r\n");
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(describe(canned_.error.value()), "noperm: CLUSTER NODES: NOPERM no");
}

TEST_F(RedisClusterNodesCollector, IsSilentOutsideACluster) {
  canned_.scrape();
  canned_.facts.has_cluster = false;
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_TRUE(canned_.asked.empty());
}

TEST_F(RedisClusterNodesCollector, SaysWhenNoLineIsWhole) {
  canned_.answer("CLUSTER NODES", bulk("a1 10.0.0.5:6379 master - 0 0 1 connected\n"));
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(canned_.error->code, Errc::protocol);
}

TEST(RedisClusterNodesLimit, KeepsItselfAndThoseInTrouble) {
  ClusterNodesOptions options;
  options.max_nodes = 3;
  Canned canned(make_cluster_nodes(options));
  canned.facts.has_cluster = true;
  canned.answer("CLUSTER NODES", bulk("b2 :2@12 master - 0 0 1 connected\n"
                                      "d4 :4@14 master,fail - 0 0 1 connected\n"
                                      "a1 :1@11 master - 0 0 1 connected\n"
                                      "c3 :3@13 myself,slave a1 0 0 1 connected\n"));
  const auto page = canned.scrape();
  for (const auto* shown : {"c3", "d4", "a1"})
    EXPECT_NE(page.find("node_id=\"" + std::string(shown) + "\",role="), std::string::npos) << shown;
  EXPECT_EQ(page.find("\"b2\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_cluster_node_info\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_cluster_nodes{role=\"master\",state=\"ok\"} 2"));
  options.max_nodes = 4;
  Canned roomy(make_cluster_nodes(options));
  roomy.facts.has_cluster = true;
  roomy.answer("CLUSTER NODES", bulk(recorded.substr(0, recorded.find("e5"))));
  EXPECT_EQ(roomy.scrape().find("folded"), std::string::npos);
}

}  // namespace
}  // namespace midst::sources::redis_info
