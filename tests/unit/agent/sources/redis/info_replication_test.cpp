#include "agent/sources/redis/info/info_replication.hpp"

#include "agent/sources/redis/info/info.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

/// What the lines become, with what finish() adds.
std::string replication(const std::vector<std::pair<std::string_view, std::string_view>>& lines,
                        std::string_view role = {}, std::optional<double> master_offset = {},
                        std::size_t max_replicas = 10) {
  metrics::SnapshotBuilder builder;
  ReplicationReader reader(max_replicas, builder);
  for (const auto& [field, value] : lines) EXPECT_TRUE(reader.read(field, value)) << field;
  reader.finish(role, "1", master_offset);
  return test::sorted(test::samples_of(test::page_of(builder)));
}

TEST(RedisReplication, ReadsReplicaLines) {
  const auto full = parse_replica("slave0", "ip=10.254.11.1,port=6379,state=online,offset=1751844676,lag=0");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->index, "0");
  EXPECT_EQ(full->ip, "10.254.11.1");
  EXPECT_EQ(full->port, "6379");
  EXPECT_EQ(full->state, "online");
  EXPECT_EQ(full->offset, 1751844676);
  EXPECT_EQ(full->lag, 0);
  const auto ipv6 = parse_replica("slave12", "ip=2a00:1450::200e,port=6379,state=online,offset=1");
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(ipv6->index, "12");
  EXPECT_EQ(ipv6->ip, "2a00:1450::200e");
  EXPECT_FALSE(ipv6->lag);
  const auto bare = parse_replica("slave1", "offset=1751844676,lag=0");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->ip, "");
}

TEST(RedisReplication, RefusesBrokenReplicaLines) {
  const std::string good = "ip=10.0.0.1,port=1,state=online,offset=1,lag=0";
  for (const auto& [field, value] : std::vector<std::pair<std::string, std::string>>{
           {"slave", good},
           {"slaveA", good},
           {"slave0x", good},
           {"master0", good},
           {"slave0", ""},
           {"slave0", "ip=10.0.0.1,port=1,state=online,offset=here,lag=0"},
           {"slave0", "ip=10.0.0.1,port=1,state=online,offset=1,lag=later"},
           {"slave0", "ip=10.0.0.1,lag=0"}})
    EXPECT_FALSE(parse_replica(field, value)) << field << ":" << value;
}

TEST(RedisReplication, SaysHowFarAnOnlineReplicaIsBehind) {
  EXPECT_EQ(replication({{"slave0", "ip=a,port=1,state=online,offset=900,lag=0"},
                         {"slave1", "ip=b,port=1,state=online,offset=1600,lag=0"},
                         {"slave2", "ip=c,port=1,state=wait_bgsave,offset=0"}},
                        {}, 1500),
            "redis_connected_slave_lag_bytes{slave_ip=\"a\",slave_port=\"1\",slave_state=\"online\"} 600\n"
            "redis_connected_slave_lag_bytes{slave_ip=\"b\",slave_port=\"1\",slave_state=\"online\"} 0\n"
            "redis_connected_slave_lag_seconds{slave_ip=\"a\",slave_port=\"1\",slave_state=\"online\"} 0\n"
            "redis_connected_slave_lag_seconds{slave_ip=\"b\",slave_port=\"1\",slave_state=\"online\"} 0\n"
            "redis_connected_slave_offset_bytes{slave_ip=\"a\",slave_port=\"1\",slave_state=\"online\"} 900\n"
            "redis_connected_slave_offset_bytes{slave_ip=\"b\",slave_port=\"1\",slave_state=\"online\"} 1600\n"
            "redis_connected_slave_offset_bytes{slave_ip=\"c\",slave_port=\"1\",slave_state=\"wait_bgsave\"} 0\n");
}

TEST(RedisReplication, KeepsReplicasOfOneAddressApart) {
  EXPECT_EQ(replication({{"slave0", "ip=a,port=1,state=online,offset=1"},
                         {"slave1", "ip=a,port=2,state=online,offset=2"},
                         {"slave2", "ip=a,port=1,state=online,offset=3"}}),
            "redis_connected_slave_offset_bytes{slave_index=\"2\",slave_ip=\"a\",slave_port=\"1\","
            "slave_state=\"online\"} 3\n"
            "redis_connected_slave_offset_bytes{slave_ip=\"a\",slave_port=\"1\",slave_state=\"online\"} 1\n"
            "redis_connected_slave_offset_bytes{slave_ip=\"a\",slave_port=\"2\",slave_state=\"online\"} 2\n");
}

TEST(RedisReplication, CountsReplicasAboveTheLimit) {
  metrics::SnapshotBuilder builder;
  ReplicationReader reader(1, builder);
  EXPECT_TRUE(reader.read("slave0", "ip=a,port=1,state=online,offset=1"));
  EXPECT_EQ(reader.folded(), 0u);
  EXPECT_TRUE(reader.read("slave1", "ip=b,port=1,state=online,offset=1"));
  EXPECT_EQ(reader.folded(), 1u);
  reader.finish({}, {}, {});
  EXPECT_EQ(test::samples_of(test::page_of(builder)),
            "redis_connected_slave_offset_bytes{slave_ip=\"a\",slave_port=\"1\",slave_state=\"online\"} 1\n");
}

TEST(RedisReplication, ShowsEachRoleAsASeries) {
  EXPECT_EQ(replication({}, "master"),
            "redis_instance_role{role=\"master\"} 1\nredis_instance_role{role=\"slave\"} 0\n");
  EXPECT_EQ(replication({}, "active-replica"),
            "redis_instance_role{role=\"active-replica\"} 1\nredis_instance_role{role=\"master\"} 0\n"
            "redis_instance_role{role=\"slave\"} 0\n");
  EXPECT_EQ(replication({}, ""), "");
}

TEST(RedisReplication, NamesTheMasterOfAReplica) {
  EXPECT_EQ(replication({{"master_host", "10.0.0.9"},
                         {"master_port", "6380"},
                         {"master_link_status", "down"},
                         {"master_last_io_seconds_ago", "x"},
                         {"master_sync_perc", "25.00"}},
                        "slave"),
            "redis_instance_role{role=\"master\"} 0\nredis_instance_role{role=\"slave\"} 1\n"
            "redis_master_last_io_seconds_ago{master_host=\"10.0.0.9\",master_port=\"6380\"} 0\n"
            "redis_master_link_up{master_host=\"10.0.0.9\",master_port=\"6380\"} 0\n"
            "redis_master_sync_progress_ratio{master_host=\"10.0.0.9\",master_port=\"6380\"} 0.25\n"
            "redis_slave_info{master_host=\"10.0.0.9\",master_port=\"6380\",read_only=\"1\"} 1\n");
}

TEST(RedisReplication, KeepsSeveralMastersApart) {
  EXPECT_EQ(replication({{"master_host", "a"},
                         {"master_port", "1"},
                         {"master_link_status", "up"},
                         {"slave_repl_offset", "10"},
                         {"master_1_host", "b"},
                         {"master_1_port", "2"},
                         {"master_1_replid", "0f"},
                         {"master_1_link_status", "down"},
                         {"slave_repl_offset", "20"}}),
            "redis_master_link_up{master_host=\"a\",master_port=\"1\"} 1\n"
            "redis_master_link_up{master_host=\"b\",master_port=\"2\"} 0\n"
            "redis_master_replication_info{master_host=\"b\",master_port=\"2\",replid=\"0f\"} 1\n"
            "redis_slave_repl_offset{master_host=\"a\",master_port=\"1\"} 10\n"
            "redis_slave_repl_offset{master_host=\"b\",master_port=\"2\"} 20\n");
}

TEST(RedisReplication, ShowsEachStateOfAFailover) {
  EXPECT_EQ(replication({{"master_failover_state", "waiting-for-sync"}}),
            "redis_master_failover_state{state=\"failover-in-progress\"} 0\n"
            "redis_master_failover_state{state=\"no-failover\"} 0\n"
            "redis_master_failover_state{state=\"waiting-for-sync\"} 1\n");
}

TEST(RedisReplication, LeavesOtherFieldsToOthers) {
  metrics::SnapshotBuilder builder;
  ReplicationReader reader(10, builder);
  for (const std::string_view field : {"slave", "slavery", "master", "master_replid2", "master0", "masters", ""})
    EXPECT_FALSE(reader.read(field, "1")) << field;
}

}  // namespace
}  // namespace midst::sources::redis_info
