// The collectors made of one command each, against a real server.
#include "agent/sources/redis/commands/acl_log.hpp"
#include "agent/sources/redis/commands/all_settings.hpp"
#include "agent/sources/redis/commands/clients.hpp"
#include "agent/sources/redis/commands/commandlog.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/modules.hpp"
#include "agent/sources/redis/commands/rdb_size.hpp"
#include "agent/sources/redis/commands/search_indexes.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "tests/integration/redis/live.hpp"
#include "tests/support/collector_driver.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <list>
#include <string>

namespace midst {
namespace {

using namespace sources::redis_info;
using test::CollectorDriver;
using test::has_line;
using test::redis_cli;
using test::RedisServer;
using test::value_of;

/// A connection that stays, with a name.
class Visitor {
 public:
  Visitor(const RedisServer& server, const std::string& name)
      : connection_(io_.get_executor(), redis::parse_uri(server.url()).value(), named(name)) {
    std::vector<redis::Command> ping{{"PING"}};
    const auto pong = test::run(
        io_, connection_.pipeline(std::move(ping), std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    if (!pong) throw std::runtime_error(describe(pong.error()));
  }

 private:
  static redis::ConnectionOptions named(const std::string& name) {
    redis::ConnectionOptions options;
    options.client_name = name;
    return options;
  }

  asio::io_context io_;
  redis::Connection connection_;
};

TEST(RedisClientsLive, AreCountedByNameUserAndType) {
  const RedisServer server;
  std::list<Visitor> visitors;
  for (const auto* name : {"web", "web", "worker"}) visitors.emplace_back(server, name);
  ClientsOptions options;
  options.has_series = options.export_port = true;
  CollectorDriver driver(make_clients(options), server.url());
  const auto scrape = driver.scrape();
  EXPECT_FALSE(scrape.error);
  EXPECT_EQ(scrape.commands, (std::vector<redis::Command>{{"CLIENT", "LIST"}}));
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_name{name=\"web\"}"), 2);
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_name{name=\"worker\"}"), 1);
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_name{name=\"midst-agent\"}"), 1);
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_user{user=\"default\"}"), 4);
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_network{network=\"127.0.0.1\"}"), 4);
  EXPECT_EQ(value_of(scrape.page, "redis_connected_clients_by_type{type=\"normal\"}"), 4);
  EXPECT_GT(value_of(scrape.page, "redis_connected_clients_memory_bytes"), 4 * 1000);
  // 12 series of each: Redis 7.0 does not say how many keys a client watches.
  std::size_t series = 0;
  for (auto at = scrape.samples.find("redis_connected_client_"); at != std::string::npos;
       at = scrape.samples.find("redis_connected_client_", at + 1))
    ++series;
  EXPECT_EQ(series, 4u * 12);
}

RedisServer slow_server() {
  return RedisServer(
      {"--enable-debug-command", "yes", "--slowlog-log-slower-than", "5000", "--latency-monitor-threshold", "5"});
}

void be_slow(const RedisServer& server, int times) {
  for (int i = 0; i < times; ++i) redis_cli(server, {"DEBUG", "SLEEP", "0.006"});
}

TEST(RedisSlowlogLive, CountsSlowCallsByCommand) {
  RedisServer server = slow_server();
  be_slow(server, 1);
  CollectorDriver driver(make_slowlog({}), server.url());
  const auto first = driver.scrape();
  EXPECT_EQ(value_of(first.page, "redis_slowlog_length"), 1);
  EXPECT_EQ(first.page.find("redis_slowlog_entries_total"), std::string::npos);
  be_slow(server, 3);
  const auto second = driver.scrape();
  EXPECT_EQ(value_of(second.page, "redis_slowlog_entries_total{cmd=\"debug\"}"), 3);
  EXPECT_GE(value_of(second.page, "redis_slowlog_duration_seconds_total{cmd=\"debug\"}"), 0.018);
  EXPECT_EQ(second.rounds, 1);
  be_slow(server, 12);
  const auto third = driver.scrape();
  EXPECT_EQ(value_of(third.page, "redis_slowlog_entries_total{cmd=\"debug\"}"), 15);
  EXPECT_EQ(third.rounds, 2);
  redis_cli(server, {"SLOWLOG", "RESET"});
  be_slow(server, 1);
  const auto fourth = driver.scrape();
  EXPECT_EQ(value_of(fourth.page, "redis_slowlog_entries_total{cmd=\"debug\"}"), 16);
  EXPECT_EQ(value_of(fourth.page, "redis_slowlog_lost_entries_total"), 0);
  EXPECT_EQ(fourth.page.find("SLEEP"), std::string::npos);
}

TEST(RedisSlowlogLive, CountsOnAcrossARestart) {
  RedisServer server = slow_server();
  CollectorDriver driver(make_slowlog({}), server.url());
  driver.scrape();
  be_slow(server, 2);
  EXPECT_EQ(value_of(driver.scrape().page, "redis_slowlog_entries_total{cmd=\"debug\"}"), 2);
  server.kill();
  server.start();
  be_slow(server, 1);
  EXPECT_EQ(value_of(driver.scrape().page, "redis_slowlog_entries_total{cmd=\"debug\"}"), 3);
}

TEST(RedisLatencyLive, CountsSpikes) {
  RedisServer server = slow_server();
  CollectorDriver driver(make_latency_spikes(), server.url());
  driver.scrape();
  be_slow(server, 1);
  const auto page = driver.scrape().page;
  EXPECT_EQ(value_of(page, "redis_latency_spikes_total{event_name=\"command\"}"), 1);
  EXPECT_EQ(value_of(driver.scrape().page, "redis_latency_spikes_total{event_name=\"command\"}"), 1);
}

TEST(RedisAclLogLive, CountsDenialsByReasonAndUser) {
  const RedisServer server;
  redis_cli(server, {"ACL", "SETUSER", "bob", "on", ">secret", "~a*", "+get"});
  const std::vector<std::string> as_bob{"--user", "bob", "--pass", "secret", "--no-auth-warning"};
  const auto denied = [&](std::vector<std::string> command) {
    command.insert(command.begin(), as_bob.begin(), as_bob.end());
    redis_cli(server, std::move(command));
  };
  denied({"GET", "b"});
  AclLogOptions options;
  options.interval = std::chrono::seconds(0);
  CollectorDriver driver(make_acl_log(options), server.url());
  EXPECT_EQ(driver.scrape().samples, "");
  denied({"GET", "b"});
  denied({"GET", "b"});
  denied({"SET", "a", "1"});
  const auto page = driver.scrape().page;
  EXPECT_EQ(value_of(page, "redis_acl_log_denials_total{reason=\"key\",user=\"bob\"}"), 2);
  EXPECT_EQ(value_of(page, "redis_acl_log_denials_total{reason=\"command\",user=\"bob\"}"), 1);
  EXPECT_EQ(driver.scrape().page, page);
  redis_cli(server, {"--user", "bob", "--pass", "wrong", "--no-auth-warning", "PING"});
  redis_cli(server, {"ACL", "LOG", "RESET"});
  EXPECT_EQ(driver.scrape().page, page);
  denied({"GET", "c"});
  EXPECT_EQ(value_of(driver.scrape().page, "redis_acl_log_denials_total{reason=\"key\",user=\"bob\"}"), 3);
}

TEST(RedisAllSettingsLive, ShowNoSecret) {
  const RedisServer server({"--masterauth", "hidden-one", "--masteruser", "hidden-two", "--tls-key-file-pass",
                            "hidden-three", "--maxmemory", "100mb"});
  CollectorDriver driver(make_all_settings({}), server.url());
  const auto scrape = driver.scrape();
  EXPECT_FALSE(scrape.error);
  EXPECT_EQ(scrape.page.find("hidden"), std::string::npos);
  EXPECT_EQ(value_of(scrape.page, "redis_config_value{key=\"maxmemory\"}"), 104857600);
  EXPECT_TRUE(has_line(scrape.page, "redis_config_key_value{key=\"maxmemory\",value=\"104857600\"} 1"));
  EXPECT_TRUE(has_line(scrape.page, "redis_config_key_value{key=\"tls-auth-clients\",value=\"yes\"} 1"));
  EXPECT_EQ(scrape.page.find("folded"), std::string::npos);
}

TEST(RedisRdbSizeLive, IsThatOfTheFile) {
  const RedisServer server;
  CollectorDriver driver(make_rdb_size({}), server.url());
  EXPECT_EQ(driver.scrape().samples, "redis_rdb_current_size_bytes 0\n");
  redis_cli(server, {"SET", "a", std::string(1000, 'x')});
  redis_cli(server, {"SAVE"});
  const auto file = server.directory() / "dump.rdb";
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(value_of(driver.scrape().page, "redis_rdb_current_size_bytes"),
            static_cast<double>(std::filesystem::file_size(file)));
}

TEST(RedisModulesLive, AreNoneOnAPlainServer) {
  const RedisServer server;
  CollectorDriver modules(make_modules(), server.url());
  const auto scrape = modules.scrape();
  EXPECT_FALSE(scrape.error);
  EXPECT_EQ(scrape.samples, "");
  CollectorDriver indexes(make_search_indexes({}), server.url());
  EXPECT_EQ(indexes.scrape().error->code, Errc::unsupported);
  CollectorDriver commandlog(make_commandlog({}), server.url());
  EXPECT_TRUE(commandlog.scrape().commands.empty());
}

}  // namespace
}  // namespace midst
