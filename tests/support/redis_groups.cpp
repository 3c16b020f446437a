#include "tests/support/redis_groups.hpp"

#include <chrono>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace midst::test {
namespace {

constexpr auto limit = std::chrono::seconds(30);
constexpr std::size_t masters = 3;

/// Asks until it is true; throws with `what` when that takes too long.
void wait_for(const std::string& what, const std::function<bool()>& is_true) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() >= end) throw std::runtime_error("waited in vain: " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string without_newline(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string text_of(std::uint16_t port) {
  return std::to_string(port);
}

}  // namespace

std::string redis_cli_at(std::uint16_t port, std::vector<std::string> arguments) {
  std::vector<std::string> all{"redis-cli", "-p", text_of(port)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_command(all).output;
}

SentinelServer::SentinelServer(std::string name, std::uint16_t master_port) {
  // It writes what it learns into this file.
  std::ofstream(directory_.path() / "sentinel.conf")
      << "bind 127.0.0.1\nport " << port_ << "\ndir " << directory_.path().string() << "\nsentinel monitor " << name
      << " 127.0.0.1 " << master_port << " 1\nsentinel down-after-milliseconds " << name << " 5000\n";
  start();
}

std::vector<std::string> SentinelServer::command() const {
  return {"redis-server", (directory_.path() / "sentinel.conf").string(), "--sentinel"};
}

SentinelGroup::SentinelGroup()
    : first_(std::make_unique<RedisServer>(std::vector<std::string>{"--repl-diskless-sync-delay", "0"})),
      second_(std::make_unique<RedisServer>(
          std::vector<std::string>{"--replicaof", "127.0.0.1", text_of(first_->port())})) {
  // A Sentinel asks its master every ten seconds for new replicas, and at the start.
  wait_for("the replica is in step", [this] {
    return has(redis_cli_at(second_->port(), {"INFO", "replication"}), "master_link_status:up") &&
           has(redis_cli_at(first_->port(), {"INFO", "replication"}), "state=online");
  });
  sentinel_ = std::make_unique<SentinelServer>("mymaster", first_->port());
  // Four of the last one pass before it tells the old master to follow; three of the first and five of the second make
  // what it knows too old for a failover.
  redis_cli_at(sentinel_->port(),
               {"SENTINEL", "DEBUG", "info-period", "500", "ping-period", "300", "publish-period", "200"});
  wait_for("the Sentinel sees the replica", [this] {
    const auto replicas = redis_cli_at(sentinel_->port(), {"SENTINEL", "REPLICAS", "mymaster"});
    return has(replicas, text_of(second_->port())) && has(replicas, "\nmaster-link-status\nok\n");
  });
}

void SentinelGroup::fail_over() {
  // Under load it may call one off. Port and flags of one reply: a second one behind the first would undo it.
  wait_for("the Sentinel names the new master", [this] {
    const auto master = redis_cli_at(sentinel_->port(), {"SENTINEL", "MASTER", "mymaster"});
    if (has(master, "\nport\n" + text_of(second_->port()) + "\n")) return true;
    if (!has(master, "failover_in_progress")) redis_cli_at(sentinel_->port(), {"SENTINEL", "FAILOVER", "mymaster"});
    return false;
  });
  wait_for("the old master follows", [this] {
    return has(redis_cli_at(first_->port(), {"INFO", "replication"}), "master_link_status:up");
  });
}

RedisCluster::RedisCluster() {
  for (std::size_t i = 0; i < 2 * masters; ++i) {
    // The port of the bus is given because the default, 10000 above the other, may not exist.
    nodes_.push_back(std::make_unique<RedisServer>(std::vector<std::string>{
        "--cluster-enabled", "yes", "--cluster-port", text_of(free_port()), "--cluster-node-timeout", "2000",
        "--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"}));
    ids_.push_back(without_newline(redis_cli_at(nodes_.back()->port(), {"CLUSTER", "MYID"})));
  }
  introduce();
  deal_slots();
}

void RedisCluster::introduce() {
  std::vector<std::string> bus_ports;
  for (const auto& node : nodes_)
    bus_ports.push_back(without_newline(redis_cli_at(node->port(), {"--raw", "CONFIG", "GET", "cluster-port"})));
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    redis_cli_at(nodes_[i]->port(), {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    for (std::size_t k = 0; k < i; ++k)
      redis_cli_at(nodes_[i]->port(), {"CLUSTER", "MEET", "127.0.0.1", text_of(nodes_[k]->port()),
                                       bus_ports[k].substr(bus_ports[k].find('\n') + 1)});
  }
  wait_for("every node knows the others", [this] {
    for (const auto& node : nodes_) {
      const auto lines = redis_cli_at(node->port(), {"CLUSTER", "NODES"});
      for (const auto& id : ids_)
        if (!has(lines, id)) return false;
      if (has(lines, "handshake")) return false;
    }
    return true;
  });
}

void RedisCluster::deal_slots() {
  const char* const ranges[masters][2] = {{"0", "5460"}, {"5461", "10922"}, {"10923", "16383"}};
  for (std::size_t i = 0; i < masters; ++i) {
    redis_cli_at(nodes_[i]->port(), {"CLUSTER", "ADDSLOTSRANGE", ranges[i][0], ranges[i][1]});
    redis_cli_at(nodes_[i + masters]->port(), {"CLUSTER", "REPLICATE", ids_[i]});
  }
  wait_for("every node calls the cluster good", [this] {
    for (const auto& node : nodes_) {
      if (!has(redis_cli_at(node->port(), {"CLUSTER", "INFO"}), "cluster_state:ok")) return false;
      const auto lines = redis_cli_at(node->port(), {"CLUSTER", "NODES"});
      std::size_t replicas = 0;
      for (auto at = lines.find("slave "); at != std::string::npos; at = lines.find("slave ", at + 1)) ++replicas;
      if (replicas != masters || has(lines, "fail") || has(lines, "disconnected")) return false;
    }
    return true;
  });
}

}  // namespace midst::test
