// The background key sampler on real servers: exact where everything is looked at, and without traces.
#include "tests/integration/redis/live.hpp"
#include "tests/integration/redis/live_sampler.hpp"

#include <csignal>
#include <string>

namespace midst {
namespace {

using sources::redis_info::SamplerRole;
using test::eager_sampling;
using test::has_line;
using test::LiveSampler;
using test::redis_cli;
using test::RedisServer;

const std::string cycles_total = "redis_key_sampler_cycles_total";
const std::string scanned_total = "redis_key_sampler_keys_scanned_total";

void eval(const RedisServer& server, const std::string& script) {
  redis_cli(server, {"EVAL", script, "0"});
}

double info_value(const RedisServer& server, const std::string& section, const std::string& field) {
  const auto info = redis_cli(server, {"INFO", section});
  const auto found = info.find("\n" + field + ":");
  return found == std::string::npos ? -1 : std::stod(info.substr(found + field.size() + 2));
}

std::string at(const std::string& family, const std::string& prefix, const std::string& more = "") {
  return family + "{db=\"db0\",prefix=\"" + prefix + "\"" + more + "}";
}

/// 20 000 keys under four prefixes.
void fill(const RedisServer& server) {
  eval(server, R"(
    for i = 1, 10000 do redis.call('SET', 'session:' .. i, string.rep('x', i % 100), 'EX', i <= 4000 and 45 or 2000) end
    for i = 1, 6000 do redis.call('HSET', 'user:' .. i .. ':profile', 'name', i, 'mail', i) end
    for i = 1, 3000 do redis.call('ZADD', 'board/' .. i, 1, 'a', 2, 'b') end
    for i = 1, 1000 do redis.call('RPUSH', 'queue.' .. i, 1, 2, 3) redis.call('EXPIRE', 'queue.' .. i, 100000) end)");
}

TEST(SamplerLive, IsExactAfterOneCycleThatLooksAtEverything) {
  RedisServer server;
  fill(server);
  LiveSampler sampler(server.url(), eager_sampling());
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const auto page = sampler.page();
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "session:*") + " 10000")) << page;
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "user:*:profile") + " 6000"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "board/*") + " 3000"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "queue.*") + " 1000"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_type_keys", "user:*:profile", ",type=\"hash\"") + " 6000"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_type_keys", "board/*", ",type=\"zset\"") + " 3000"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "session:*", ",le=\"10\"") + " 0"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "session:*", ",le=\"60\"") + " 4000"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "session:*", ",le=\"900\"") + " 4000"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "session:*", ",le=\"3600\"") + " 10000"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "queue.*", ",le=\"86400\"") + " 0"));
  EXPECT_TRUE(has_line(page, at("redis_key_ttl_seconds_bucket", "queue.*", ",le=\"604800\"") + " 1000"));
  EXPECT_TRUE(has_line(page, at("redis_keys_without_ttl_ratio", "session:*") + " 0"));
  EXPECT_TRUE(has_line(page, at("redis_keys_without_ttl_ratio", "board/*") + " 1"));
  EXPECT_TRUE(has_line(page, "redis_key_sampler_scan_progress_ratio 1"));
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 0);
}

TEST(SamplerLive, EstimatesTheMemoryThatMemoryUsageSumsUpTo) {
  RedisServer server;
  fill(server);
  auto options = eager_sampling();
  options.sample_ratio = 0.1;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const std::pair<const char*, const char*> rows[] = {
      {"session:*", "session:*"}, {"user:*:profile", "user:*"}, {"board/*", "board/*"}, {"queue.*", "queue.*"}};
  for (const auto& [prefix, glob] : rows) {
    const auto sum = redis_cli(server, {"EVAL",
                                        "local sum = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do sum = sum "
                                        "+ redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 5) end return sum",
                                        "0", glob});
    const auto estimate = sampler.value(at("redis_key_prefix_memory_bytes", prefix)).value();
    EXPECT_NEAR(estimate / std::stod(sum), 1, 0.05) << prefix;
    EXPECT_LT(sampler.value(at("redis_key_prefix_sampled_keys", prefix)).value(), 2500);
  }
}

TEST(SamplerLive, CountsTheLookupsThatItAddsToTheServersStatistics) {
  RedisServer server;
  fill(server);
  eval(server, "for i = 1, 5000 do redis.call('RPUSH', 'big:list', i) end");
  redis_cli(server, {"CONFIG", "RESETSTAT"});
  auto options = eager_sampling();
  options.sample_ratio = 0.05;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const auto lookups = sampler.value("redis_key_sampler_keyspace_lookups_total").value();
  EXPECT_EQ(info_value(server, "stats", "keyspace_hits") + info_value(server, "stats", "keyspace_misses"), lookups);
  const auto sampled = sampler.value("redis_key_sampler_keys_sampled_total").value();
  EXPECT_EQ(lookups, 2 * sampled + 1) << "TYPE and PTTL of each, and LLEN of the big one";
  EXPECT_LT(sampled, 2500);
}

TEST(SamplerLive, TakesTheServersTimeToBeNoLessThanItIs) {
  RedisServer server;
  fill(server);
  redis_cli(server, {"CONFIG", "RESETSTAT"});
  auto options = eager_sampling();
  options.duty_cycle = 0.2;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const auto stats = redis_cli(server, {"INFO", "commandstats"});
  double microseconds = 0;
  for (const std::string command : {"scan", "type", "pttl", "memory|usage"}) {
    const auto line = stats.find("cmdstat_" + command + ":");
    ASSERT_NE(line, std::string::npos) << stats;
    microseconds += std::stod(stats.substr(stats.find("usec=", line) + 5));
  }
  const auto busy = sampler.value("redis_key_sampler_busy_seconds_total").value();
  EXPECT_GE(busy, microseconds / 1e6);
  EXPECT_LE(sampler.value("redis_key_sampler_duty_ratio").value(), 0.2);
  const auto cycle = sampler.value("redis_key_sampler_cycle_seconds").value();
  EXPECT_GE(cycle, busy / 0.2 * 0.9) << "the share was kept over the whole cycle";
}

TEST(SamplerLive, GoesThroughWhenKeysVanishMidCycle) {
  RedisServer server;
  fill(server);
  auto options = eager_sampling();
  options.duty_cycle = 0.05;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches(scanned_total, 1000));
  EXPECT_LT(sampler.value("redis_key_sampler_scan_progress_ratio").value(), 1);
  const auto partial = sampler.value(at("redis_key_prefix_keys", "session:*")).value();
  EXPECT_NEAR(partial, 10'000, 3'000) << "an estimate from the part that was seen";
  redis_cli(server, {"FLUSHALL"});
  ASSERT_TRUE(sampler.completes());
  EXPECT_GE(sampler.value("redis_key_sampler_keys_vanished_total").value(), 1);
  EXPECT_LT(sampler.value(scanned_total).value(), 20'000);
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 0);
}

TEST(SamplerLive, TakesKeysOfAnyBytesAndEveryDatabase) {
  RedisServer server;
  eval(server, R"(
    redis.call('SET', '\255\254\001', 1) redis.call('SET', '\000', 1) redis.call('SET', '', 1)
    redis.call('SET', 'sess:\r\n\255\000', string.rep('x', 20000)) redis.call('SET', 'größe:17', 1)
    redis.call('SET', string.rep('long', 5000) .. ':1', 1)
    redis.call('SELECT', 5) redis.call('SADD', 'tags:1', 'a') redis.call('XADD', 'log:1', '*', 'a', 1))");
  auto options = eager_sampling();
  options.big_key_names = true;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const auto page = sampler.page();
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "(binary)") + " 2")) << page;
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "(empty)") + " 1"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "sess:*") + " 1"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "größe:*") + " 1"));
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "*") + " 1"));
  EXPECT_TRUE(has_line(page, "redis_key_prefix_keys{db=\"db5\",prefix=\"tags:*\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_key_prefix_type_keys{db=\"db5\",prefix=\"log:*\",type=\"stream\"} 1"));
  EXPECT_NE(page.find("redis_big_key_memory_bytes{db=\"db0\",key=\"sess:??\xef\xbf\xbd?#"), std::string::npos);
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 0);
}

TEST(SamplerLive, FindsTheBigKeysOfAllDatabases) {
  RedisServer server;
  eval(server, R"(
    for i = 1, 3000 do redis.call('RPUSH', 'jobs:mail', 'job' .. i) redis.call('HSET', 'map:1', i, i) end
    redis.call('SET', 'blob:1', string.rep('x', 300000)) for i = 1, 500 do redis.call('SET', 's:' .. i, 1) end
    redis.call('SELECT', 2) for i = 1, 4000 do redis.call('ZADD', 'rank:all', i, 'p' .. i) end)");
  auto options = eager_sampling();
  options.big_key_names = true;
  options.max_big_keys = 2;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  const auto page = sampler.page();
  EXPECT_TRUE(
      has_line(page, "redis_big_key_elements{db=\"db2\",key=\"rank:all\",prefix=\"rank:*\",type=\"zset\"} 4000"))
      << page;
  const auto blob = redis_cli(server, {"MEMORY", "USAGE", "blob:1", "SAMPLES", "5"});
  EXPECT_TRUE(
      has_line(page, "redis_big_key_memory_bytes{db=\"db0\",key=\"blob:1\",prefix=\"blob:*\",type=\"string\"} " +
                         blob.substr(0, blob.find('\n'))));
  const auto rank = redis_cli(server, {"-n", "2", "MEMORY", "USAGE", "rank:all", "SAMPLES", "5"});
  EXPECT_TRUE(
      has_line(page, "redis_big_key_memory_bytes{db=\"db2\",key=\"rank:all\",prefix=\"rank:*\",type=\"zset\"} " +
                         rank.substr(0, rank.find('\n'))));
}

TEST(SamplerLive, LeavesServersOfAnotherRoleAlone) {
  RedisServer server;
  fill(server);
  auto options = eager_sampling();
  options.role = SamplerRole::replica;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches("redis_key_sampler_pauses_total{reason=\"role\"}", 1));
  EXPECT_FALSE(test::run_until(
      sampler.io, [] { return false; }, std::chrono::milliseconds(100)));
  EXPECT_EQ(sampler.value("redis_key_sampler_pauses_total{reason=\"role\"}"), 1) << "one pause, looked at often";
  EXPECT_EQ(sampler.value(scanned_total), 0);
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(server.port())});
  LiveSampler there(replica.url(), options);
  there.scrape();
  ASSERT_TRUE(there.reaches(scanned_total, 20'000));
}

TEST(SamplerLive, WaitsWhileAForkedChildSaves) {
  RedisServer server({"--rdb-key-save-delay", "1000"});
  eval(server, "for i = 1, 1500 do redis.call('SET', 'k:' .. i, 1) end");
  redis_cli(server, {"BGSAVE"});
  LiveSampler sampler(server.url(), eager_sampling());
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches("redis_key_sampler_pauses_total{reason=\"saving\"}", 1));
  EXPECT_EQ(sampler.value(scanned_total), 0);
  ASSERT_TRUE(sampler.completes()) << "after the save";
  EXPECT_TRUE(has_line(sampler.page(), at("redis_key_prefix_keys", "k:*") + " 1500"));
}

TEST(SamplerLive, PausesWhenARoundTripIsLongerThanItMayBe) {
  RedisServer server;
  auto options = eager_sampling();
  options.pause_rtt = options.pause = options.interval =
      std::chrono::milliseconds(0);  // one is the shortest: others are longer
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  EXPECT_TRUE(sampler.reaches("redis_key_sampler_pauses_total{reason=\"slow\"}", 1));
}

TEST(SamplerLive, GoesOnWhenTheServerComesBack) {
  RedisServer server;
  fill(server);
  auto options = eager_sampling();
  options.duty_cycle = 0.05;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches(scanned_total, 500));
  server.kill();
  ASSERT_TRUE(sampler.reaches("redis_key_sampler_errors_total{reason=\"connect_refused\"}", 2));
  server.start();
  eval(server, "for i = 1, 700 do redis.call('SET', 'new:' .. i, 1) end");
  sampler.collector->forget();  // as the source does when another process answers
  EXPECT_EQ(sampler.value(at("redis_key_prefix_keys", "session:*")), std::nullopt);
  ASSERT_TRUE(sampler.completes());
  const auto page = sampler.page();
  EXPECT_TRUE(has_line(page, at("redis_key_prefix_keys", "new:*") + " 700")) << page;
  EXPECT_EQ(page.find("session"), std::string::npos);
}

TEST(SamplerLive, KeepsItsPlaceWhenOnlyItsConnectionGoes) {
  RedisServer server;
  fill(server);
  LiveSampler sampler(server.url(), eager_sampling());
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches(scanned_total, 500));
  redis_cli(server, {"CLIENT", "KILL", "TYPE", "normal"});
  ASSERT_TRUE(sampler.completes());
  EXPECT_EQ(sampler.value(scanned_total), 20'000);
  EXPECT_EQ(sampler.value(at("redis_key_prefix_keys", "session:*")), 10'000);
}

TEST(SamplerLive, NeedsNoMoreThanTheRightsItNames) {
  RedisServer server;
  fill(server);
  eval(server,
       "for i = 1, 5000 do redis.call('RPUSH', 'big:list', i) end redis.call('SELECT', 1) "
       "redis.call('SET', 'a:1', 1)");
  LiveSampler probe(server.url(), eager_sampling());
  std::vector<std::string> rule{"ACL", "SETUSER", "sampler", "on", ">pw", "+client|setname"};
  for (auto& right : probe.collector->rights())
    if (right != "+client|no-touch") rule.push_back(std::move(right));  // this server has no such command
  redis_cli(server, rule);
  LiveSampler sampler("redis://sampler:pw@127.0.0.1:" + std::to_string(server.port()), eager_sampling());
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  EXPECT_EQ(sampler.page().find("redis_key_sampler_errors_total"), std::string::npos);
  EXPECT_NE(sampler.page().find("redis_big_key_elements"), std::string::npos);
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 0);
}

TEST(SamplerLive, AsksOnceForWhatItIsDenied) {
  RedisServer server;
  fill(server);
  redis_cli(server, {"ACL", "SETUSER", "poor", "on", ">pw", "+client|setname", "+info", "+ping"});
  LiveSampler sampler("redis://poor:pw@127.0.0.1:" + std::to_string(server.port()), eager_sampling());
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches("redis_key_sampler_errors_total{reason=\"noperm\"}", 1));
  EXPECT_FALSE(test::run_until(
      sampler.io, [] { return false; }, std::chrono::milliseconds(150)));
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 3) << "TIME at both ends of one write, and SCAN";
}

TEST(SamplerLive, SamplesTheNodeOfAClusterThatItTalksTo) {
  RedisServer server(test::cluster_options());
  redis_cli(server, {"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  ASSERT_TRUE(test::run_until(*std::make_unique<asio::io_context>(), [&] {
    return redis_cli(server, {"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
  }));
  redis_cli(server, {"MSET", "{t}:1", "a", "{t}:2", "b"});
  LiveSampler sampler(server.url(), eager_sampling());
  sampler.facts.has_cluster = true;
  sampler.scrape();
  ASSERT_TRUE(sampler.completes());
  EXPECT_TRUE(has_line(sampler.page(), at("redis_key_prefix_keys", "{t}:*") + " 2")) << sampler.page();
  EXPECT_EQ(info_value(server, "stats", "total_error_replies"), 0);
}

TEST(SamplerLive, EndsWithItsCollectorAlsoInTheMiddleOfAStep) {
  RedisServer server;
  fill(server);
  auto options = eager_sampling();
  options.duty_cycle = 0.05;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  ASSERT_TRUE(sampler.reaches(scanned_total, 500));
  server.freeze();
  EXPECT_FALSE(test::run_until(
      sampler.io, [] { return false; }, std::chrono::milliseconds(300)))
      << "a step hangs";
  const auto began = std::chrono::steady_clock::now();
  sampler.collector.reset();
  sampler.io.restart();
  sampler.io.run();  // returns when nothing is left to do
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
  server.thaw();
}

TEST(SamplerLive, EndsWithItsLoop) {
  RedisServer server;
  fill(server);
  for (const int steps : {0, 1, 2, 3, 5, 8, 13, 40}) {
    LiveSampler sampler(server.url(), eager_sampling());
    sampler.scrape();
    for (int step = 0; step < steps; ++step) sampler.io.run_one_for(std::chrono::milliseconds(100));
    if (steps % 2 == 0) sampler.collector.reset();
  }
}

TEST(SamplerLive, DoesNothingUnlessItIsSwitchedOn) {
  RedisServer server;
  auto options = eager_sampling();
  options.is_enabled = false;
  LiveSampler sampler(server.url(), options);
  sampler.scrape();
  EXPECT_EQ(sampler.io.run(), 0U);
  EXPECT_EQ(sampler.page(), "");
  EXPECT_EQ(info_value(server, "clients", "connected_clients"), 1) << "the asking one";
}

}  // namespace
}  // namespace midst
