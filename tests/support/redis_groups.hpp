// Several real redis-servers that belong together: a master with a replica and a Sentinel, and a cluster.
#pragma once

#include "tests/support/servers.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::test {

/// Runs redis-cli against a port of 127.0.0.1. @return what it printed, also when that is an error of the server.
std::string redis_cli_at(std::uint16_t port, std::vector<std::string> arguments);

/// A Sentinel on 127.0.0.1:port() that watches one master by itself: its quorum is 1. Started by the constructor.
class SentinelServer final : public Server {
 public:
  /// @param name  what it calls the master.
  SentinelServer(std::string name, std::uint16_t master_port);

 protected:
  [[nodiscard]] std::vector<std::string> command() const override;
};

/// A master with one replica, and a Sentinel that knows both and calls the master "mymaster".
class SentinelGroup {
 public:
  /// Waits until the Sentinel sees the replica; throws when it does not.
  SentinelGroup();

  /// Makes the replica the master and waits until the Sentinel says so and the old master follows.
  void fail_over();

  /// @return the server that was started as the master, or the one that was its replica.
  [[nodiscard]] const RedisServer& first() const noexcept { return *first_; }
  [[nodiscard]] const RedisServer& second() const noexcept { return *second_; }
  [[nodiscard]] const SentinelServer& sentinel() const noexcept { return *sentinel_; }

 private:
  std::unique_ptr<RedisServer> first_, second_;
  std::unique_ptr<SentinelServer> sentinel_;
};

/// Three masters, which serve all slots, and a replica of each.
class RedisCluster {
 public:
  /// Waits until every node sees all the others and calls the cluster good; throws when they do not.
  RedisCluster();

  /// @return a master (0 to 2) or the replica of the master three before (3 to 5).
  [[nodiscard]] RedisServer& node(std::size_t index) { return *nodes_[index]; }
  [[nodiscard]] const std::string& id(std::size_t index) const { return ids_[index]; }

 private:
  void introduce();
  void deal_slots();

  std::vector<std::unique_ptr<RedisServer>> nodes_;
  std::vector<std::string> ids_;
};

}  // namespace midst::test
