#include "agent/sources/redis/commands/sentinel.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::reply_of;
using Asked = std::vector<std::string>;

std::string array(const std::vector<std::string>& elements) {
  auto wire = "*" + std::to_string(elements.size()) + "\r\n";
  for (const auto& element : elements) wire += element;
  return wire;
}

std::string pairs(const std::vector<std::string>& texts) {
  std::vector<std::string> elements;
  for (const auto& text : texts) elements.push_back(bulk(text));
  return array(elements);
}

std::string master(const std::string& name) {
  return pairs({"name",
                name,
                "ip",
                "10.0.0.5",
                "port",
                "6379",
                "flags",
                "master",
                "last-ok-ping-reply",
                "470",
                "down-after-milliseconds",
                "30000",
                "config-epoch",
                "7",
                "quorum",
                "2",
                "failover-timeout",
                "180000",
                "parallel-syncs",
                "1"});
}

std::string instance(const std::string& name, const std::string& flags) {
  return pairs({"name", name, "ip", "10.0.0.9", "port", "26379", "runid", "abc", "flags", flags});
}

const std::string all_good = "+OK 3 usable Sentinels. Quorum and failover authorization can be reached\r\n";
const std::string denied = "-NOPERM no\r\n";

/// A Sentinel that watches masters as a test says.
class RedisSentinel : public testing::Test {
 protected:
  static Canned make(SentinelOptions options) {
    Canned canned(make_sentinel(options));
    canned.facts.is_sentinel = true;
    return canned;
  }

  static void watch(Canned& canned, const std::string& name, const std::string& sentinels = "*0\r\n",
                    const std::string& slaves = "*0\r\n", const std::string& quorum = all_good) {
    canned.answer("SENTINEL CKQUORUM " + name, quorum);
    canned.answer("SENTINEL SENTINELS " + name, sentinels);
    canned.answer("SENTINEL SLAVES " + name, slaves);
  }

  static Asked asked_of(const std::string& name) {
    return {"SENTINEL CKQUORUM " + name, "SENTINEL SENTINELS " + name, "SENTINEL SLAVES " + name};
  }

  /// @return whether the page has this line.
  static bool has(const std::string& page, const std::string& line) { return test::has_line(page, line); }

  Canned canned_ = make({});
};

TEST_F(RedisSentinel, AsksOnlyASentinel) {
  canned_.facts.is_sentinel = false;
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(canned_.asked, Asked{});
}

TEST_F(RedisSentinel, AsksForMastersItKnowsInTheFirstWrite) {
  canned_.answer("SENTINEL MASTERS", array({master("a")}));
  watch(canned_, "a");
  watch(canned_, "b");
  const Asked first{"SENTINEL MASTERS", "SENTINEL CKQUORUM a", "SENTINEL SENTINELS a", "SENTINEL SLAVES a"};
  canned_.scrape();
  EXPECT_EQ(canned_.asked, first);
  canned_.answer("SENTINEL MASTERS", array({master("a"), master("b")}));
  canned_.scrape();
  auto both = first;
  for (const auto& command : asked_of("b")) both.push_back(command);
  EXPECT_EQ(canned_.asked, both);
  EXPECT_FALSE(canned_.error);
}

TEST_F(RedisSentinel, TellsWhatItKnowsOfAMaster) {
  canned_.answer("SENTINEL MASTERS", array({master("a")}));
  watch(canned_, "a", array({instance("s1", "sentinel"), instance("s2", "sentinel,s_down")}),
        array({instance("r1", "slave"), instance("r2", "s_down,slave"), instance("r3", "o_down,slave"),
               instance("r4", "slave,disconnected")}));
  const auto page = canned_.scrape();
  const std::string labels = "{master_address=\"10.0.0.5:6379\",master_name=\"a\"} ";
  for (const auto* line : {"config_epoch#7", "last_ok_ping_reply_seconds#0.47", "ok_sentinels#2", "ok_slaves#2",
                           "setting_ckquorum#2", "setting_down_after_milliseconds#30000",
                           "setting_failover_timeout#180000", "setting_parallel_syncs#1", "usable_sentinels#3"}) {
    auto expected = "redis_sentinel_master_" + std::string(line);
    expected.replace(expected.find('#'), 1, labels);
    EXPECT_TRUE(has(page, expected)) << expected;
  }
  EXPECT_TRUE(has(page,
                  "redis_sentinel_master_ckquorum_status{master_name=\"a\",message=\"quorum and majority can be "
                  "reached\"} 1"));
  EXPECT_EQ(std::count(page.begin(), page.end(), '\n'), 10);
}

TEST_F(RedisSentinel, CountsOnlyInstancesWhoseFlagsItKnows) {
  canned_.answer("SENTINEL MASTERS", array({master("a")}));
  watch(canned_, "a",
        array({pairs({"name", "s1"}), ":1\r\n", "*2\r\n:1\r\n:2\r\n", pairs({"flags"}),
               array({bulk("flags"), ":1\r\n"}), instance("s2", "sentinel")}),
        array({pairs({}), pairs({"name", "r1", "ip", "1.2.3.4"})}));
  const auto page = canned_.scrape();
  EXPECT_TRUE(has(page, "redis_sentinel_master_ok_sentinels{master_address=\"10.0.0.5:6379\",master_name=\"a\"} 2"));
  EXPECT_TRUE(has(page, "redis_sentinel_master_ok_slaves{master_address=\"10.0.0.5:6379\",master_name=\"a\"} 0"));
}

TEST_F(RedisSentinel, SkipsAMasterWithoutNameOrAddress) {
  canned_.answer("SENTINEL MASTERS",
                 array({pairs({"ip", "1.2.3.4", "port", "1"}), pairs({"name", "a", "port", "1"}),
                        pairs({"name", "a", "ip", "1.2.3.4"}), pairs({"name"}), pairs({}), bulk("what")}));
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(canned_.asked, Asked{"SENTINEL MASTERS"});
}

TEST_F(RedisSentinel, LeavesOutWhatIsNoNumber) {
  canned_.answer("SENTINEL MASTERS",
                 array({pairs({"name", "a", "ip", "::1", "port", "6379", "quorum", "many", "config-epoch", ""})}));
  watch(canned_, "a", denied, denied, denied);
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(describe(canned_.error.value()), "noperm: SENTINEL CKQUORUM: NOPERM no");
}

TEST_F(RedisSentinel, OneRefusedCommandCostsNoOtherValue) {
  canned_.answer("SENTINEL MASTERS", array({master("a")}));
  watch(canned_, "a", denied, array({instance("r1", "slave")}));
  const auto page = canned_.scrape();
  EXPECT_EQ(describe(canned_.error.value()), "noperm: SENTINEL SENTINELS: NOPERM no");
  EXPECT_EQ(page.find("ok_sentinels"), std::string::npos);
  EXPECT_TRUE(has(page, "redis_sentinel_master_ok_slaves{master_address=\"10.0.0.5:6379\",master_name=\"a\"} 1"));
  EXPECT_NE(page.find("ckquorum_status"), std::string::npos);
}

TEST_F(RedisSentinel, ForgetsAMasterThatIsNotWatchedAnyMore) {
  canned_.answer("SENTINEL MASTERS", array({master("a"), master("b")}));
  watch(canned_, "a");
  watch(canned_, "b");
  canned_.scrape();
  const std::string gone = "-ERR No such master with that name\r\n";
  canned_.answer("SENTINEL MASTERS", array({master("b")}));
  watch(canned_, "a", gone, gone, gone);
  EXPECT_EQ(canned_.scrape().find("\"a\""), std::string::npos);
  EXPECT_FALSE(canned_.error);
  EXPECT_NE(canned_.scrape().find("\"b\""), std::string::npos);
  EXPECT_EQ(canned_.asked.size(), 4u);
}

TEST_F(RedisSentinel, AsksAnotherSentinelForItsMastersFirst) {
  canned_.answer("SENTINEL MASTERS", array({master("a")}));
  watch(canned_, "a");
  canned_.scrape();
  canned_.collector().forget();
  canned_.answer("SENTINEL MASTERS", "*0\r\n");
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(canned_.asked, Asked{"SENTINEL MASTERS"});
}

TEST_F(RedisSentinel, SaysWhenTheMastersAreRefused) {
  canned_.answer("SENTINEL MASTERS", denied);
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(describe(canned_.error.value()), "noperm: SENTINEL MASTERS: NOPERM no");
  canned_.answer("SENTINEL MASTERS", bulk("what"));
  EXPECT_EQ(canned_.scrape(), "");
  EXPECT_EQ(canned_.error->message, misshapen("SENTINEL MASTERS").message);
}

TEST_F(RedisSentinel, ShowsMastersUpToItsLimit) {
  SentinelOptions options;
  options.max_masters = 2;
  auto canned = make(options);
  canned.answer("SENTINEL MASTERS", array({master("a"), master("b")}));
  EXPECT_EQ(canned.scrape().find("folded"), std::string::npos);
  canned.answer("SENTINEL MASTERS", array({master("a"), master("b"), master("c")}));
  const auto page = canned.scrape();
  EXPECT_EQ(canned.asked.size(), 7u);
  EXPECT_NE(page.find("master_name=\"b\"} 7\n"), std::string::npos);
  EXPECT_EQ(page.find("\"c\""), std::string::npos);
  EXPECT_TRUE(has(page, "redis_exporter_folded_series{metric=\"redis_sentinel_master_config_epoch\"} 1"));
}

TEST_F(RedisSentinel, ShowsPeersWhereTheyAreAskedForUpToItsLimit) {
  const auto peers = array({instance("s1", "sentinel"), pairs({"name", "s2"}), bulk("what"), instance("s3", "x")});
  SentinelOptions options;
  options.max_peers = 2;
  for (const bool has_peer_info : {false, true}) {
    options.has_peer_info = has_peer_info;
    auto canned = make(options);
    canned.answer("SENTINEL MASTERS", array({master("a")}));
    watch(canned, "a", peers);
    const auto page = canned.scrape();
    EXPECT_EQ(page.find("peer_info{") != std::string::npos, has_peer_info);
    if (!has_peer_info) continue;
    EXPECT_TRUE(has(page,
                    "redis_sentinel_peer_info{flags=\"sentinel\",ip=\"10.0.0.9\",master_address=\"10.0.0.5:6379\","
                    "master_name=\"a\",name=\"s1\",port=\"26379\",runid=\"abc\"} 1"));
    EXPECT_TRUE(has(page,
                    "redis_sentinel_peer_info{flags=\"\",ip=\"\",master_address=\"10.0.0.5:6379\","
                    "master_name=\"a\",name=\"s2\",port=\"\",runid=\"\"} 1"));
    EXPECT_EQ(page.find("s3"), std::string::npos);
    EXPECT_TRUE(has(page, "redis_exporter_folded_series{metric=\"redis_sentinel_peer_info\"} 1"));
  }
}

TEST_F(RedisSentinel, ShowsItsSettingsWithoutSecretsOnceInAWhile) {
  SentinelOptions options;
  options.has_config = true;
  options.config_interval = std::chrono::seconds(60);
  auto canned = make(options);
  canned.answer("SENTINEL MASTERS", "*0\r\n");
  canned.answer("SENTINEL CONFIG GET *", pairs({"announce-ip", "10.0.0.9", "announce-port", "26379", "sentinel-user",
                                                "bob", "sentinel-pass", "s3cret", "odd"}));
  const Asked both{"SENTINEL MASTERS", "SENTINEL CONFIG GET *"};
  const auto page = canned.scrape();
  EXPECT_EQ(canned.asked, both);
  EXPECT_EQ(page,
            "redis_sentinel_config_key_value{key=\"announce-ip\",value=\"10.0.0.9\"} 1\n"
            "redis_sentinel_config_key_value{key=\"announce-port\",value=\"26379\"} 1\n"
            "redis_sentinel_config_value{key=\"announce-port\"} 26379\n");
  canned.wait(std::chrono::seconds(59));
  EXPECT_EQ(canned.scrape(), page);
  EXPECT_EQ(canned.asked, Asked{"SENTINEL MASTERS"});
  canned.wait(std::chrono::seconds(1));
  canned.answer("SENTINEL CONFIG GET *", denied);
  EXPECT_EQ(canned.scrape(), "");
  EXPECT_EQ(canned.asked, both);
  EXPECT_EQ(describe(canned.error.value()), "noperm: SENTINEL CONFIG GET: NOPERM no");
}

std::string error(const std::string& text) {
  return "-" + text + "\r\n";
}

TEST(RedisSentinelQuorum, IsOneOfFiveTexts) {
  struct Case {
    std::string wire;
    const char* message;
    bool is_reachable;
    double usable;  ///< -1: not told.
  };
  const std::string no_quorum = "Not enough available Sentinels to reach the specified quorum for this master";
  const std::string no_majority = "Not enough available Sentinels to reach the majority and authorize a failover";
  const Case cases[] = {
      {all_good, "quorum and majority can be reached", true, 3},
      {"+OK\r\n", "quorum and majority can be reached", true, -1},
      {error("NOQUORUM 1 usable Sentinels. " + no_quorum), "quorum cannot be reached", false, 1},
      {error("NOQUORUM 2 usable Sentinels. " + no_majority), "majority cannot be reached", false, 2},
      {error("NOQUORUM 0 usable Sentinels. " + no_quorum + ". " + no_majority), "quorum and majority cannot be reached",
       false, 0},
      {error("ERR No such master with that name"), "other error", false, -1},
  };
  for (const auto& [wire, message, is_reachable, usable] : cases) {
    const auto quorum = read_quorum(reply_of(wire));
    ASSERT_TRUE(quorum) << wire;
    EXPECT_EQ(quorum->message, message) << wire;
    EXPECT_EQ(quorum->is_reachable, is_reachable) << wire;
    EXPECT_EQ(quorum->usable_sentinels.value_or(-1), usable) << wire;
  }
  EXPECT_EQ(read_quorum(reply_of(error("NOPERM no"))).error().code, Errc::noperm);
  EXPECT_EQ(read_quorum(reply_of(error("ERR unknown command 'SENTINEL'"))).error().code, Errc::unsupported);
  EXPECT_EQ(read_quorum(reply_of("*0\r\n")).error().code, Errc::protocol);
}

}  // namespace
}  // namespace midst::sources::redis_info
