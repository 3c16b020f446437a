#include "agent/sources/redis/commands/slowlog.hpp"

#include "agent/sources/redis/commands/bounded_counts.hpp"
#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;
using test::reply_of;

/// Recorded from Redis 7.0.15 with slowlog-log-slower-than 0.
constexpr std::string_view recorded =
    "*3\r\n*6\r\n:9\r\n:1795449158\r\n:17\r\n*3\r\n$3\r\nACL\r\n$3\r\nLOG\r\n$2\r\n10\r\n$15\r\n127.0.0.1:55388\r\n$"
    "0\r\n\r\n"
    "*6\r\n:8\r\n:1795449158\r\n:20\r\n*2\r\n$6\r\nclient\r\n$4\r\nlist\r\n$15\r\n127.0.0.1:55384\r\n$0\r\n\r\n"
    "*6\r\n:7\r\n:1795449158\r\n:0\r\n*1\r\n$4\r\nping\r\n$15\r\n127.0.0.1:55378\r\n$0\r\n\r\n";

TEST(RedisSlowlogEntries, KeepWhatNamesTheCommand) {
  const auto entries = read_slowlog(reply_of(recorded));
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].id, 9);
  EXPECT_EQ((*entries)[0].unix_seconds, 1795449158);
  EXPECT_EQ((*entries)[0].microseconds, 17);
  EXPECT_EQ((*entries)[0].command, "acl");
  EXPECT_EQ((*entries)[0].subcommand, "log");
  EXPECT_EQ((*entries)[1].command, "client");
  EXPECT_EQ((*entries)[2].command, "ping");
  EXPECT_EQ((*entries)[2].subcommand, "");
}

TEST(RedisSlowlogEntries, OfAnotherShapeAreRefused) {
  for (const auto* wire :
       {"$1\r\nx\r\n", "*1\r\n:1\r\n", "*1\r\n*3\r\n:1\r\n:2\r\n:3\r\n", "*1\r\n*4\r\n$1\r\nx\r\n:2\r\n:3\r\n*0\r\n",
        "*1\r\n*4\r\n:1\r\n:2\r\n:-3\r\n*0\r\n", "*1\r\n*4\r\n:-1\r\n:2\r\n:3\r\n*0\r\n",
        "*2\r\n*4\r\n:1\r\n:2\r\n:3\r\n*0\r\n*4\r\n:1\r\n:2\r\n:3\r\n*0\r\n"}) {
    const auto entries = read_slowlog(reply_of(wire));
    ASSERT_FALSE(entries) << wire;
    EXPECT_EQ(entries.error().code, Errc::protocol) << wire;
  }
  EXPECT_EQ(read_slowlog(reply_of("-NOPERM no\r\n")).error().code, Errc::noperm);
  EXPECT_TRUE(read_slowlog(reply_of("*1\r\n*4\r\n:1\r\n:2\r\n:3\r\n*0\r\n")));
}

/// A slow log as the server keeps it.
class Log {
 public:
  explicit Log(Canned& server) : server_(server) { publish(); }

  /// Logs a call of a millisecond, now.
  void log(const std::string& words) {
    std::string arguments;
    std::size_t count = 0;
    for (std::string_view rest = words; !rest.empty(); ++count) {
      const auto word = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
      arguments += bulk(word);
    }
    entries_.insert(entries_.begin(), "*4\r\n:" + std::to_string(next_id_++) +
                                          "\r\n:" + std::to_string(static_cast<long>(server_.unix_now)) +
                                          "\r\n:1000\r\n*" + std::to_string(count) + "\r\n" + arguments);
    if (entries_.size() > 128) entries_.pop_back();
    publish();
  }
  void log(const std::string& words, int times) {
    for (int i = 0; i < times; ++i) log(words);
  }
  void reset() {
    entries_.clear();
    publish();
  }
  void restart() {
    next_id_ = 0;
    reset();
  }

 private:
  void publish() {
    server_.answer("SLOWLOG LEN", ":" + std::to_string(entries_.size()) + "\r\n");
    for (std::size_t wanted = 10; wanted <= 128; ++wanted) {
      const auto count = std::min(wanted, entries_.size());
      std::string wire = "*" + std::to_string(count) + "\r\n";
      for (std::size_t i = 0; i < count; ++i) wire += entries_[i];
      server_.answer("SLOWLOG GET " + std::to_string(wanted), wire);
    }
  }

  Canned& server_;
  std::vector<std::string> entries_;
  int next_id_ = 0;
};

class RedisSlowlogCounters : public ::testing::Test {
 protected:
  RedisSlowlogCounters() : server(make_slowlog({})), log(server) {
    server.commands = {{"get", {}}, {"config|set", {}}, {"config", {}}};
  }
  /// @return the counters of one scrape.
  std::string counters() {
    std::string lines;
    const auto page = server.scrape();
    for (std::string_view rest = page; !rest.empty();) {
      const auto line = rest.substr(0, rest.find('\n') + 1);
      rest.remove_prefix(line.size());
      if (line.find("_total") != line.npos) lines += line;
    }
    return lines;
  }
  static std::string lost(int entries) { return "redis_slowlog_lost_entries_total " + std::to_string(entries) + "\n"; }
  static std::string entries(const std::string& command, int count) {
    return "redis_slowlog_entries_total{cmd=\"" + command + "\"} " + std::to_string(count) + "\n";
  }

  Canned server;
  Log log;
};

TEST_F(RedisSlowlogCounters, BeginAtZeroWithWhatTheLogHolds) {
  log.log("get a", 3);
  EXPECT_EQ(counters(), lost(0));
  EXPECT_EQ(counters(), lost(0));
  log.log("GET b");
  EXPECT_EQ(counters(), entries("get", 1) + "redis_slowlog_duration_seconds_total{cmd=\"get\"} 0.001\n" + lost(0));
  EXPECT_EQ(counters(), entries("get", 1) + "redis_slowlog_duration_seconds_total{cmd=\"get\"} 0.001\n" + lost(0));
}

TEST_F(RedisSlowlogCounters, NameOnlyCommandsThatExist) {
  counters();
  log.log("CONFIG set maxmemory 1");
  log.log("config get maxmemory");
  log.log("secretname value");
  log.log("get config|set");
  const auto page = counters();
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"config|set\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"config\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"other\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"get\"} 1"));
  EXPECT_EQ(page.find("secretname"), std::string::npos);
}

TEST_F(RedisSlowlogCounters, AskForMoreWhenTenAreNotEnough) {
  log.log("get a");
  counters();
  EXPECT_EQ(server.asked, (std::vector<std::string>{"SLOWLOG LEN", "SLOWLOG GET 10"}));
  log.log("get a", 10);  // exactly as many as are asked for: nothing is missing
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 10"));
  EXPECT_EQ(server.asked.size(), 2u);
  counters();
  log.log("get a", 11);
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 21"));
  EXPECT_EQ(server.asked, (std::vector<std::string>{"SLOWLOG LEN", "SLOWLOG GET 10", "SLOWLOG GET 128"}));
  EXPECT_TRUE(has_line(counters(), lost(0).substr(0, lost(0).size() - 1)));
  EXPECT_EQ(server.asked, (std::vector<std::string>{"SLOWLOG LEN", "SLOWLOG GET 22"}));
  counters();
  EXPECT_EQ(server.asked, (std::vector<std::string>{"SLOWLOG LEN", "SLOWLOG GET 10"}));
}

TEST_F(RedisSlowlogCounters, CountWhatCameTooLateAsLost) {
  log.log("get a");
  counters();
  log.log("get a", 130);
  const auto page = counters();
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"get\"} 128"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_lost_entries_total 2"));
}

TEST_F(RedisSlowlogCounters, GoOnAfterTheLogIsReset) {
  log.log("get a", 5);
  counters();
  log.reset();
  EXPECT_EQ(counters(), lost(0));
  log.log("get a", 2);
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 2"));
}

TEST_F(RedisSlowlogCounters, DoNotInventLossesWhereTheLogWasEmptyAtFirst) {
  log.log("get a", 50);
  log.reset();
  EXPECT_EQ(counters(), lost(0));
  server.wait(std::chrono::seconds(15));
  log.log("get a");
  EXPECT_EQ(counters(), entries("get", 1) + "redis_slowlog_duration_seconds_total{cmd=\"get\"} 0.001\n" + lost(0));
}

TEST_F(RedisSlowlogCounters, CountEverythingOfARestartedServer) {
  log.log("get a", 5);
  counters();
  server.wait(std::chrono::seconds(15));
  server.facts.run_id = "second";
  server.facts.start_seconds = server.unix_now - 3;
  server.collector().forget();
  log.restart();
  log.log("get a", 3);
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 3"));
  log.log("get a");
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 4"));
}

TEST_F(RedisSlowlogCounters, CountOnlyTheRecentEntriesOfAnotherServer) {
  counters();
  Canned& other = server;  // a failover: a process that has run for long answers at the same address
  other.unix_now -= 1000;
  log.log("get old", 5);
  other.unix_now += 1000;
  other.wait(std::chrono::seconds(15));
  other.facts.start_seconds = 1;
  other.collector().forget();
  log.log("get new", 2);
  const auto page = counters();
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"get\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_lost_entries_total 0"));
}

TEST_F(RedisSlowlogCounters, SurviveARefusal) {
  counters();
  log.log("get a");
  counters();
  server.answer("SLOWLOG GET 10", "-NOPERM no\r\n");
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 1"));
  ASSERT_TRUE(server.error);
  EXPECT_EQ(server.error->code, Errc::noperm);
  log.log("get a");
  EXPECT_TRUE(has_line(counters(), "redis_slowlog_entries_total{cmd=\"get\"} 2"));
}

TEST_F(RedisSlowlogCounters, TakeTheFewWhenTheManyAreRefused) {
  log.log("get a");
  counters();
  log.log("get a", 20);
  server.answer("SLOWLOG GET 128", "-ERR the reply is larger than limits.max_reply_bytes\r\n");
  const auto page = counters();
  EXPECT_TRUE(has_line(page, "redis_slowlog_entries_total{cmd=\"get\"} 10"));
  EXPECT_TRUE(has_line(page, "redis_slowlog_lost_entries_total 10"));
}

TEST(RedisBoundedCounts, FoldWhatComesAtTheLimit) {
  BoundedCounts counts(2);
  counts.add("a", {1, 0.5});
  counts.add("b", {1, 0});
  EXPECT_EQ(counts.folded(), 0u);
  counts.add("c", {1, 2});
  counts.add("d", {2, 0});
  counts.add("e", {1, 0});
  counts.add("a", {1, 0.5});
  counts.add("other", {1, 0});
  EXPECT_EQ(counts.folded(), 2u);  // as many as there is room for
  ASSERT_EQ(counts.counts().size(), 3u);
  EXPECT_EQ(counts.counts().find("a")->second.events, 2);
  EXPECT_EQ(counts.counts().find("a")->second.amount, 1);
  EXPECT_EQ(counts.counts().find("other")->second.events, 5);
}

}  // namespace
}  // namespace midst::sources::redis_info
