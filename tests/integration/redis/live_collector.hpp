// One Collector against a real server, run as the source runs it.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "tests/support/loop.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace midst::test {

/// A collector with a connection of its own. Throws when the server does not answer.
class LiveCollector {
 public:
  LiveCollector(std::uint16_t port, std::unique_ptr<sources::redis_info::Collector> collector)
      : connection_(io_.get_executor(), at(port), {}), collector_(std::move(collector)) {}

  /// @return the sample lines of one scrape.
  std::string scrape() {
    using namespace sources::redis_info;
    error.reset();
    const auto unix_now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto facts = peek_facts(ask({{"INFO"}}).front().text, {}, unix_now);
    for (int index = 0;; ++index) {
      const auto now = std::chrono::steady_clock::now();
      const Round round{facts, index, connection_.connect_count(), now, unix_now, now + std::chrono::seconds(5)};
      Batch batch;
      collector_->ask(round, batch);
      if (batch.size() == 0) break;
      const auto done = collector_->read(ask(batch.take()), round);
      if (!done && !error) error = done.error();
    }
    metrics::SnapshotBuilder builder;
    const Commands commands;
    collector_->add({facts, commands, unix_now, builder});
    return samples_of(page_of(builder));
  }

  std::optional<Error> error;  ///< The first that read() returned in the last scrape.

 private:
  static redis::Uri at(std::uint16_t port) {
    redis::Uri uri;
    uri.host = "127.0.0.1";
    uri.port = port;
    return uri;
  }

  std::vector<redis::Reply> ask(std::vector<redis::Command> commands) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    auto replies = run(io_, connection_.pipeline(std::move(commands), deadline));
    if (!replies) throw std::runtime_error(describe(replies.error()));
    return std::move(*replies);
  }

  asio::io_context io_;
  redis::Connection connection_;
  std::unique_ptr<sources::redis_info::Collector> collector_;
};

}  // namespace midst::test
