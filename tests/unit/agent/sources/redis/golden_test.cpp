// INFO and CLUSTER INFO against the page that they must become, byte for byte: of real servers, edited, where there was
// one; those of Redis 8 and Valkey 9 are written by hand after the documented fields.
// MIDST_UPDATE_GOLDEN=1 writes the pages anew; read the difference before it is committed.
#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "agent/sources/redis/info/info.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace midst::sources::redis_info {
namespace {

struct Golden {
  std::string info;          ///< File of the INFO text, without ".txt".
  std::string cluster_info;  ///< File of the CLUSTER INFO text, or empty.
};

std::string golden_path(const std::string& name) {
  return std::string(MIDST_SOURCE_DIR) + "/tests/golden/redis/" + name;
}

class RedisGolden : public testing::TestWithParam<Golden> {};

TEST_P(RedisGolden, BecomesThePage) {
  const auto info = test::read_file(golden_path(GetParam().info + ".txt"));
  InfoOptions options;
  options.start_seconds = peek_facts(info, {}, 1'700'000'000.75).start_seconds;
  metrics::SnapshotBuilder builder;
  const auto facts = read_info(info, options, builder);
  ASSERT_TRUE(facts) << describe(facts.error());
  if (!GetParam().cluster_info.empty()) {
    redis::Reply reply;
    reply.type = redis::Reply::Type::string;
    reply.text = test::read_file(golden_path(GetParam().cluster_info + ".txt"));
    ASSERT_TRUE(add_cluster_info(reply, builder));
  }
  const auto page = test::page_of(builder);
  const auto path = golden_path(GetParam().info + ".prom");
  if (std::getenv("MIDST_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << page;
  EXPECT_EQ(page, test::read_file(path));
}

INSTANTIATE_TEST_SUITE_P(Servers, RedisGolden,
                         testing::Values(Golden{"info_7", ""}, Golden{"info_6", ""}, Golden{"info_7_replica", ""},
                                         Golden{"info_7_cluster", "cluster_info_7"}, Golden{"info_keydb", ""},
                                         Golden{"info_7_sentinel", ""}, Golden{"info_8", ""},
                                         Golden{"info_valkey_9", ""}),
                         [](const auto& each) { return each.param.info; });

}  // namespace
}  // namespace midst::sources::redis_info
