#include "api/cache/redis_cache.hpp"

#include "tests/support/loop.hpp"
#include "tests/support/scripted_server.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <map>

namespace midst::api {
namespace {

using namespace std::chrono_literals;
using test::Script;
using test::Step;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

/// The way in: RedisCache asks PING before it uses a server; the client's name travels before it.
const std::vector<Step> welcome{Step::await("PING"), Step::send("+OK\r\n+PONG\r\n")};

Script after_welcome(std::vector<Step> steps) {
  Script script = welcome;
  script.insert(script.end(), steps.begin(), steps.end());
  return script;
}

struct RedisCacheTest : testing::Test {
  asio::io_context io;
  std::map<std::string, int> counts;

  CacheEvents events() {
    CacheEvents events;
    events.on_hit = [this](std::string_view type) { ++counts["hit " + std::string(type)]; };
    events.on_miss = [this](std::string_view type) { ++counts["miss " + std::string(type)]; };
    events.on_failure = [this](std::string_view type, std::string_view why) {
      ++counts["failure " + std::string(type) + " " + std::string(why)];
    };
    events.on_redis_operation = [this](std::string_view operation, std::chrono::nanoseconds) {
      ++counts["redis " + std::string(operation)];
    };
    return events;
  }

  std::unique_ptr<RedisCache> make(std::uint16_t port, RedisCacheOptions options = {}) {
    redis::Uri uri;
    uri.host = "127.0.0.1";
    uri.port = port;
    options.retry_interval = 50ms;
    return std::make_unique<RedisCache>(
        io.get_executor(), uri, options, events(), [] { return std::chrono::steady_clock::now(); }, [] { return 0.0; });
  }

  void wait_until_up(const RedisCache& cache) {
    ASSERT_TRUE(test::run_until(io, [&] { return cache.is_up(); }));
  }
};

TEST_F(RedisCacheTest, EscapesWhatAGlobWouldRead) {
  EXPECT_EQ(glob_of_prefix("midst:page:"), "midst:page:*");
  EXPECT_EQ(glob_of_prefix("a*b?c[d]e\\"), "a\\*b\\?c\\[d\\]e\\\\*");
}

TEST_F(RedisCacheTest, CountsAHitAndAMissOfRedisOnceEach) {
  test::ScriptedServer server(io, {after_welcome({Step::await("GET"), Step::send(bulk("value")), Step::await("GET"),
                                                  Step::send("$-1\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, cache->get("a")), "value");
  EXPECT_EQ(test::run(io, cache->get("b")), std::nullopt);
  EXPECT_EQ(counts, (std::map<std::string, int>{{"hit redis", 1}, {"miss redis", 1}, {"redis get", 2}}));
}

TEST_F(RedisCacheTest, SendsWhatWaitsInOnePipeline) {
  test::ScriptedServer server(io,
                              {after_welcome({Step::await("k3"), Step::send("+OK\r\n+OK\r\n+OK\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  const auto turns = server.turns(0);
  cache->put("k1", "v", 10s);
  cache->put("k2", "v", 10s);
  cache->put("k3", "v", 10s);
  ASSERT_TRUE(test::run_until(io, [&] { return counts["redis set"] == 3; }));
  EXPECT_EQ(server.turns(0), turns + 1);
}

TEST_F(RedisCacheTest, GivesAValueItsLifetimeInMilliseconds) {
  test::ScriptedServer server(io, {after_welcome({Step::await("PX"), Step::send("+OK\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  cache->put("k", "v", 600s);
  ASSERT_TRUE(test::run_until(io, [&] { return counts["redis set"] == 1; }));
  EXPECT_NE(server.received(0).find("$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$6\r\n600000\r\n"),
            std::string::npos);
}

TEST_F(RedisCacheTest, ForgetsByScanAndUnlinkOverAllPages) {
  test::ScriptedServer server(
      io, {after_welcome({Step::await("k"), Step::send(":1\r\n"),  // UNLINK k
                          Step::await("SCAN"), Step::send("*2\r\n" + bulk("7") + "*2\r\n" + bulk("p:1") + bulk("p:2")),
                          Step::await("UNLINK"), Step::send(":2\r\n"),  //
                          Step::await("SCAN"), Step::send("*2\r\n" + bulk("0") + "*0\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  test::run(io, cache->invalidate({{"k"}, {"p:"}}));
  EXPECT_NE(server.received(0).find("UNLINK\r\n$3\r\np:1\r\n$3\r\np:2"), std::string::npos);
  EXPECT_NE(server.received(0).find("SCAN\r\n$1\r\n7\r\n$5\r\nMATCH\r\n$3\r\np:*"), std::string::npos);
  EXPECT_EQ(server.received(0).find("KEYS"), std::string::npos);
  EXPECT_EQ(counts, (std::map<std::string, int>{{"redis scan", 2}, {"redis unlink", 2}}));
}

TEST_F(RedisCacheTest, UsesMemoryWhileRedisIsAwayAndComesBackByItself) {
  test::ScriptedServer server(io, {after_welcome({Step::await("GET"), Step::send("$5\r\nab")}),
                                   after_welcome({Step::await("GET"), Step::send(bulk("from redis")), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, cache->get("a")), std::nullopt);
  EXPECT_FALSE(cache->is_up());
  cache->put("a", "from memory", 10s);
  EXPECT_EQ(test::run(io, cache->get("a")), "from memory");
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, cache->get("a")), "from redis");
  EXPECT_EQ(
      counts,
      (std::map<std::string, int>{
          {"failure redis closed", 1}, {"hit memory", 1}, {"hit redis", 1}, {"miss memory", 1}, {"redis get", 2}}));
}

TEST_F(RedisCacheTest, TreatsAHangingRedisAsAway) {
  test::ScriptedServer server(io, {after_welcome({Step::hang()}), {Step::hang()}});
  const auto cache = make(server.port(), {.command_timeout = 300ms});
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, cache->get("a")), std::nullopt);
  EXPECT_FALSE(cache->is_up());
  EXPECT_EQ(counts["failure redis timeout"], 1);
}

TEST_F(RedisCacheTest, RemovesWhatBecameStaleWhileRedisWasAwayBeforeItUsesRedisAgain) {
  test::ScriptedServer server(
      io, {after_welcome({Step::await("GET"), Step::send("$5\r\nab")}),
           after_welcome({Step::await("SCAN"), Step::send(":1\r\n*2\r\n" + bulk("0") + "*1\r\n" + bulk("p:9")),
                          Step::await("p:9"), Step::send(":1\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  (void)test::run(io, cache->get("a"));
  ASSERT_FALSE(cache->is_up());
  test::run(io, cache->invalidate({{"k"}, {"p:"}}));
  wait_until_up(*cache);
  EXPECT_NE(server.received(1).find("UNLINK\r\n$1\r\nk"), std::string::npos);
  EXPECT_NE(server.received(1).find("UNLINK\r\n$3\r\np:9"), std::string::npos);
}

TEST_F(RedisCacheTest, DoesNotUseARedisThatCannotForget) {
  const std::string refusal = "-NOPERM this user has no permissions to run the 'scan' command\r\n";
  test::ScriptedServer server(
      io, {after_welcome({Step::await("SCAN"), Step::send(refusal), Step::await("PING"), Step::send("+PONG\r\n"),
                          Step::await("SCAN"), Step::send(refusal), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  test::run(io, cache->invalidate({{}, {"p:"}}));
  EXPECT_FALSE(cache->is_up());
  EXPECT_EQ(counts["failure redis noperm"], 1);
  const auto asked_twice = [&] { return server.received(0).rfind("SCAN") != server.received(0).find("SCAN"); };
  ASSERT_TRUE(test::run_until(io, asked_twice));
  EXPECT_FALSE(cache->is_up());
}

TEST_F(RedisCacheTest, MissesWhenARefusalComesInsteadOfAValue) {
  test::ScriptedServer server(
      io, {after_welcome(
              {Step::await("GET"), Step::send("-LOADING Redis is loading the dataset in memory\r\n"), Step::hang()})});
  const auto cache = make(server.port());
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, cache->get("a")), std::nullopt);
  EXPECT_TRUE(cache->is_up());
  EXPECT_EQ(counts, (std::map<std::string, int>{{"failure redis loading", 1}, {"miss redis", 1}, {"redis get", 1}}));
}

/// Without a wait between them, so that the worker cannot take any of the commands.
asio::awaitable<std::optional<std::string>> fill_and_get(RedisCache* cache) {
  cache->put("k", "v", 10s);
  cache->put("k", "v", 10s);
  auto getting = cache->get("a");
  co_return co_await std::move(getting);
}

TEST_F(RedisCacheTest, MissesAtOnceWhenTooManyCommandsWait) {
  test::ScriptedServer server(io, {after_welcome({Step::hang()})});
  const auto cache = make(server.port(), {.command_timeout = 10s, .max_waiting = 2});
  wait_until_up(*cache);
  EXPECT_EQ(test::run(io, fill_and_get(cache.get())), std::nullopt);
  EXPECT_EQ(counts, (std::map<std::string, int>{{"failure redis overflow", 1}, {"miss redis", 1}}));
}

TEST_F(RedisCacheTest, SaysWhyItIsNotReady) {
  const auto cache = make(test::free_port());
  const auto reason = [&] { return test::run(io, cache->check()).error().message; };
  EXPECT_TRUE(test::run_until(io, [&] { return reason().starts_with("connect_refused: redis://127.0.0.1"); }))
      << reason();
}

}  // namespace
}  // namespace midst::api
