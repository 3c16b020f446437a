#include "agent/sources/redis/info/info_lines.hpp"

#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

std::string samples(const std::vector<std::pair<std::string_view, std::string_view>>& lines) {
  metrics::SnapshotBuilder builder;
  LineReader reader(100, builder);
  for (const auto& [field, value] : lines) EXPECT_TRUE(reader.read(field, value)) << field;
  return test::sorted(test::samples_of(test::page_of(builder)));
}

TEST(RedisInfoLines, ReadsThreads) {
  EXPECT_EQ(samples({{"io_thread_0", "clients=4,reads=8,writes=10"}, {"io_thread_1", "clients=x,reads=9"}}),
            "redis_io_thread_clients{thread=\"0\"} 4\n"
            "redis_io_thread_reads_total{thread=\"0\"} 8\nredis_io_thread_reads_total{thread=\"1\"} 9\n"
            "redis_io_thread_writes_total{thread=\"0\"} 10\n");
  EXPECT_EQ(samples({{"used_active_time_io_thread_0", "1.5"}, {"used_active_time_io_thread_1", "x"}}),
            "redis_active_time_io_thread_seconds_total{thread=\"0\"} 1.5\n");
}

TEST(RedisInfoLines, ReadsMastersOfASentinel) {
  EXPECT_EQ(
      samples({{"master0", "name=main,status=ok,address=10.0.0.1:6379,slaves=2,sentinels=3"},
               {"master1", "name=lost,status=odown,address=[2001:db8::7]:6380,slaves=0,sentinels=1"}}),
      "redis_sentinel_master_sentinels{master_address=\"10.0.0.1:6379\",master_name=\"main\"} 3\n"
      "redis_sentinel_master_sentinels{master_address=\"[2001:db8::7]:6380\",master_name=\"lost\"} 1\n"
      "redis_sentinel_master_slaves{master_address=\"10.0.0.1:6379\",master_name=\"main\"} 2\n"
      "redis_sentinel_master_slaves{master_address=\"[2001:db8::7]:6380\",master_name=\"lost\"} 0\n"
      "redis_sentinel_master_status{master_address=\"10.0.0.1:6379\",master_name=\"main\",master_status=\"ok\"} 1\n"
      "redis_sentinel_master_status{master_address=\"[2001:db8::7]:6380\",master_name=\"lost\","
      "master_status=\"odown\"} 0\n");
}

TEST(RedisInfoLines, RefusesBrokenMastersOfASentinel) {
  for (const auto& [field, value] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"master", "name=a,status=ok,address=b,slaves=1,sentinels=1"},
           {"masterx", "name=a,status=ok,address=b,slaves=1,sentinels=1"},
           {"slave0", "name=a,status=ok,address=b,slaves=1,sentinels=1"},
           {"master0", ""},
           {"master0", "name=a,status=ok,address=b,slaves=x,sentinels=1"},
           {"master0", "name=a,status=ok,address=b,slaves=1,sentinels=x"},
           {"master0", "name=a,status=ok,address=b,sentinels=1"}})
    EXPECT_FALSE(parse_sentinel_master(field, value)) << field << ":" << value;
}

TEST(RedisInfoLines, ReadsScriptEnginesAndRefusesBrokenOnes) {
  EXPECT_EQ(samples({{"engine_0", "name=LUA,module=built-in,abi_version=1,used_memory=20,memory_overhead=21"},
                     {"engine_1", "name=JS,module=m,abi_version=2,used_memory=-1,memory_overhead=2"},
                     {"engine_2", "name=JS,module=m,abi_version=2,used_memory=1"}}),
            "redis_scripting_engine_info{abi_version=\"1\",engine=\"LUA\",module=\"built-in\"} 1\n"
            "redis_scripting_engine_memory_overhead_bytes{abi_version=\"1\",engine=\"LUA\",module=\"built-in\"} 21\n"
            "redis_scripting_engine_memory_used_bytes{abi_version=\"1\",engine=\"LUA\",module=\"built-in\"} 20\n");
}

TEST(RedisInfoLines, NamesCertificatesByTheirSerial) {
  EXPECT_EQ(samples({{"tls_server_cert_serial", "01A2"}, {"tls_ca_cert_serial", "03C4"}}),
            "redis_tls_certificate_info{certificate=\"ca\",serial=\"03C4\"} 1\n"
            "redis_tls_certificate_info{certificate=\"server\",serial=\"01A2\"} 1\n");
}

TEST(RedisInfoLines, CountsLinesAboveTheLimit) {
  metrics::SnapshotBuilder builder;
  LineReader reader(1, builder);
  EXPECT_TRUE(reader.read("io_thread_0", "clients=1"));
  EXPECT_EQ(reader.folded(), 0u);
  EXPECT_TRUE(reader.read("io_thread_1", "clients=2"));
  EXPECT_EQ(reader.folded(), 1u);
  EXPECT_EQ(test::samples_of(test::page_of(builder)), "redis_io_thread_clients{thread=\"0\"} 1\n");
}

TEST(RedisInfoLines, LeavesOtherFieldsToOthers) {
  metrics::SnapshotBuilder builder;
  LineReader reader(10, builder);
  for (const std::string_view field :
       {"io_thread_", "io_thread_x", "io_threads_active", "engine_x", "tls_port", "master0", "listener0", ""})
    EXPECT_FALSE(reader.read(field, "1")) << field;
}

}  // namespace
}  // namespace midst::sources::redis_info
