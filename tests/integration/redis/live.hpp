// What the tests of this folder share: a source on a real server, and redis-cli.
#pragma once

#include "agent/sources/redis/redis_source.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace midst::test {

/// Runs redis-cli against a server's TCP port. @return what it printed; throws when it failed.
inline std::string redis_cli(const RedisServer& server, std::vector<std::string> arguments) {
  std::vector<std::string> all{"redis-cli", "-p", std::to_string(server.port())};
  all.insert(all.end(), arguments.begin(), arguments.end());
  auto result = run_command(all);
  if (result.exit_code != 0) throw std::runtime_error("redis-cli: " + result.output);
  return result.output;
}

/// @return the options of a cluster node. Its bus is given a port because the default, its port + 10000, may not exist.
inline std::vector<std::string> cluster_options() {
  return {"--cluster-enabled", "yes", "--cluster-port", std::to_string(free_port())};
}

/// A source and the loop it runs on.
class LiveSource {
 public:
  explicit LiveSource(const std::string& url, sources::RedisOptions options = {})
      : source_(io_.get_executor(), at(url, std::move(options))) {}

  /// @return the page of one scrape, also when the server is down.
  std::string page(std::chrono::milliseconds wait = std::chrono::seconds(5)) {
    auto snapshot = run(io_, source_.collect(std::chrono::steady_clock::now() + wait));
    error_.reset();
    if (snapshot) return page_of(std::move(*snapshot));
    error_ = snapshot.error();
    return page_of(source_.down(*error_));
  }

  /// @return why the last scrape failed, if it did.
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }

 private:
  static sources::RedisOptions at(const std::string& url, sources::RedisOptions options) {
    options.uri = redis::parse_uri(url).value();
    return options;
  }

  asio::io_context io_;
  sources::RedisSource source_;
  std::optional<Error> error_;
};

/// @return the value of the sample line that begins with `series`, or nothing.
inline std::optional<double> value_of(const std::string& page, const std::string& series) {
  const auto found = ("\n" + page).find("\n" + series + " ");
  if (found == std::string::npos) return std::nullopt;
  return std::stod(page.substr(found + series.size() + 1));
}

}  // namespace midst::test
