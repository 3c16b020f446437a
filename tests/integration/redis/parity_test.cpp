// Side by side with Debian's prometheus-redis-exporter on the same servers: every series it shows must be ours too.
// What differs on purpose stands in `explained` here and in docs/parity.md.
#include "tests/integration/redis/live.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace midst {
namespace {

using test::LiveSource;
using test::redis_cli;
using test::RedisServer;
using test::TempDir;

constexpr const char* exporter_program = "/usr/bin/prometheus-redis-exporter";

/// The exporter with its default flags, started for one test; scraped by /scrape?target=.
class Exporter {
 public:
  Exporter()
      : process_({exporter_program, "-web.listen-address", "127.0.0.1:" + std::to_string(port_)},
                 directory_.path() / "exporter.log", false) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (get("/health").find("ok") == std::string::npos) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the exporter did not start");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::string scrape(const RedisServer& server) {
    const auto answer = get("/scrape?target=" + server.url());
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

 private:
  std::string get(const std::string& path) const {
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    error_code error;
    socket.connect({asio::ip::address_v4::loopback(), port_}, error);
    if (error) return "";
    asio::write(socket, asio::buffer("GET " + path + " HTTP/1.0\r\n\r\n"), error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }

  TempDir directory_;
  std::uint16_t port_ = test::free_port();
  test::Process process_;
};

struct Page {
  std::map<std::string, std::string> types;   ///< Family → type.
  std::map<std::string, std::string> series;  ///< Name and labels, sorted by label name → value.
};

Page parse(const std::string& text) {
  Page page;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# TYPE ")) {
      const auto space = line.find(' ', 7);
      page.types[line.substr(7, space - 7)] = line.substr(space + 1);
    } else if (!line.empty() && line.front() != '#') {
      const auto space = line.rfind(' ');
      page.series[line.substr(0, space)] = line.substr(space + 1);
    }
  }
  return page;
}

/// Differences that are meant; each has its reason in docs/parity.md.
bool is_explained(const std::string& difference) {
  static const std::set<std::string> whole{
      "type of redis_expired_time_cap_reached_total: gauge, ours counter",
  };
  static const std::vector<std::string> beginnings{
      "missing redis_exporter_build_info{",  // the values are the other program's version
      "missing redis_instance_info{",        // ours has the label master_replid too; compared below
  };
  return whole.contains(difference) || std::any_of(beginnings.begin(), beginnings.end(),
                                                   [&](const auto& begin) { return difference.starts_with(begin); });
}

/// Series whose value must be the same in two scrapes that follow each other on an idle server.
bool is_steady(const std::string& series) {
  static const std::vector<std::string> steady{"redis_db_keys",
                                               "redis_config_",
                                               "redis_aof_",
                                               "redis_rdb_",
                                               "redis_memory_max_bytes",
                                               "redis_start_time_seconds",
                                               "redis_connected_slaves",
                                               "redis_keyspace_",
                                               "redis_errors_total",
                                               "redis_cluster_",
                                               "redis_master_link",
                                               "redis_latency_spike",
                                               "redis_slowlog",
                                               "redis_last_slow",
                                               "redis_evicted",
                                               "redis_expired",
                                               "redis_commands_total{cmd=\"set\"}",
                                               "redis_commands_duration_seconds_total{cmd=\"set\"}",
                                               "redis_commands_latencies_usec_bucket{cmd=\"set\"",
                                               "redis_latency_percentiles_usec{cmd=\"set\"",
                                               "redis_latency_percentiles_usec_sum{cmd=\"set\"",
                                               "redis_commands_latencies_usec_sum{cmd=\"set\""};
  return series == "redis_up" ||
         std::any_of(steady.begin(), steady.end(), [&](const auto& begin) { return series.starts_with(begin); });
}

std::vector<std::string> differences(const Page& theirs, const Page& ours) {
  std::vector<std::string> all;
  for (const auto& [family, type] : theirs.types) {
    const auto found = ours.types.find(family);
    if (found != ours.types.end() && found->second != type)
      all.push_back(fmt::format("type of {}: {}, ours {}", family, type, found->second));
  }
  for (const auto& [series, value] : theirs.series) {
    if (series.starts_with("go_") || series.starts_with("process_")) continue;  // of the exporter's own process
    const auto found = ours.series.find(series);
    if (found == ours.series.end())
      all.push_back("missing " + series);
    else if (is_steady(series) && std::stod(value) != std::stod(found->second))
      all.push_back(fmt::format("value of {}: {}, ours {}", series, value, found->second));
  }
  return all;
}

void expect_parity(const RedisServer& server) {
  if (!std::filesystem::exists(exporter_program)) GTEST_SKIP() << "prometheus-redis-exporter is not installed";
  Exporter exporter;
  LiveSource source(server.url());
  // Each has its own commands counted by the server, so both look once before they are compared.
  std::string unused = exporter.scrape(server);
  unused = source.page();
  const auto theirs = parse(exporter.scrape(server));
  const auto ours = parse(source.page());
  ASSERT_GT(theirs.series.size(), 150u);
  for (const auto& difference : differences(theirs, ours)) EXPECT_TRUE(is_explained(difference)) << difference;
  for (const auto& [series, value] : theirs.series) {
    if (!series.starts_with("redis_instance_info{")) continue;
    const auto own = std::find_if(ours.series.begin(), ours.series.end(),
                                  [](const auto& each) { return each.first.starts_with("redis_instance_info{"); });
    ASSERT_NE(own, ours.series.end());
    auto without = own->first;
    const auto label = without.find("master_replid=\"");
    without.erase(label, without.find(',', label) + 1 - label);
    EXPECT_EQ(without, series);
  }
}

/// Something of everything: types, databases, time-outs, errors, a slow command and a latency spike.
void fill(const RedisServer& server) {
  redis_cli(server, {"SET", "a", "1"});
  redis_cli(server, {"SET", "b", "1", "EX", "100000"});
  redis_cli(server, {"HSET", "h", "f", "v"});
  redis_cli(server, {"GET", "a"});
  redis_cli(server, {"GET", "none"});
  redis_cli(server, {"LPUSH", "a", "1"});
  redis_cli(server, {"NOSUCH"});
  redis_cli(server, {"CONFIG", "SET", "latency-monitor-threshold", "1"});
  redis_cli(server, {"EVAL", "local i = 0 while i < 3000000 do i = i + 1 end return i", "0"});
  redis_cli(server, {"CONFIG", "SET", "latency-monitor-threshold", "0"});
  redis_cli(server, {"CONFIG", "SET", "slowlog-log-slower-than", "-1"});
}

TEST(RedisParity, HoldsOnAMasterWithAReplica) {
  RedisServer master({"--repl-diskless-sync-delay", "0"});
  fill(master);
  redis_cli(master, {"-n", "3", "SET", "d", "4"});
  RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
  LiveSource watch(master.url());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (watch.page().find("slave_state=\"online\"") == std::string::npos && std::chrono::steady_clock::now() < end) {
  }
  expect_parity(master);
  expect_parity(replica);
}

TEST(RedisParity, HoldsOnAClusterNode) {
  RedisServer server(test::cluster_options());
  redis_cli(server, {"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  LiveSource watch(server.url());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!test::has_line(watch.page(), "redis_cluster_state 1") && std::chrono::steady_clock::now() < end) {
  }
  fill(server);
  expect_parity(server);
}

}  // namespace
}  // namespace midst
