#include "agent/sources/redis/commands/acl_log.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;
using test::reply_of;

std::string entry(int count, const std::string& reason, const std::string& object, const std::string& user,
                  int id = -1) {
  std::string wire = id < 0 ? "*14\r\n" : "*20\r\n";
  wire += bulk("count") + ":" + std::to_string(count) + "\r\n" + bulk("reason") + bulk(reason) + bulk("context") +
          bulk("toplevel") + bulk("object") + bulk(object) + bulk("username") + bulk(user) + bulk("age-seconds") +
          bulk("0.011") + bulk("client-info") + bulk("id=9 addr=127.0.0.1:55366");
  if (id < 0) return wire;
  return wire + bulk("entry-id") + ":" + std::to_string(id) + "\r\n" + bulk("timestamp-created") +
         ":1700000000000\r\n" + bulk("timestamp-last-updated") + ":1700000000000\r\n";
}

/// A log: newest entry first.
std::string log_of(const std::vector<std::string>& entries) {
  std::string wire = "*" + std::to_string(entries.size()) + "\r\n";
  for (const auto& each : entries) wire += each;
  return wire;
}

std::string denied(const std::string& reason, const std::string& user, int count) {
  return "redis_acl_log_denials_total{reason=\"" + reason + "\",user=\"" + user + "\"} " + std::to_string(count);
}

/// One entry as Redis 7.0.15 gives it.
TEST(RedisAclLogEntries, AreReadByName) {
  const auto entries = read_acl_log(
      reply_of("*1\r\n*14\r\n$5\r\ncount\r\n:2\r\n$6\r\nreason\r\n$3\r\nkey\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$"
               "6\r\nobject\r\n"
               "$1\r\nb\r\n$8\r\nusername\r\n$3\r\nbob\r\n$11\r\nage-seconds\r\n$20\r\n0.010999999999999999\r\n$11\r\n"
               "client-info\r\n$27\r\nid=9 addr=127.0.0.1:55366 fd\r\n"));
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().reason, "key");
  EXPECT_EQ(entries->front().user, "bob");
  EXPECT_EQ(entries->front().count, 2);
  EXPECT_FALSE(entries->front().id);
  EXPECT_EQ(read_acl_log(reply_of(log_of({entry(3, "auth", "AUTH", "eve", 7)})))->front().id, 7);
}

TEST(RedisAclLogEntries, OfAnotherShapeAreRefused) {
  for (const auto* wire : {"+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*0\r\n", "*1\r\n*2\r\n$5\r\ncount\r\n:1\r\n",
                           "*1\r\n*4\r\n$6\r\nreason\r\n$3\r\nkey\r\n$5\r\ncount\r\n:0\r\n"})
    EXPECT_EQ(read_acl_log(reply_of(wire)).error().code, Errc::protocol) << wire;
  EXPECT_EQ(read_acl_log(reply_of("-NOPERM no\r\n")).error().code, Errc::noperm);
}

TEST(RedisAclLogDenials, AreAsManyAsTheLogProves) {
  const struct {
    std::vector<double> before, now;
    double denials;
  } cases[] = {
      {{}, {}, 0},
      {{}, {3}, 3},
      {{2}, {2}, 0},
      {{2}, {5}, 3},
      {{2}, {2, 1}, 1},
      {{2}, {4, 1}, 3},
      {{5}, {2}, 2},        // the old one is gone
      {{5, 2}, {2}, 0},     // the oldest fell out
      {{5, 2}, {3, 1}, 2},  // it fell out, the newest grew, one joined
      {{5, 2}, {5, 2, 1}, 1},
      {{5, 2}, {5, 4}, 2},
      {{1, 1, 1}, {1, 1, 1}, 0},
      {{1, 1, 1}, {1, 2}, 1},
      {{4, 4}, {}, 0},
      {{4, 4}, {3, 3}, 6},
  };
  for (const auto& each : cases) EXPECT_EQ(denials_between(each.before, each.now), each.denials);
}

class RedisAclLog : public ::testing::Test {
 protected:
  explicit RedisAclLog(AclLogOptions options = {}) : server(make_acl_log(options)) {}
  std::string scrape(const std::vector<std::string>& entries) {
    server.wait(std::chrono::seconds(15));
    server.answer("ACL LOG 128", log_of(entries));
    return server.scrape();
  }
  Canned server;
};

TEST_F(RedisAclLog, CountsFromTheFirstLookOn) {
  EXPECT_EQ(scrape({entry(4, "key", "b", "bob")}), "");
  EXPECT_EQ(scrape({entry(4, "key", "b", "bob")}), "");
  EXPECT_EQ(scrape({entry(1, "auth", "AUTH", "eve"), entry(6, "key", "b", "bob")}),
            denied("auth", "eve", 1) + "\n" + denied("key", "bob", 2) + "\n");
  EXPECT_EQ(scrape({entry(1, "auth", "AUTH", "eve"), entry(6, "key", "b", "bob")}),
            denied("auth", "eve", 1) + "\n" + denied("key", "bob", 2) + "\n");
}

TEST_F(RedisAclLog, TellsEntriesOfOneUserApart) {
  scrape({});
  EXPECT_EQ(scrape({entry(2, "key", "b", "bob"), entry(3, "key", "c", "bob"), entry(1, "command", "set", "bob")}),
            denied("command", "bob", 1) + "\n" + denied("key", "bob", 5) + "\n");
  EXPECT_EQ(scrape({entry(1, "key", "b", "bob"), entry(2, "key", "b", "bob"), entry(3, "key", "c", "bob")}),
            denied("command", "bob", 1) + "\n" + denied("key", "bob", 6) + "\n");
}

TEST_F(RedisAclLog, CountsByNumberSinceRedis72) {
  EXPECT_EQ(scrape({entry(2, "key", "b", "bob", 4)}), "redis_acl_log_lost_entries_total 0\n");
  // The same words twice are two entries when their numbers differ.
  EXPECT_EQ(scrape({entry(2, "key", "b", "bob", 5), entry(3, "key", "b", "bob", 4)}),
            denied("key", "bob", 3) + "\nredis_acl_log_lost_entries_total 0\n");
  EXPECT_EQ(scrape({entry(1, "auth", "AUTH", "eve", 9), entry(2, "key", "b", "bob", 5)}),
            denied("auth", "eve", 1) + "\n" + denied("key", "bob", 3) + "\nredis_acl_log_lost_entries_total 3\n");
}

TEST_F(RedisAclLog, GoesOnAfterAReset) {
  scrape({entry(2, "key", "b", "bob", 4)});
  scrape({});
  EXPECT_EQ(scrape({entry(1, "key", "b", "bob", 5)}),
            denied("key", "bob", 1) + "\nredis_acl_log_lost_entries_total 0\n");
}

TEST_F(RedisAclLog, CountsEverythingOfARestartedServerAndNothingOfAnotherOne) {
  scrape({entry(2, "key", "b", "bob", 4)});
  server.collector().forget();
  server.facts.start_seconds = server.unix_now + 5;
  EXPECT_TRUE(has_line(scrape({entry(3, "key", "b", "bob", 0)}), denied("key", "bob", 3)));
  server.collector().forget();
  server.facts.start_seconds = 1;
  const auto page = scrape({entry(7, "key", "b", "bob", 100)});
  EXPECT_TRUE(has_line(page, denied("key", "bob", 3)));
  EXPECT_TRUE(has_line(page, "redis_acl_log_lost_entries_total 0"));
}

TEST_F(RedisAclLog, IsReadEveryFifteenSecondsAndNotBeforeRedis6) {
  scrape({});
  server.wait(std::chrono::seconds(14));
  server.scrape();
  EXPECT_TRUE(server.asked.empty());
  server.wait(std::chrono::seconds(1));
  server.scrape();
  EXPECT_EQ(server.asked, std::vector<std::string>{"ACL LOG 128"});
  server.facts.version = 50014;
  server.wait(std::chrono::seconds(15));
  server.scrape();
  EXPECT_TRUE(server.asked.empty());
}

class RedisAclLogAtTheLimit : public RedisAclLog {
 protected:
  RedisAclLogAtTheLimit() : RedisAclLog(AclLogOptions{128, 2, std::chrono::seconds(15)}) {}
};

TEST_F(RedisAclLogAtTheLimit, FoldsUsersWithinTheirReason) {
  scrape({});
  const auto page = scrape({entry(1, "key", "x", "bob"), entry(1, "auth", "AUTH", "u4"), entry(1, "auth", "AUTH", "u3"),
                            entry(1, "auth", "AUTH", "u2"), entry(1, "auth", "AUTH", std::string(200, 'u'))});
  EXPECT_TRUE(has_line(page, denied("auth", "u4", 1)));
  EXPECT_TRUE(has_line(page, denied("auth", "u3", 1)));
  EXPECT_TRUE(has_line(page, denied("auth", "other", 2)));
  EXPECT_TRUE(has_line(page, denied("key", "bob", 1)));
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_acl_log_denials_total\"} 2"));
}

TEST_F(RedisAclLog, FoldsReasonsNobodyKnows) {
  scrape({});
  std::vector<std::string> entries;
  for (int i = 0; i < 10; ++i) entries.push_back(entry(1, "r" + std::to_string(i), "x", "bob"));
  EXPECT_TRUE(has_line(scrape(entries), denied("other", "bob", 2)));
}

}  // namespace
}  // namespace midst::sources::redis_info
