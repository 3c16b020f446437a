// Runs single Collectors of the Redis source against a real server, as the source does, but one at a time: for their
// tests. Each scrape asks INFO first; what the collector sends is counted.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "lib/metrics/encode.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/uri.hpp"
#include "tests/support/loop.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::test {

/// One collector, its connection and its loop.
class CollectorDriver {
 public:
  /// What one scrape did and made.
  struct Scrape {
    std::string page;                      ///< Text 0.0.4 of what add() gave.
    std::string samples;                   ///< Its sample lines alone.
    std::optional<Error> error;            ///< The first that read() returned, or why a write failed.
    int rounds = 0;                        ///< Writes the collector took part in.
    std::vector<redis::Command> commands;  ///< What it asked, in order.
  };

  explicit CollectorDriver(std::unique_ptr<sources::redis_info::Collector> collector, const std::string& url)
      : collector_(std::move(collector)), connection_(io_.get_executor(), redis::parse_uri(url).value(), {}) {}

  /// @param wait  until the deadline that the collector is given.
  Scrape scrape(std::chrono::milliseconds wait = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    const auto info = send({{"INFO", "ALL"}}, deadline + std::chrono::seconds(5));
    if (!info) throw std::runtime_error("INFO: " + describe(info.error()));
    const auto before = facts_;
    facts_ = sources::redis_info::peek_facts(info->front().text, facts_, unix_now());
    if (!before.run_id.empty() && before.run_id != facts_.run_id) collector_->forget();
    Scrape result;
    run_rounds(deadline, result);
    add(info->front().text, result);
    return result;
  }

  /// The connection that is used, to break it or to read its state between scrapes.
  redis::Connection& connection() noexcept { return connection_; }
  /// Sends a command on the collector's own connection.
  redis::Reply command(redis::Command command) {
    auto replies = send({std::move(command)}, std::chrono::steady_clock::now() + std::chrono::seconds(20));
    if (!replies) throw std::runtime_error(describe(replies.error()));
    return replies->front();
  }
  asio::io_context& io() noexcept { return io_; }

 private:
  static double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }

  Result<std::vector<redis::Reply>> send(std::vector<redis::Command> commands, Deadline deadline) {
    return run(io_, connection_.pipeline(std::move(commands), deadline));
  }

  void run_rounds(Deadline deadline, Scrape& result) {
    for (;;) {
      const sources::redis_info::Round round{
          facts_, result.rounds, connection_.connect_count(), std::chrono::steady_clock::now(), unix_now(), deadline};
      sources::redis_info::Batch batch;
      collector_->ask(round, batch);
      if (batch.size() == 0) return;
      ++result.rounds;
      auto commands = batch.take();
      result.commands.insert(result.commands.end(), commands.begin(), commands.end());
      auto replies = send(std::move(commands), deadline + std::chrono::seconds(5));
      if (!replies) {
        if (!result.error) result.error = replies.error();
        return;
      }
      const auto done = collector_->read(std::move(*replies), round);
      if (!done && !result.error) result.error = done.error();
    }
  }

  /// The commands of INFO, with labels of the page's builder, are those of this scrape; their own samples are left out.
  void add(std::string_view info, Scrape& result) {
    metrics::SnapshotBuilder builder, scratch;
    const auto facts = sources::redis_info::read_info(info, {}, scratch);
    sources::redis_info::Commands commands;
    if (facts) commands = facts->commands;
    for (auto& [name, totals] : commands) totals.labels = builder.labels({{"cmd", name}});
    const sources::redis_info::Page page{facts_, commands, unix_now(), builder};
    collector_->add(page);
    std::vector<std::shared_ptr<const metrics::Snapshot>> all;
    all.push_back(std::make_shared<const metrics::Snapshot>(builder.freeze()));
    result.page = metrics::encode(metrics::merge(std::move(all)), metrics::Format::text);
    for (std::string_view rest = result.page; !rest.empty();) {
      const auto line = rest.substr(0, rest.find('\n') + 1);
      rest.remove_prefix(line.size());
      if (!line.starts_with('#')) result.samples += line;
    }
  }

  asio::io_context io_;
  std::unique_ptr<sources::redis_info::Collector> collector_;
  redis::Connection connection_;
  sources::redis_info::ServerFacts facts_;
};

}  // namespace midst::test
