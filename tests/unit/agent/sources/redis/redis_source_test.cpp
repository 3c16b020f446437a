#include "agent/sources/redis/redis_source.hpp"

#include "lib/base/version.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/scripted_server.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace midst::sources {
namespace {

using test::bulk;
using test::has_line;
using test::Script;
using test::ScriptedServer;
using test::Step;

const std::string setname_ok = "+OK\r\n";
const std::string settings = "*4\r\n$9\r\nmaxmemory\r\n$4\r\n1024\r\n$9\r\ndatabases\r\n$1\r\n2\r\n";
const std::string no_events = "*0\r\n";
const std::string no_histograms = "*0\r\n";
const std::string empty_slowlog = ":0\r\n*0\r\n";
const std::string rest = no_events + no_histograms + empty_slowlog;
const std::string refused = "-NOPERM this user has no permissions\r\n";

std::string info(const std::string& run_id, const std::string& version, const std::string& more = "") {
  return bulk("# Server\r\nredis_version:" + version + "\r\nrun_id:" + run_id + "\r\n" + more +
              "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\n");
}

/// The first look at a server that nothing is known of, and its answer to that and to CLIENT SETNAME.
Step hello() {
  return Step::await("$4\r\nINFO\r\n$6\r\nserver\r\n");
}
Step greeting(const std::string& run_id, const std::string& version) {
  return Step::send(setname_ok + bulk("# Server\r\nredis_version:" + version + "\r\nrun_id:" + run_id + "\r\n"));
}

/// The end of every pipeline that has the slow log in it, and it is the last but CLUSTER INFO.
Step slowlog_get() {
  return Step::await("$7\r\nSLOWLOG\r\n$3\r\nGET\r\n");
}

class RedisSourceTest : public testing::Test {
 protected:
  static RedisOptions options_for(const ScriptedServer& server) {
    RedisOptions options;
    options.uri.host = "127.0.0.1";
    options.uri.port = server.port();
    const std::set<std::string_view> used{"config", "latency", "histogram", "slowlog", "cluster"};
    for (const auto& [name, is_on] : redis_collectors()) options.collectors[std::string(name)] = used.contains(name);
    return options;
  }

  Result<metrics::Snapshot> collect(RedisSource& source, std::chrono::milliseconds wait = std::chrono::seconds(5)) {
    return test::run(io, source.collect(std::chrono::steady_clock::now() + wait));
  }

  std::string page(RedisSource& source) {
    auto snapshot = collect(source);
    return snapshot ? test::page_of(std::move(*snapshot)) : describe(snapshot.error());
  }

  asio::io_context io;
};

TEST_F(RedisSourceTest, NeedsOneRoundTripPerScrapeAndOneMoreForTheFirst) {
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(info("a", "7.0.15") + settings + rest),
            slowlog_get(), Step::send(info("a", "7.0.15") + rest), slowlog_get(),
            Step::send(info("a", "7.0.15") + rest), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  for (std::size_t scrape = 1; scrape <= 3; ++scrape) {
    const auto text = page(source);
    EXPECT_TRUE(has_line(text, "redis_up 1")) << text;
    EXPECT_TRUE(has_line(text, "redis_config_maxmemory 1024"));
    EXPECT_TRUE(has_line(text, "redis_db_keys{db=\"db0\"} 3"));
    EXPECT_TRUE(has_line(text, "redis_db_keys{db=\"db1\"} 0"));
    EXPECT_FALSE(has_line(text, "redis_db_keys{db=\"db2\"} 0"));
    EXPECT_TRUE(has_line(text, "redis_exporter_scrapes_total " + std::to_string(scrape)));
    EXPECT_EQ(server.turns(0), scrape + 1);
  }
  EXPECT_EQ(server.connection_count(), 1u);
}

TEST_F(RedisSourceTest, LooksWhatTheServerIsBeforeItAsksForMore) {
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(info("a", "7.0.15") + settings + rest),
            slowlog_get(), Step::send(info("a", "7.0.15") + rest), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  ASSERT_TRUE(collect(source));
  const auto first = server.received(0);
  EXPECT_TRUE(
      first.starts_with("*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$11\r\nmidst-agent\r\n"
                        "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n*15\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"))
      << first;
  EXPECT_NE(first.find("*8\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$9\r\nmaxmemory\r\n$10\r\nmaxclients\r\n"),
            std::string::npos);
  ASSERT_TRUE(collect(source));
  const auto second = server.received(0).substr(first.size());
  EXPECT_TRUE(second.starts_with("*15\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")) << second;
  EXPECT_EQ(second.find("CONFIG"), std::string::npos);
}

TEST_F(RedisSourceTest, AsksAClusterNodeForItsClusterInTheFirstScrapeToo) {
  const auto node = info("a", "7.0.15", "# Cluster\r\ncluster_enabled:1\r\n");
  const auto cluster = bulk("cluster_state:ok\r\n");
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(node + settings + rest),
            Step::await("$7\r\nCLUSTER\r\n$4\r\nINFO\r\n"), Step::send(cluster),
            Step::await("$7\r\nCLUSTER\r\n$4\r\nINFO\r\n"), Step::send(node + rest + cluster), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  EXPECT_TRUE(has_line(page(source), "redis_cluster_state 1"));
  EXPECT_EQ(server.turns(0), 3u);
  const auto text = page(source);
  EXPECT_TRUE(has_line(text, "redis_cluster_state 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"cluster\"} 1"));
  EXPECT_EQ(server.turns(0), 4u);
}

TEST_F(RedisSourceTest, AsksAnOldServerForOneSettingAtATimeAndNotForWhatItDoesNotKnow) {
  const auto old = info("a", "6.0.16");
  const std::string nothing = "*0\r\n";
  const std::string databases = "*2\r\n$9\r\ndatabases\r\n$1\r\n3\r\n";
  const auto old_settings = nothing + nothing + nothing + nothing + databases + nothing;
  ScriptedServer server(
      io, {{hello(), greeting("a", "6.0.16"), slowlog_get(), Step::send(old + old_settings + no_events + empty_slowlog),
            slowlog_get(), Step::send(old + no_events + empty_slowlog), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  const auto first = page(source);
  EXPECT_TRUE(has_line(first, "redis_db_keys{db=\"db2\"} 0")) << first;
  EXPECT_FALSE(has_line(first, "redis_db_keys{db=\"db3\"} 0"));
  EXPECT_TRUE(has_line(first, "redis_exporter_collector_success{collector=\"config\"} 1"));
  EXPECT_EQ(server.received(0).find("HISTOGRAM"), std::string::npos);
  EXPECT_TRUE(has_line(page(source), "redis_exporter_collector_success{collector=\"slowlog\"} 1"));
  EXPECT_EQ(server.turns(0), 3u);
}

TEST_F(RedisSourceTest, DoesNotRepeatWhatWasRefusedUntilAnotherServerAnswers) {
  const auto all_refused = refused + refused + refused + refused + refused;
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(info("a", "7.0.15") + all_refused),
            Step::await("keysizes\r\n"), Step::send(info("a", "7.0.15")), Step::await("keysizes\r\n"),
            Step::send(info("b", "7.0.15")), slowlog_get(), Step::send(info("b", "7.0.15") + settings + rest),
            Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  for (int scrape = 0; scrape < 3; ++scrape) {
    const auto text = page(source);
    EXPECT_TRUE(has_line(text, "redis_up 1")) << text;
    EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"info\"} 1"));
    for (const std::string collector : {"config", "latency", "histogram", "slowlog"})
      EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"" + collector + "\"} 0")) << text;
    EXPECT_EQ(text.find("redis_slowlog"), std::string::npos);
  }
  const auto text = page(source);
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"config\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"slowlog\"} 1"));
  EXPECT_EQ(server.turns(0), 5u);
}

TEST_F(RedisSourceTest, ShowsWhatCameBeforeTheServerBrokeOff) {
  ScriptedServer server(io, {{hello(), greeting("a", "7.0.15"), slowlog_get(),
                              Step::send(info("a", "7.0.15") + settings + "*1\r\n*4\r\n$4\r\nfo"), Step::close()},
                             {slowlog_get(), Step::send(setname_ok + info("a", "7.0.15") + rest), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  const auto text = page(source);
  EXPECT_TRUE(has_line(text, "redis_up 1")) << text;
  EXPECT_TRUE(has_line(text, "redis_config_maxmemory 1024"));
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"config\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"latency\"} 0"));
  EXPECT_TRUE(has_line(text, "redis_exporter_collector_success{collector=\"slowlog\"} 0"));
  EXPECT_TRUE(has_line(text, "redis_exporter_last_scrape_error{err=\"closed\"} 1"));
  const auto next = page(source);
  EXPECT_TRUE(has_line(next, "redis_exporter_collector_success{collector=\"slowlog\"} 1"));
  EXPECT_TRUE(has_line(next, "redis_exporter_last_scrape_error{err=\"\"} 0"));
  EXPECT_TRUE(has_line(next, "redis_exporter_connects_total 2"));
}

TEST_F(RedisSourceTest, AsksOnceForAReplyThatIsTooLarge) {
  const std::string huge = "*1\r\n$200000\r\n" + std::string(200'000, 'x') + "\r\n";
  ScriptedServer server(
      io,
      {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(info("a", "7.0.15") + settings + huge),
        Step::hang()},
       {slowlog_get(), Step::send(setname_ok + info("a", "7.0.15") + no_histograms + empty_slowlog), Step::hang()}});
  auto options = options_for(server);
  options.connection.max_reply_bytes = 100'000;
  RedisSource source(io.get_executor(), options);
  const auto text = page(source);
  EXPECT_TRUE(has_line(text, "redis_up 1")) << text;
  EXPECT_TRUE(has_line(text, "redis_exporter_last_scrape_error{err=\"limit\"} 1"));
  const auto next = page(source);
  EXPECT_TRUE(has_line(next, "redis_exporter_last_scrape_error{err=\"\"} 0")) << next;
  EXPECT_TRUE(has_line(next, "redis_exporter_collector_success{collector=\"latency\"} 0"));
  EXPECT_TRUE(has_line(next, "redis_exporter_collector_success{collector=\"slowlog\"} 1"));
}

TEST_F(RedisSourceTest, OpensAConnectionAnewWhenItIsAsOldAsWasAsked) {
  ScriptedServer server(io, {{hello(), greeting("a", "7.0.15"), slowlog_get(),
                              Step::send(info("a", "7.0.15") + settings + rest), Step::hang()},
                             {slowlog_get(), Step::send(setname_ok + info("a", "7.0.15") + rest), Step::hang()}});
  auto options = options_for(server);
  options.probe_interval = std::chrono::milliseconds(1);
  RedisSource source(io.get_executor(), options);
  ASSERT_TRUE(collect(source));
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
  while (std::chrono::steady_clock::now() < end) {
  }
  EXPECT_TRUE(has_line(page(source), "redis_exporter_connects_total 2"));
}

TEST_F(RedisSourceTest, TimesAPingWhenAsked) {
  ScriptedServer server(io, {{Step::await("PING"), Step::send(setname_ok + "+PONG\r\n"), hello(),
                              Step::send(bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:a\r\n")), slowlog_get(),
                              Step::send(info("a", "7.0.15") + settings + rest), Step::hang()}});
  auto options = options_for(server);
  options.has_ping = true;
  RedisSource source(io.get_executor(), options);
  const auto text = page(source);
  EXPECT_NE(text.find("\nredis_exporter_last_scrape_ping_time_seconds "), std::string::npos) << text;
  EXPECT_TRUE(has_line(text, "redis_exporter_commands_sent_total{cmd=\"ping\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_commands_sent_total{cmd=\"slowlog|get\"} 1"));
}

TEST_F(RedisSourceTest, SendsARefusedCommandAgainAfterItsTime) {
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(info("a", "7.0.15") + refused + rest),
            slowlog_get(), Step::send(info("a", "7.0.15") + settings + rest), Step::hang()}});
  auto options = options_for(server);
  options.retry_refused_after = std::chrono::seconds(0);
  RedisSource source(io.get_executor(), options);
  EXPECT_TRUE(has_line(page(source), "redis_exporter_collector_success{collector=\"config\"} 0"));
  EXPECT_TRUE(has_line(page(source), "redis_exporter_collector_success{collector=\"config\"} 1"));
}

TEST_F(RedisSourceTest, AsksForTheSettingsAgainWhenTheyAreOld) {
  const auto all = info("a", "7.0.15") + settings + rest;
  ScriptedServer server(io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(all), slowlog_get(),
                              Step::send(all), Step::hang()}});
  auto options = options_for(server);
  options.settings.interval = std::chrono::seconds(0);
  RedisSource source(io.get_executor(), options);
  ASSERT_TRUE(collect(source));
  EXPECT_TRUE(collect(source));
}

TEST_F(RedisSourceTest, LeavesOutWhatIsSwitchedOff) {
  ScriptedServer server(io, {{hello(), Step::send(info("a", "7.0.15")), Step::await("keysizes\r\n"),
                              Step::send(info("a", "7.0.15")), Step::hang()}});
  auto options = options_for(server);
  options.connection.client_name = "";
  options.has_zero_databases = false;
  for (const auto& [name, is_on] : redis_collectors()) options.collectors[std::string(name)] = false;
  RedisSource source(io.get_executor(), options);
  const auto text = page(source);
  EXPECT_TRUE(has_line(text, "redis_up 1")) << text;
  EXPECT_TRUE(server.received(0).ends_with("keyspace\r\n$8\r\nkeysizes\r\n")) << server.received(0);
  EXPECT_EQ(text.find("db=\"db1\""), std::string::npos);
}

TEST_F(RedisSourceTest, KeepsTheStartTimeWhileTheSameProcessAnswers) {
  const auto at = [](const std::string& run_id, int uptime) {
    return info(run_id, "7.0.15",
                "server_time_usec:1700000000500000\r\nuptime_in_seconds:" + std::to_string(uptime) + "\r\n");
  };
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(at("a", 100) + settings + rest), slowlog_get(),
            Step::send(at("a", 101) + rest), Step::close()},
           {slowlog_get(), Step::send(setname_ok + at("b", 7) + rest), Step::await("client-output-buffer-limit\r\n"),
            Step::send(settings), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  EXPECT_TRUE(has_line(page(source), "redis_start_time_seconds 1699999900"));
  EXPECT_TRUE(has_line(page(source), "redis_start_time_seconds 1699999900"));
  io.poll();  // the server closes behind its answer
  EXPECT_TRUE(has_line(page(source), "redis_start_time_seconds 1699999993"));
  EXPECT_EQ(server.turns(1), 2u);
}

TEST_F(RedisSourceTest, FailsWithTheReasonWhenInfoIsRefused) {
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(refused + settings + rest), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  const auto snapshot = collect(source);
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Errc::noperm);
  EXPECT_EQ(snapshot.error().message, "INFO: NOPERM this user has no permissions");
}

TEST_F(RedisSourceTest, FailsWhenTheInfoReplyIsNoInfo) {
  ScriptedServer server(
      io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send("+PONG\r\n" + settings + rest), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  EXPECT_EQ(collect(source).error().code, Errc::protocol);
}

TEST_F(RedisSourceTest, CountsNoCommandThatNobodyWasThereToTake) {
  RedisOptions options;
  {
    ScriptedServer gone(io, {{Step::hang()}});
    options = options_for(gone);
  }
  RedisSource source(io.get_executor(), options);
  for (int scrape = 0; scrape < 2; ++scrape) {
    const auto snapshot = collect(source);
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().code, Errc::connect_refused);
    EXPECT_EQ(test::page_of(source.down(snapshot.error())).find("redis_exporter_commands_sent_total{"),
              std::string::npos);
  }
}

TEST_F(RedisSourceTest, SaysInABoundedWordWhyItIsDown) {
  ScriptedServer server(io, {{hello(), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  const auto snapshot = collect(source, std::chrono::milliseconds(50));
  ASSERT_FALSE(snapshot);
  EXPECT_EQ(snapshot.error().code, Errc::timeout);
  const auto text = test::page_of(source.down(snapshot.error()));
  EXPECT_TRUE(has_line(text, "redis_up 0"));
  EXPECT_TRUE(has_line(text, "redis_exporter_last_scrape_error{err=\"timeout\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_scrapes_total 1"));
  EXPECT_TRUE(has_line(text, "redis_exporter_scrape_duration_seconds_count 1"));
  EXPECT_TRUE(has_line(text, "redis_target_scrape_request_errors_total 0"));
  EXPECT_EQ(text.find("collector_success"), std::string::npos);
}

TEST_F(RedisSourceTest, PutsTheConstantLabelsOnEverySample) {
  ScriptedServer server(io, {{hello(), greeting("a", "7.0.15"), slowlog_get(),
                              Step::send(info("a", "7.0.15") + settings + rest), Step::hang()}});
  auto options = options_for(server);
  options.name = "cache";
  options.constant_labels = {{"addr", "cache"}};
  RedisSource source(io.get_executor(), options);
  EXPECT_EQ(source.id().kind, "redis");
  EXPECT_EQ(source.id().target, "cache");
  auto lines = test::samples_of(page(source));
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < lines.size(); begin = lines.find('\n', begin) + 1, ++count)
    EXPECT_NE(lines.substr(begin, lines.find('\n', begin) - begin).find("addr=\"cache\""), std::string::npos);
  EXPECT_GT(count, 20u);
}

TEST_F(RedisSourceTest, DeclaresEveryFamilyItServes) {
  const auto node = info("a", "7.0.15",
                         "# Cluster\r\ncluster_enabled:1\r\n# "
                         "Replication\r\nrole:slave\r\nmaster_host:h\r\nmaster_port:1\r\nmaster_link_status:up\r\n"
                         "cmdstat_get:calls=1,usec=1,usec_per_call=1,rejected_calls=0,failed_calls=0\r\n"
                         "errorstat_ERR:count=1\r\nlatency_percentiles_usec_get:p50=1\r\n");
  ScriptedServer server(io, {{hello(), greeting("a", "7.0.15"), slowlog_get(), Step::send(node + settings + rest),
                              Step::await("CLUSTER"), Step::send(bulk("cluster_state:ok\r\n")), Step::hang()}});
  RedisSource source(io.get_executor(), options_for(server));
  const auto snapshot = collect(source);
  ASSERT_TRUE(snapshot) << describe(snapshot.error());
  std::set<std::string> declared;
  for (const auto& spec : source.specs()) EXPECT_TRUE(declared.emplace(spec.name).second) << spec.name;
  for (const auto& family : snapshot->families())
    EXPECT_TRUE(declared.contains(std::string(family.name))) << family.name;
  EXPECT_TRUE(has_line(test::page_of(source.down({Errc::dns, ""})),
                       "redis_exporter_build_info{build_date=\"\",commit_sha=\"\",golang_version=\"\",version=\"" +
                           std::string(version()) + "\"} 1"));
}

}  // namespace
}  // namespace midst::sources
