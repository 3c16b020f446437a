// The collector "keys" on a real server: what it shows, and what it does to the server's statistics.
#include "agent/sources/redis/keys/keys.hpp"

#include "tests/integration/redis/live.hpp"
#include "tests/support/collector_driver.hpp"
#include "tests/support/counting_proxy.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace midst {
namespace {

using sources::redis_info::KeyRoles;
using sources::redis_info::KeysOptions;
using sources::redis_info::make_keys;
using sources::redis_info::parse_key_arguments;
using test::CollectorDriver;
using test::has_line;
using test::redis_cli;
using test::RedisServer;

KeysOptions checking(std::string_view check, std::string_view single = "", std::string_view count = "") {
  KeysOptions options;
  options.check = parse_key_arguments(check).value();
  options.single = parse_key_arguments(single).value();
  options.count = parse_key_arguments(count).value();
  return options;
}

/// @return a field of INFO as a number.
double info(const RedisServer& server, const std::string& field) {
  const auto text = redis_cli(server, {"info", "everything"});
  const auto at = text.find("\n" + field + ":");
  if (at == std::string::npos) return 0;
  return std::stod(text.substr(at + field.size() + 2));
}

/// Makes `count` strings with one command of the server's own.
void make_strings(const RedisServer& server, const std::string& prefix, int count) {
  redis_cli(server, {"eval", "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, i) end", "0", prefix,
                     std::to_string(count)});
}

std::size_t lines_with(const std::string& samples, const std::string& start) {
  std::size_t count = 0;
  for (auto at = samples.find(start); at != std::string::npos; at = samples.find(start, at + 1))
    count += at == 0 || samples[at - 1] == '\n' ? 1 : 0;
  return count;
}

/// One key of each type, and what each is known to measure.
void make_each_type(const RedisServer& server) {
  redis_cli(server, {"set", "text", "hello"});
  redis_cli(server, {"set", "number", "1234.56"});
  redis_cli(server, {"rpush", "list", "a", "b"});
  redis_cli(server, {"sadd", "set", "a", "b", "c"});
  redis_cli(server, {"zadd", "zset", "1", "a"});
  redis_cli(server, {"hset", "hash", "a", "1", "b", "2"});
  redis_cli(server, {"xadd", "stream", "1-1", "a", "1"});
  redis_cli(server, {"pfadd", "hll", "a", "b", "c"});
}
constexpr const char* each_type = "text,number,list,set,zset,hash,stream,hll";

TEST(RedisKeys, MeasuresEveryType) {
  RedisServer server;
  make_each_type(server);
  for (const auto& options : {checking("", each_type), checking(each_type), checking("?*")}) {
    CollectorDriver driver(make_keys(options), server.url());
    for (int i = 0; i < 2; ++i) {
      const auto scrape = driver.scrape();
      EXPECT_FALSE(scrape.error) << describe(*scrape.error);
      for (const auto* size :
           {"text\"} 5", "number\"} 7", "list\"} 2", "set\"} 3", "zset\"} 1", "hash\"} 2", "stream\"} 1", "hll\"} 3"})
        EXPECT_TRUE(has_line(scrape.samples, std::string("redis_key_size{db=\"db0\",key=\"") + size)) << size;
      EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 8U);
      EXPECT_EQ(lines_with(scrape.samples, "redis_key_memory_usage_bytes{"), 8U);
      EXPECT_EQ(lines_with(scrape.samples, "redis_key_value"), 0U);
    }
  }
}

TEST(RedisKeys, AskForNamedKeysInOneRoundTripOnceTheirTypesAreKnown) {
  RedisServer server;
  make_each_type(server);
  asio::io_context io;
  CollectorDriver driver(make_keys(checking("", std::string(each_type) + ",db3=text,missing")), server.url());
  redis_cli(server, {"-n", "3", "set", "text", "abc"});
  (void)driver.scrape();
  const auto scrape = driver.scrape();
  EXPECT_EQ(scrape.rounds, 1);
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db3\",key=\"text\"} 3"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"missing\"} 0"));
  // 8 known keys and one in another database with two commands each, one that does not exist, and two SELECTs.
  EXPECT_EQ(scrape.commands.size(), 8U * 2 + 2 + 1 + 2);
}

TEST(RedisKeys, LeaveTheServersStatisticsAlone) {
  RedisServer server;
  make_each_type(server);
  redis_cli(server, {"setrange", "long", "5000000", "x"});
  auto options = checking("", std::string(each_type) + ",long,missing,db1=missing", "*,t*");
  options.has_values = true;
  CollectorDriver driver(make_keys(options), server.url());
  (void)driver.scrape();
  const auto hits = info(server, "keyspace_hits"), misses = info(server, "keyspace_misses"),
             errors = info(server, "total_error_replies");
  for (int i = 0; i < 100; ++i) {
    const auto scrape = driver.scrape();
    ASSERT_FALSE(scrape.error) << describe(*scrape.error);
    ASSERT_EQ(scrape.rounds, 1);
  }
  EXPECT_EQ(info(server, "total_error_replies") - errors, 0);
  EXPECT_EQ(info(server, "keyspace_misses") - misses, 0);
  EXPECT_EQ(info(server, "keyspace_hits") - hits, 900) << "nine keys that exist";
}

TEST(RedisKeys, HitEachKeyOfAPatternTwiceAtMost) {
  RedisServer server;
  make_strings(server, "a:", 300);
  auto options = checking("a:*");
  options.has_values = true;
  CollectorDriver driver(make_keys(options), server.url());
  const auto before = info(server, "keyspace_hits");
  const auto first = driver.scrape();
  EXPECT_EQ(lines_with(first.samples, "redis_key_value{"), 300U);
  EXPECT_EQ(info(server, "keyspace_hits") - before, 600);
  (void)driver.scrape();
  EXPECT_EQ(info(server, "keyspace_hits") - before, 900);
  EXPECT_EQ(info(server, "total_error_replies"), 0);
}

TEST(RedisKeys, ShowTheValuesOfStringsWhereThatIsWanted) {
  RedisServer server;
  make_each_type(server);
  redis_cli(server, {"set", "longer", std::string(257, 'x')});
  redis_cli(server, {"set", "longest", std::string(256, 'y')});
  auto options = checking("", std::string(each_type) + ",longer,longest");
  options.has_values = true;
  CollectorDriver driver(make_keys(options), server.url());
  for (int i = 0; i < 3; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_value{db=\"db0\",key=\"number\"} 1234.56"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_value_as_string{db=\"db0\",key=\"text\",val=\"hello\"} 1"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"longer\"} 257"));
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_value"), 3U);
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_value_as_string{db=\"db0\",key=\"longest\",val=\"" +
                                             std::string(256, 'y') + "\"} 1"));
  }
}

TEST(RedisKeys, DoNotFetchAHugeString) {
  RedisServer server;
  redis_cli(server, {"setrange", "huge", "50000000", "x"});
  auto options = checking("", "huge");
  options.has_values = true;
  const auto before = info(server, "total_net_output_bytes");
  CollectorDriver driver(make_keys(options), server.url());
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(has_line(driver.scrape().samples, "redis_key_size{db=\"db0\",key=\"huge\"} 50000001"));
  EXPECT_LT(info(server, "total_net_output_bytes") - before, 100'000);
}

TEST(RedisKeys, SeeANewTypeAtOnce) {
  RedisServer server;
  redis_cli(server, {"set", "k", "a"});
  CollectorDriver driver(make_keys(checking("", "k")), server.url());
  (void)driver.scrape();
  const std::vector<std::pair<std::vector<std::string>, std::string>> changes{
      {{"rpush", "k", "a", "b", "c"}, "3"},
      {{"hset", "k", "a", "1"}, "1"},
      {{"pfadd", "k", "a", "b", "c", "d"}, "4"},
      {{"set", "k", "plain"}, "5"},
      {{"set", "k", "a plain string that is longer"}, "29"},
      {{"pfadd", "k", "a", "b"}, "2"},
      {{"sadd", "k", "a"}, "1"},
  };
  for (const auto& [command, size] : changes) {
    redis_cli(server, {"del", "k"});
    redis_cli(server, command);
    const auto scrape = driver.scrape();
    EXPECT_FALSE(scrape.error);
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"k\"} " + size)) << command[0] << size;
  }
  // Another type shows in an error, at most one each; none where the length tells.
  EXPECT_LE(info(server, "total_error_replies"), 5);
  redis_cli(server, {"del", "k"});
  EXPECT_TRUE(has_line(driver.scrape().samples, "redis_key_size{db=\"db0\",key=\"k\"} 0"));
}

TEST(RedisKeys, FindTheKeysThatMatchAmongMany) {
  RedisServer server;
  make_strings(server, "get_keys_", 1000);
  make_strings(server, "other_", 1000);
  auto options = checking("get_keys_*", "", "get_keys_*,other_*,nothing*,*");
  options.batch_size = 10;
  CollectorDriver driver(make_keys(options), server.url());
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_FALSE(scrape.error);
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{db=\"db0\",key=\"get_keys_"), 1000U);
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 1000U);
    EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"get_keys_*\"} 1000"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"other_*\"} 1000"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"nothing*\"} 0"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"*\"} 2000"));
  }
}

TEST(RedisKeys, DropTheKeysThatAreGone) {
  RedisServer server;
  make_strings(server, "a:", 3);
  CollectorDriver driver(make_keys(checking("a:*")), server.url());
  EXPECT_EQ(lines_with(driver.scrape().samples, "redis_key_size{"), 3U);
  redis_cli(server, {"del", "a:2"});
  redis_cli(server, {"pexpire", "a:3", "1"});
  while (redis_cli(server, {"exists", "a:3"}) != "0\n") continue;
  const auto scrape = driver.scrape();
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 1U);
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"a:1\"} 1"));
}

TEST(RedisKeys, KeepTheRestWhenTheFirstIsMissingOrItsDatabaseDoesNotExist) {
  RedisServer server;
  redis_cli(server, {"set", "there", "abc"});
  redis_cli(server, {"-n", "2", "set", "there", "abcd"});
  CollectorDriver driver(make_keys(checking("db16=x*", "missing,db16=x,there,db2=there", "db16=*,*")), server.url());
  for (int i = 0; i < 3; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"missing\"} 0"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"there\"} 3"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db2\",key=\"there\"} 4"));
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 3U);
    EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"*\"} 1"));
    EXPECT_EQ(lines_with(scrape.samples, "redis_keys_count{"), 1U);
    ASSERT_TRUE(scrape.error);
    EXPECT_NE(scrape.error->message.find("DB index is out of range"), std::string::npos);
  }
  EXPECT_EQ(info(server, "total_error_replies"), 1) << "asked once";
}

TEST(RedisKeys, LeaveTheConnectionInItsOwnDatabase) {
  RedisServer server;
  redis_cli(server, {"-n", "2", "set", "own", "abc"});
  redis_cli(server, {"-n", "5", "set", "other", "abcd"});
  auto options = checking("db5=o*", "db2=own,missing");
  options.database = 2;
  CollectorDriver driver(make_keys(options), server.url() + "/2");
  const auto scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db5\",key=\"other\"} 4"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db2\",key=\"own\"} 3"));
  EXPECT_EQ(driver.command({"GET", "own"}).text, "abc");
}

TEST(RedisKeys, TakeKeysOfAnyBytes) {
  RedisServer server;
  CollectorDriver driver(make_keys(checking("bin%2A", "a%00%ff%0a%22,a%2Cb,a%3Db")), server.url());
  (void)driver.command({"SET", std::string("a\0\xff\n\"", 5), "12"});
  (void)driver.command({"SET", std::string("bin\xc3\x28", 5), "123"});
  (void)driver.command({"SET", "a,b", "1"});
  (void)driver.command({"SET", "a=b", "1234"});
  const auto scrape = driver.scrape();
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 4U);
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"a,b\"} 1"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"a=b\"} 4"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"bin\xEF\xBF\xBD(\"} 3"));
  EXPECT_NE(scrape.samples.find("\xEF\xBF\xBD\\n\\\"\"} 2"), std::string::npos) << scrape.samples;
}

TEST(RedisKeys, FoldWhatIsBeyondTheLimit) {
  RedisServer server;
  make_strings(server, "a:", 26);
  auto options = checking("a:*,a:1*");
  options.max_keys = 25;
  CollectorDriver driver(make_keys(options), server.url());
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 25U);
    EXPECT_GE(test::value_of(scrape.samples, "redis_exporter_folded_series{metric=\"redis_key_size\"}").value_or(0), 1);
  }
  options.max_keys = 26;
  CollectorDriver exact(make_keys(options), server.url());
  const auto scrape = exact.scrape();
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 26U);
  EXPECT_EQ(lines_with(scrape.samples, "redis_exporter_folded_series"), 0U);
}

TEST(RedisKeys, GoOnInTheNextScrapeWhereTheTimeWasUp) {
  RedisServer server;
  make_strings(server, "a:", 3000);
  auto options = checking("a:*", "a:7", "a:*");
  options.batch_size = 10;
  options.pace.time_per_scrape = std::chrono::milliseconds(20);
  CollectorDriver driver(make_keys(options), server.url());
  auto scrape = driver.scrape();
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 1U) << "the key by name is there at once";
  EXPECT_EQ(lines_with(scrape.samples, "redis_keys_count{"), 0U);
  int scrapes = 1;
  bool said_so = false;
  for (; scrapes < 200 && lines_with(scrape.samples, "redis_keys_count{") == 0; ++scrapes) {
    scrape = driver.scrape();
    EXPECT_TRUE(!scrape.error || scrape.error->code == Errc::timeout);
    said_so = said_so || scrape.error;
  }
  EXPECT_GT(scrapes, 2);
  EXPECT_TRUE(said_so);
  EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"a:*\"} 3000"));
  for (int i = 0; i < 200 && lines_with(scrape.samples, "redis_key_size{") < 3000; ++i) scrape = driver.scrape();
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 3000U);
  // From now on the whole result stays while the next is made.
  for (int i = 0; i < 5; ++i) {
    scrape = driver.scrape();
    EXPECT_FALSE(scrape.error);
    EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 3000U);
  }
}

TEST(RedisKeys, GoOnWhereAConnectionBroke) {
  RedisServer server;
  make_strings(server, "a:", 3000);
  auto options = checking("a:*");
  options.batch_size = 10;
  options.pace.time_per_scrape = std::chrono::milliseconds(20);
  CollectorDriver driver(make_keys(options), server.url());
  std::size_t seen = 0;
  for (int i = 0; i < 500 && seen < 3000; ++i) {
    seen = lines_with(driver.scrape().samples, "redis_key_size{");
    if (i % 2 == 0) driver.connection().close();
  }
  EXPECT_EQ(seen, 3000U);
}

TEST(RedisKeys, ShowTheLastResultWithinTheInterval) {
  RedisServer server;
  redis_cli(server, {"set", "a", "abc"});
  auto options = checking("a*", "", "a*");
  options.pace.interval = std::chrono::hours(1);
  CollectorDriver driver(make_keys(options), server.url());
  const auto first = driver.scrape();
  redis_cli(server, {"set", "a", "abcdef"});
  const auto second = driver.scrape();
  EXPECT_EQ(second.rounds, 0);
  EXPECT_TRUE(has_line(second.samples, "redis_key_size{db=\"db0\",key=\"a\"} 3"));
  EXPECT_TRUE(has_line(second.samples, "redis_keys_count{db=\"db0\",key=\"a*\"} 1"));
  const auto age = test::value_of(second.samples, "redis_exporter_keys_age_seconds");
  ASSERT_TRUE(age);
  EXPECT_GE(*age, 0);
  EXPECT_LT(*age, 60);
}

TEST(RedisKeys, AskOnlyServersOfTheRoleThatIsWanted) {
  RedisServer server;
  redis_cli(server, {"set", "a", "abc"});
  auto options = checking("a*", "a", "a*");
  options.pace.roles = KeyRoles::replica;
  CollectorDriver driver(make_keys(options), server.url());
  EXPECT_EQ(driver.scrape().rounds, 0);
  EXPECT_EQ(driver.scrape().samples, "");
  RedisServer master;
  redis_cli(master, {"set", "a", "abc"});
  redis_cli(server, {"replicaof", "127.0.0.1", std::to_string(master.port())});
  for (int i = 0; i < 2000 && redis_cli(server, {"get", "a"}) != "abc\n"; ++i) continue;
  EXPECT_TRUE(has_line(driver.scrape().samples, "redis_key_size{db=\"db0\",key=\"a\"} 3"));
  redis_cli(server, {"replicaof", "no", "one"});
  EXPECT_EQ(driver.scrape().samples, "");
}

TEST(RedisKeys, TellOfTheirOwnNodeOfACluster) {
  const auto bus = test::free_port();
  RedisServer server(test::cluster_options());
  RedisServer other({"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus)});
  redis_cli(server, {"cluster", "addslotsrange", "0", "8191"});
  redis_cli(other, {"cluster", "addslotsrange", "8192", "16383"});
  redis_cli(other, {"cluster", "set-config-epoch", "2"});
  redis_cli(server, {"cluster", "meet", "127.0.0.1", std::to_string(other.port()), std::to_string(bus)});
  for (int i = 0; i < 5000 && redis_cli(server, {"set", "bar", "abc"}) != "OK\n"; ++i) continue;       // slot 5061
  for (int i = 0; i < 5000 && !redis_cli(server, {"get", "foo"}).starts_with("MOVED"); ++i) continue;  // slot 12182
  CollectorDriver driver(make_keys(checking("b*", "bar,foo,{bar}missing", "*")), server.url());
  auto scrape = driver.scrape();
  EXPECT_FALSE(scrape.error);
  const auto errors = info(server, "total_error_replies");
  for (int i = 0; i < 20; ++i) scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"bar\"} 3"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"{bar}missing\"} 0"));
  EXPECT_EQ(lines_with(scrape.samples, "redis_key_size{"), 2U) << scrape.samples;
  EXPECT_TRUE(has_line(scrape.samples, "redis_keys_count{db=\"db0\",key=\"*\"} 1"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_exporter_keys_elsewhere 1"));
  EXPECT_EQ(info(server, "total_error_replies") - errors, 0);
}

TEST(RedisKeys, NeedNoMoreRightsThanTheyName) {
  RedisServer server;
  make_each_type(server);
  auto options = checking("?*", std::string(each_type) + ",db2=missing", "*,t*");
  options.has_values = true;
  auto collector = make_keys(options);
  std::vector<std::string> user{"acl", "setuser", "watcher", "on", ">secret", "+info", "+client|setname"};
  for (auto& right : collector->rights()) user.push_back(right);
  ASSERT_EQ(redis_cli(server, user), "OK\n");
  CollectorDriver driver(std::move(collector), fmt::format("redis://watcher:secret@127.0.0.1:{}", server.port()));
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_FALSE(scrape.error) << describe(*scrape.error);
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_size{db=\"db0\",key=\"hll\"} 3"));
  }
  EXPECT_EQ(info(server, "total_error_replies"), 0);
}

TEST(RedisKeys, LeaveDeniedKeysAloneAfterTheFirstTime) {
  RedisServer server;
  make_strings(server, "mine:", 5);
  make_strings(server, "other:", 5);
  redis_cli(server, {"acl", "setuser", "watcher", "on", ">secret", "+@all", "~mine:*"});
  CollectorDriver driver(make_keys(checking("*:*")), fmt::format("redis://watcher:secret@127.0.0.1:{}", server.port()));
  EXPECT_EQ(driver.scrape().error->code, Errc::noperm);
  const auto errors = info(server, "total_error_replies");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(lines_with(driver.scrape().samples, "redis_key_size{"), 5U);
  EXPECT_EQ(info(server, "total_error_replies"), errors);
}

TEST(RedisKeys, CountManyInFlatMemory) {
  RedisServer server;
  CollectorDriver driver(make_keys(checking("", "", "a:*")), server.url());
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    long pages = 0;
    file >> pages >> pages;
    return pages * 4096;
  };
  make_strings(server, "a:", 2000);
  (void)driver.scrape();
  const auto before = resident();
  make_strings(server, "a:", 200'000);
  std::string samples;
  for (int i = 0; i < 50 && !has_line(samples, "redis_keys_count{db=\"db0\",key=\"a:*\"} 200000"); ++i)
    samples = driver.scrape().samples;
  EXPECT_TRUE(has_line(samples, "redis_keys_count{db=\"db0\",key=\"a:*\"} 200000"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep freed memory back
  EXPECT_LT(resident() - before, 4 * 1024 * 1024);
#else
  (void)before;
#endif
}

}  // namespace
}  // namespace midst
