// The sampler against a scripted server: what a real one cannot be made to do when it should.
#include "agent/sources/redis/sampler/sampler.hpp"

#include "tests/support/loop.hpp"
#include "tests/support/scripted_server.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::has_line;
using test::Script;
using test::ScriptedServer;
using test::Step;

const std::string ok = "+OK\r\n", pong = "+PONG\r\n";

/// What TIME is answered.
const std::string now = "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n";

/// The three INFO replies of one look, between two of TIME.
std::string moment(const std::string& persistence, const std::string& keyspace = "db0:keys=2,expires=0,avg_ttl=0") {
  return now + bulk(persistence + "\r\n") + bulk("role:master\r\n") + bulk(keyspace + "\r\n") + now;
}

/// A fresh connection's first exchange: CLIENT SETNAME and PING.
void add_greeting(Script& script, const std::string& more = "") {
  script.push_back(Step::await("PING\r\n"));
  script.push_back(Step::send(ok + pong + more));
}

void add_look(Script& script, const std::string& info) {
  script.push_back(Step::await("PING\r\n"));
  script.push_back(Step::send(pong));
  script.push_back(Step::await("keyspace\r\n"));
  script.push_back(Step::send(info));
}

void add_scan(Script& script, const std::string& reply) {
  script.push_back(Step::await("COUNT\r\n"));
  script.push_back(Step::send(now + reply + now));
}

SamplerOptions quick() {
  SamplerOptions options;
  options.is_enabled = true;
  options.duty_cycle = 0.5;
  options.sample_ratio = options.max_big_keys = 0;
  options.min_samples = 0;
  options.interval = std::chrono::hours(1);
  options.pause = std::chrono::milliseconds(1);
  options.pause_rtt = std::chrono::seconds(4);
  return options;
}

/// A sampler on a server that plays a script and hangs at its end.
struct Scripted {
  explicit Scripted(Script script, SamplerOptions options = quick(), int version = 70015)
      : server(io, {[&] {
                 script.push_back(Step::hang());
                 return std::move(script);
               }()}) {
    facts.version = version;
    redis::Uri uri;
    uri.host = "127.0.0.1";
    uri.port = server.port();
    collector = make_sampler(std::move(options), {io.get_executor(), uri, {}, {}});
  }

  void scrape() {
    const auto begin = std::chrono::steady_clock::now();
    Batch batch;
    collector->ask({facts, 0, 1, begin, 0, begin + std::chrono::seconds(1)}, batch);
    EXPECT_EQ(batch.size(), 0U);
  }
  [[nodiscard]] std::string page() const {
    metrics::SnapshotBuilder builder;
    const Commands none;
    collector->add({facts, none, 0, builder});
    return test::page_of(builder);
  }
  [[nodiscard]] bool shows(const std::string& line) {
    return test::run_until(io, [&] { return has_line(page(), line); });
  }

  asio::io_context io;
  ScriptedServer server;
  ServerFacts facts;
  std::unique_ptr<Collector> collector;
};

const std::string two_keys = "*2\r\n$1\r\n0\r\n*2\r\n$3\r\na:1\r\n$3\r\na:2\r\n";

TEST(Sampler, WaitsUntilTheServerHasLoadedAndCountsOnePause) {
  Script script;
  add_greeting(script);
  for (int look = 0; look < 3; ++look) add_look(script, moment("loading:1"));
  add_look(script, moment("loading:0"));
  add_scan(script, two_keys);
  Scripted sampler(std::move(script));
  sampler.scrape();
  EXPECT_TRUE(sampler.shows("redis_key_sampler_cycles_total 1")) << sampler.server.received(0);
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_pauses_total{reason=\"loading\"} 1"));
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_prefix_keys{db=\"db0\",prefix=\"a:*\"} 2"));
}

TEST(Sampler, TakesALoadingReplyForAPauseAndNotForAnError) {
  Script script;
  add_greeting(script);
  add_look(script, moment("loading:0"));
  add_scan(script, "-LOADING Redis is loading the dataset in memory\r\n");
  Scripted sampler(std::move(script));
  sampler.scrape();
  EXPECT_TRUE(sampler.shows("redis_key_sampler_pauses_total{reason=\"loading\"} 1"));
  EXPECT_EQ(sampler.page().find("redis_key_sampler_errors_total"), std::string::npos);
}

TEST(Sampler, CountsEachReasonAndEachTimeThatItPauses) {
  Script script;
  add_greeting(script);
  add_look(script, moment("rdb_bgsave_in_progress:1"));
  add_look(script, moment("aof_rewrite_in_progress:1"));
  add_look(script, moment("async_loading:1"));
  add_look(script, moment("rdb_bgsave_in_progress:1"));
  Scripted sampler(std::move(script));
  sampler.scrape();
  EXPECT_TRUE(sampler.shows("redis_key_sampler_pauses_total{reason=\"saving\"} 2"));
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_pauses_total{reason=\"loading\"} 1"));
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_keys_scanned_total 0"));
}

TEST(Sampler, TellsAServerThatKnowsItNotToCountItsLooksAsUse) {
  Script script;
  add_greeting(script, ok + ok);
  add_look(script, moment("loading:0"));
  add_scan(script, two_keys);
  Scripted sampler(std::move(script), quick(), 70200);
  sampler.facts.has_cluster = true;
  sampler.scrape();
  EXPECT_TRUE(sampler.shows("redis_key_sampler_cycles_total 1"));
  const auto& sent = sampler.server.received(0);
  EXPECT_NE(sent.find("*3\r\n$6\r\nCLIENT\r\n$8\r\nNO-TOUCH\r\n$2\r\nON\r\n"), std::string::npos);
  EXPECT_NE(sent.find("*1\r\n$8\r\nREADONLY\r\n"), std::string::npos);
}

TEST(Sampler, KeepsAwayFromSentinelsAndFromServersItDoesNotKnow) {
  for (const bool is_sentinel : {false, true}) {
    Scripted sampler({}, quick(), is_sentinel ? 70015 : 0);
    sampler.facts.is_sentinel = is_sentinel;
    sampler.scrape();
    sampler.io.poll();
    EXPECT_EQ(sampler.server.connection_count(), 0U);
  }
}

TEST(Sampler, GoesOnAfterAReplyThatIsNoneOfSCANs) {
  Script script;
  add_greeting(script);
  add_look(script, moment("loading:0"));
  add_scan(script, ":1\r\n");
  auto options = quick();
  options.interval = std::chrono::milliseconds(0);
  add_look(script, moment("loading:0"));
  add_scan(script, two_keys);
  Scripted sampler(std::move(script), options);
  sampler.scrape();
  EXPECT_TRUE(sampler.shows("redis_key_sampler_cycles_total 1"));
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_errors_total{reason=\"protocol\"} 1"));
}

TEST(Sampler, DoesNotTakeAReplyOfTheServerThatHasGone) {
  Script script;
  add_greeting(script);
  add_look(script, moment("loading:0"));
  script.push_back(Step::await("COUNT\r\n"));
  Scripted sampler(std::move(script));
  sampler.scrape();
  ASSERT_TRUE(test::run_until(sampler.io, [&] {
    return sampler.server.connection_count() > 0 && sampler.server.received(0).find("COUNT\r\n") != std::string::npos;
  }));
  sampler.collector->forget();
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_scan_progress_ratio 0"));
  EXPECT_TRUE(has_line(sampler.page(), "redis_key_sampler_keys_scanned_total 0"));
}

}  // namespace
}  // namespace midst::sources::redis_info
