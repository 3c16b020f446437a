// The Redis source against real servers of this machine's redis-server.
#include "tests/integration/redis/live.hpp"

#include <csignal>
#include <string>

namespace midst {
namespace {

using test::has_line;
using test::LiveSource;
using test::redis_cli;
using test::RedisServer;
using test::value_of;

TEST(RedisLive, ServesWhatTheServerCounts) {
  RedisServer server;
  redis_cli(server, {"MSET", "a", "1", "b", "2"});
  redis_cli(server, {"SET", "c", "3", "EX", "1000"});
  redis_cli(server, {"-n", "3", "SET", "d", "4"});
  redis_cli(server, {"GET", "a"});
  redis_cli(server, {"GET", "none"});
  redis_cli(server, {"LPUSH", "a", "1"});
  LiveSource source(server.url());
  const auto page = source.page();
  EXPECT_TRUE(has_line(page, "redis_up 1")) << page;
  EXPECT_TRUE(has_line(page, "redis_db_keys{db=\"db0\"} 3"));
  EXPECT_TRUE(has_line(page, "redis_db_keys_expiring{db=\"db0\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_db_keys{db=\"db3\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_db_keys{db=\"db15\"} 0"));
  EXPECT_TRUE(has_line(page, "redis_keyspace_hits_total 1"));
  EXPECT_TRUE(has_line(page, "redis_keyspace_misses_total 1"));
  EXPECT_TRUE(has_line(page, "redis_commands_total{cmd=\"set\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_commands_failed_calls_total{cmd=\"lpush\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_errors_total{err=\"WRONGTYPE\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_commands_latencies_usec_count{cmd=\"set\"} 2"));
  EXPECT_TRUE(has_line(page, "redis_config_maxclients 10000"));
  EXPECT_TRUE(has_line(page, "redis_exporter_last_scrape_error{err=\"\"} 0"));
  EXPECT_GT(value_of(page, "redis_memory_used_bytes").value(), 500'000);
  EXPECT_GT(value_of(page, "redis_total_system_memory_bytes").value(), 1e8);
  EXPECT_GT(value_of(page, "redis_exporter_last_scrape_connect_time_seconds").value(), 0);
}

TEST(RedisLive, CausesNoErrorsAndOneConnectionHoweverOftenItScrapes) {
  RedisServer server;
  LiveSource source(server.url());
  std::string page;
  for (int scrape = 0; scrape < 5; ++scrape) page = source.page();
  EXPECT_TRUE(has_line(page, "redis_total_error_replies 0")) << page;
  EXPECT_TRUE(has_line(page, "redis_commands_total{cmd=\"client|setname\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_commands_total{cmd=\"config|get\"} 1"));
  EXPECT_TRUE(
      has_line(page, "redis_commands_total{cmd=\"info\"} 5"));  // one more for the first look, the last not counted yet
  EXPECT_TRUE(has_line(page, "redis_connected_clients 1"));
  EXPECT_EQ(redis_cli(server, {"CLIENT", "LIST"}).find("name=redis-cli"), std::string::npos);
  EXPECT_NE(redis_cli(server, {"CLIENT", "LIST"}).find("name=midst-agent"), std::string::npos);
}

TEST(RedisLive, LogsInWithAPassword) {
  RedisServer server({"--requirepass", "s3cret"});
  const auto port = std::to_string(server.port());
  LiveSource good("redis://:s3cret@127.0.0.1:" + port);
  EXPECT_TRUE(has_line(good.page(), "redis_up 1"));
  LiveSource wrong("redis://:wr0ng@127.0.0.1:" + port);
  EXPECT_TRUE(has_line(wrong.page(), "redis_exporter_last_scrape_error{err=\"auth\"} 1"));
  EXPECT_EQ(wrong.error()->message.find("wr0ng"), std::string::npos);
  LiveSource none("redis://127.0.0.1:" + port);
  EXPECT_TRUE(has_line(none.page(), "redis_up 0"));
  EXPECT_EQ(none.error()->code, Errc::auth);
}

TEST(RedisLive, TakesARotatedPasswordAtTheNextConnect) {
  RedisServer server({"--requirepass", "old"});
  std::string password = "old";
  sources::RedisOptions options;
  options.login = [&password]() -> Result<redis::Login> { return redis::Login{"", password}; };
  LiveSource source(server.url(), options);
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
  redis_cli(server, {"--no-auth-warning", "-a", "old", "CONFIG", "SET", "requirepass", "new"});
  password = "new";
  redis_cli(server, {"--no-auth-warning", "-a", "new", "CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
}

TEST(RedisLive, ReachesAUnixSocket) {
  RedisServer server;
  LiveSource source("unix://" + server.unix_socket());
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
}

TEST(RedisLive, SendsADeniedCommandOnceAndSaysWhichCollectorIsMissing) {
  RedisServer server;
  redis_cli(server, {"ACL", "SETUSER", "watcher", "on", ">pw", "+info", "+client|setname", "+ping"});
  LiveSource source("redis://watcher:pw@127.0.0.1:" + std::to_string(server.port()));
  std::string page;
  for (int scrape = 0; scrape < 4; ++scrape) page = source.page();
  EXPECT_TRUE(has_line(page, "redis_up 1")) << page;
  EXPECT_TRUE(has_line(page, "redis_exporter_collector_success{collector=\"info\"} 1"));
  for (const std::string collector : {"config", "latency", "histogram", "slowlog", "clients"})
    EXPECT_TRUE(has_line(page, "redis_exporter_collector_success{collector=\"" + collector + "\"} 0"));
  // CONFIG GET, LATENCY LATEST, LATENCY HISTOGRAM, SLOWLOG LEN, SLOWLOG GET and CLIENT LIST: each of the six once.
  EXPECT_TRUE(has_line(page, "redis_errors_total{err=\"NOPERM\"} 6"));
  EXPECT_EQ(value_of(page, "redis_commands_rejected_calls_total{cmd=\"config|get\"}"), 1);
  EXPECT_EQ(value_of(page, "redis_commands_rejected_calls_total{cmd=\"slowlog|get\"}"), 1);
}

TEST(RedisLive, GoesOnSayingThatACollectorIsMissingWhenOnlyItsLaterStepsAreDenied) {
  RedisServer server;
  redis_cli(server, {"SET", "cart:1", "x"});
  redis_cli(server, {"ACL", "SETUSER", "watcher", "on", ">pw", "~*", "+info", "+client|setname", "+scan"});
  sources::RedisOptions options;
  for (const auto& [name, is_on] : sources::redis_collectors()) options.collectors[std::string(name)] = name == "keys";
  options.keys.check = {{0, "cart:*", true}};
  LiveSource source("redis://watcher:pw@127.0.0.1:" + std::to_string(server.port()), options);
  for (int scrape = 0; scrape < 3; ++scrape) {
    const auto page = source.page();
    EXPECT_TRUE(has_line(page, "redis_up 1"));
    EXPECT_TRUE(has_line(page, "redis_exporter_collector_success{collector=\"keys\"} 0")) << scrape << page;
  }
}

TEST(RedisLive, SaysWhyWhenInfoIsDenied) {
  RedisServer server;
  redis_cli(server, {"ACL", "SETUSER", "blind", "on", ">pw", "+ping"});
  LiveSource source("redis://blind:pw@127.0.0.1:" + std::to_string(server.port()));
  EXPECT_TRUE(has_line(source.page(), "redis_exporter_last_scrape_error{err=\"noperm\"} 1"));
}

TEST(RedisLive, NoticesAKilledServerAtOnceAndItsReturn) {
  RedisServer server;
  LiveSource source(server.url());
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
  server.kill();
  const auto down = source.page();
  EXPECT_TRUE(has_line(down, "redis_up 0"));
  EXPECT_TRUE(has_line(down, "redis_exporter_last_scrape_error{err=\"connect_refused\"} 1"));
  server.start();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto page = source.page();
  while (!has_line(page, "redis_up 1") && std::chrono::steady_clock::now() < end) page = source.page();
  EXPECT_TRUE(has_line(page, "redis_up 1"));
  EXPECT_TRUE(has_line(page, "redis_config_maxclients 10000"));
}

TEST(RedisLive, AnswersByTheDeadlineWhenTheServerHangs) {
  RedisServer server;
  LiveSource source(server.url());
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
  server.freeze();
  const auto begin = std::chrono::steady_clock::now();
  const auto page = source.page(std::chrono::milliseconds(200));
  const auto taken = std::chrono::steady_clock::now() - begin;
  server.thaw();
  EXPECT_TRUE(has_line(page, "redis_exporter_last_scrape_error{err=\"timeout\"} 1"));
  EXPECT_GE(taken, std::chrono::milliseconds(180));  // a tenth of the time is kept back for the page
  EXPECT_LT(taken, std::chrono::milliseconds(700));
}

TEST(RedisLive, TakesAConnectionClosedWhileIdleAsNormal) {
  RedisServer server;
  LiveSource source(server.url());
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
  redis_cli(server, {"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(has_line(source.page(), "redis_up 1"));
}

TEST(RedisLive, SaysWhatTheServerSaysWhenItIsFull) {
  RedisServer server({"--maxclients", "1"});
  LiveSource first(server.url());
  // The connection that found the server started may still be counted.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!has_line(first.page(), "redis_up 1") && std::chrono::steady_clock::now() < end) {
  }
  LiveSource second(server.url());
  ASSERT_TRUE(has_line(second.page(), "redis_up 0"));
  EXPECT_TRUE(second.error()->message.ends_with("ERR max number of clients reached")) << second.error()->message;
}

TEST(RedisLive, KeepsTheStartTimeBetweenScrapes) {
  RedisServer server;
  LiveSource source(server.url());
  const auto start = value_of(source.page(), "redis_start_time_seconds");
  for (int scrape = 0; scrape < 50; ++scrape) EXPECT_EQ(value_of(source.page(), "redis_start_time_seconds"), start);
}

TEST(RedisLive, ShowsAReplicaAndItsMaster) {
  RedisServer master({"--repl-diskless-sync-delay", "0"});
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
  LiveSource source(replica.url());
  const auto link =
      "redis_master_link_up{master_host=\"127.0.0.1\",master_port=\"" + std::to_string(master.port()) + "\"}";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto page = source.page();
  while (value_of(page, link) != 1 && std::chrono::steady_clock::now() < end) page = source.page();
  EXPECT_EQ(value_of(page, link), 1) << page;
  EXPECT_NE(page.find("redis_slave_info{master_host=\"127.0.0.1\""), std::string::npos);
  LiveSource of_master(master.url());
  const auto lag = "redis_connected_slave_lag_seconds{slave_ip=\"127.0.0.1\",slave_port=\"" +
                   std::to_string(replica.port()) + "\",slave_state=\"online\"}";
  auto master_page = of_master.page();
  while (!value_of(master_page, lag) && std::chrono::steady_clock::now() < end) master_page = of_master.page();
  EXPECT_TRUE(value_of(master_page, lag)) << master_page;
  EXPECT_TRUE(has_line(master_page, "redis_connected_slaves 1"));
}

TEST(RedisLive, ShowsTheStateOfAClusterNode) {
  RedisServer server(test::cluster_options());
  redis_cli(server, {"CLUSTER", "ADDSLOTSRANGE", "0", "16382"});
  LiveSource source(server.url());
  const auto page = source.page();
  EXPECT_TRUE(has_line(page, "redis_cluster_slots_assigned 16383")) << page;
  EXPECT_TRUE(has_line(page, "redis_cluster_state 0"));
  EXPECT_TRUE(has_line(page, "redis_db_keys{db=\"db0\"} 0"));
  EXPECT_EQ(page.find("db=\"db1\""), std::string::npos);
}

}  // namespace
}  // namespace midst
