#include "agent/sources/redis/commands/slot_stats.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;

/// [slot, [word, number, …]] as Valkey 8 answers it.
std::string entry(int slot, const std::vector<std::pair<std::string, int>>& values) {
  auto wire = "*2\r\n:" + std::to_string(slot) + "\r\n*" + std::to_string(2 * values.size()) + "\r\n";
  for (const auto& [word, number] : values) wire += bulk(word) + ":" + std::to_string(number) + "\r\n";
  return wire;
}

std::string ordered_by(const std::string& word, int count = 2) {
  return "CLUSTER SLOT-STATS ORDERBY " + word + " LIMIT " + std::to_string(count) + " DESC";
}

const std::vector<std::string> all_orders{ordered_by("key-count"), ordered_by("cpu-usec"),
                                          ordered_by("network-bytes-in"), ordered_by("network-bytes-out"),
                                          ordered_by("memory-bytes")};
const std::string refused = "-ERR Unrecognized sort metric for ORDERBY.\r\n";

class RedisSlotStats : public testing::Test {
 protected:
  RedisSlotStats() {
    canned_.facts.has_cluster = true;
    canned_.facts.version = 80200;
  }

  static std::unique_ptr<Collector> made() {
    SlotStatsOptions options;
    options.max_slots = 2;
    return make_slot_stats(options);
  }

  Canned canned_{made()};
};

TEST_F(RedisSlotStats, ShowsTheFirstSlotsOfEachOrderOnce) {
  const auto full = [](int slot) {
    return entry(slot, {{"key-count", 3}, {"cpu-usec", 1500000}, {"network-bytes-in", 20}, {"network-bytes-out", 30}});
  };
  for (const auto& order : all_orders) canned_.answer(order, "*2\r\n" + full(7) + full(12539));
  canned_.answer(all_orders[2], "*1\r\n" + full(0));
  canned_.answer(all_orders[4], refused);
  EXPECT_EQ(canned_.scrape(),
            "redis_cluster_slot_keys{slot=\"0\"} 3\n"
            "redis_cluster_slot_keys{slot=\"7\"} 3\n"
            "redis_cluster_slot_keys{slot=\"12539\"} 3\n"
            "redis_cluster_slot_cpu_seconds_total{slot=\"0\"} 1.5\n"
            "redis_cluster_slot_cpu_seconds_total{slot=\"7\"} 1.5\n"
            "redis_cluster_slot_cpu_seconds_total{slot=\"12539\"} 1.5\n"
            "redis_cluster_slot_input_bytes_total{slot=\"0\"} 20\n"
            "redis_cluster_slot_input_bytes_total{slot=\"7\"} 20\n"
            "redis_cluster_slot_input_bytes_total{slot=\"12539\"} 20\n"
            "redis_cluster_slot_output_bytes_total{slot=\"0\"} 30\n"
            "redis_cluster_slot_output_bytes_total{slot=\"7\"} 30\n"
            "redis_cluster_slot_output_bytes_total{slot=\"12539\"} 30\n");
  EXPECT_EQ(canned_.asked, all_orders);
  EXPECT_FALSE(canned_.error);
}

TEST_F(RedisSlotStats, AsksOnlyServersThatKnowIt) {
  struct Case {
    bool has_cluster;
    int version, valkey_version;
    std::size_t asked;
  };
  for (const auto& [has_cluster, version, valkey, asked] :
       {Case{true, 80200, 0, 5}, Case{true, 80100, 0, 0}, Case{true, 70204, 80000, 5}, Case{true, 70204, 70205, 0},
        Case{true, 70204, 0, 0}, Case{false, 80200, 0, 0}}) {
    Canned canned(made());
    canned.facts.has_cluster = has_cluster;
    canned.facts.version = version;
    canned.facts.valkey_version = valkey;
    canned.scrape();
    EXPECT_EQ(canned.asked.size(), asked) << version << ' ' << valkey;
  }
}

TEST_F(RedisSlotStats, SortsByKeysAloneWhereTheRestIsSwitchedOff) {
  canned_.answer(all_orders[0], "*1\r\n" + entry(7, {{"key-count", 3}}));
  for (std::size_t i = 1; i < all_orders.size(); ++i) canned_.answer(all_orders[i], refused);
  EXPECT_EQ(canned_.scrape(), "redis_cluster_slot_keys{slot=\"7\"} 3\n");
  EXPECT_FALSE(canned_.error);
  canned_.wait(std::chrono::seconds(60));
  canned_.scrape();
  EXPECT_EQ(canned_.asked, std::vector<std::string>{all_orders[0]});
  canned_.wait(std::chrono::seconds(3540));
  canned_.scrape();
  EXPECT_EQ(canned_.asked, all_orders);
}

TEST_F(RedisSlotStats, KeepsItsNumbersForItsInterval) {
  for (const auto& order : all_orders) canned_.answer(order, "*1\r\n" + entry(7, {{"key-count", 3}}));
  const auto page = canned_.scrape();
  canned_.wait(std::chrono::seconds(59));
  EXPECT_EQ(canned_.scrape(), page);
  EXPECT_TRUE(canned_.asked.empty());
  canned_.collector().forget();
  canned_.scrape();
  EXPECT_EQ(canned_.asked, all_orders);
}

TEST_F(RedisSlotStats, SaysWhatItCannotRead) {
  const char* odd[] = {"-NOPERM no\r\n",
                       "+OK\r\n",
                       "*1\r\n*1\r\n:7\r\n",
                       "*1\r\n*2\r\n:16384\r\n*0\r\n",
                       "*1\r\n*2\r\n:-1\r\n*0\r\n",
                       "*1\r\n*2\r\n$1\r\na\r\n*0\r\n",
                       "*1\r\n*2\r\n:7\r\n*1\r\n$9\r\nkey-count\r\n",
                       "*3\r\n*2\r\n:1\r\n*0\r\n*2\r\n:2\r\n*0\r\n*2\r\n:3\r\n*0\r\n"};
  for (const auto* wire : odd) {
    Canned canned(made());
    canned.facts = canned_.facts;
    for (const auto& order : all_orders) canned.answer(order, wire);
    EXPECT_EQ(canned.scrape(), "") << wire;
    ASSERT_TRUE(canned.error) << wire;
    EXPECT_EQ(canned.error->code, std::string_view(wire).starts_with('-') ? Errc::noperm : Errc::protocol) << wire;
  }
}

}  // namespace
}  // namespace midst::sources::redis_info
