#include "agent/sources/redis/server_facts.hpp"

#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

std::string captured(const std::string& name) {
  return test::read_file(std::string(MIDST_SOURCE_DIR) + "/tests/golden/redis/" + name);
}

TEST(RedisFacts, ReadsCapturedServers) {
  const auto plain = peek_facts(captured("info_7.txt"));
  EXPECT_EQ(plain.version, 70015);
  EXPECT_EQ(plain.valkey_version, 0);
  EXPECT_EQ(plain.run_id.size(), 40u);
  EXPECT_GT(plain.start_seconds, 1e9);
  EXPECT_FALSE(plain.has_cluster || plain.is_sentinel || plain.is_replica || plain.is_loading || plain.is_saving);
  EXPECT_TRUE(peek_facts(captured("info_7_cluster.txt")).has_cluster);
  EXPECT_TRUE(peek_facts(captured("info_7_replica.txt")).is_replica);
}

TEST(RedisFacts, FindsSectionsInAnyOrderAndEitherLineEnding) {
  const auto facts = peek_facts(
      "# Replication\nrole:slave\n\n# Other\nloading:0\n# PERSISTENCE\r\nloading:1\r\naof_rewrite_in_progress:1\r\n"
      "# Cluster\ncluster_enabled:1\n# server\nvalkey_version:8.1.0\nserver_mode:sentinel\nredis_version:7.2.4\n"
      "run_id:abc");
  EXPECT_TRUE(facts.is_replica && facts.is_loading && facts.is_saving && facts.has_cluster && facts.is_sentinel);
  EXPECT_EQ(facts.valkey_version, 80100);
  EXPECT_EQ(facts.version, 70204);
  EXPECT_EQ(facts.run_id, "abc");
}

TEST(RedisFacts, ReadsATextWithoutHeadersWhole) {
  const auto facts = peek_facts("run_id:abc\nrdb_bgsave_in_progress:1\nrole:replica\nredis_mode:cluster\nloading:1");
  EXPECT_TRUE(facts.is_saving && facts.is_replica && facts.has_cluster && facts.is_loading);
  EXPECT_EQ(facts.run_id, "abc");
}

TEST(RedisFacts, KeepsDefaultsForWhatIsNotThere) {
  for (const std::string_view text : {"", "#", "# ", "# Server", "# Server\n", "# Server\r\nrun_id\r\nrun_id_x:1\n",
                                      "a # Server\nrun_id:abc\n# X\n"}) {
    const auto facts = peek_facts(text);
    EXPECT_EQ(facts.run_id, "") << text;
    EXPECT_EQ(facts.version, 0);
    EXPECT_EQ(facts.start_seconds, 0);
    EXPECT_FALSE(facts.has_cluster || facts.is_sentinel || facts.is_replica || facts.is_loading || facts.is_saving);
  }
}

TEST(RedisFacts, ReadsVersionsAsNumbersThatCompare) {
  const std::vector<std::pair<std::string_view, int>> versions{
      {"7.0.15", 70015},  {"8.1", 80100}, {"6", 60000}, {"10.2.3", 100203}, {"255.255.255", 2575755}, {"7.x.1", 70001},
      {"8.0-rc1", 80000}, {"", 0},        {"x.1.2", 0}, {"-1.2.3", 0},      {"99999999", 0}};
  for (const auto& [text, number] : versions) EXPECT_EQ(parse_version(text), number) << text;
}

TEST(RedisFacts, TakesTheStartFromTheServersClockAndKeepsItForTheSameProcess) {
  const std::string_view old_server = "# Server\nrun_id:abc\nuptime_in_seconds:100\n";
  EXPECT_EQ(peek_facts(old_server).start_seconds, 0);
  EXPECT_EQ(peek_facts(old_server, {}, 5000.9).start_seconds, 4900);
  const std::string_view info = "# Server\nrun_id:abc\nuptime_in_seconds:100\nserver_time_usec:2000999999\n";
  EXPECT_EQ(peek_facts(info).start_seconds, 1900);
  ServerFacts before;
  before.run_id = "abc";
  before.start_seconds = 1899;
  EXPECT_EQ(peek_facts(info, before, 5000).start_seconds, 1899);
  before.run_id = "other";
  EXPECT_EQ(peek_facts(info, before, 5000).start_seconds, 1900);
}

TEST(RedisFacts, TellsAServerWithoutRunIdByItsStart) {
  const std::string_view info = "# Server\nuptime_in_seconds:100\nserver_time_usec:2000000000\n";
  ServerFacts before;
  before.start_seconds = 1901;
  EXPECT_EQ(peek_facts(info, before, 0).start_seconds, 1901);
  before.start_seconds = 1800;
  EXPECT_EQ(peek_facts(info, before, 0).start_seconds, 1900);
}

}  // namespace
}  // namespace midst::sources::redis_info
