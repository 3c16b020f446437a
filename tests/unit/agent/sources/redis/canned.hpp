// Runs one Collector as the source does, against replies that are written down: for the tests of what no server here
// can be made to say, and of what depends on time.
#pragma once

#include "agent/sources/redis/collector.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace midst::test {

/// One collector and the server that it believes to talk to. Time stands still unless a test moves it.
class Canned {
 public:
  explicit Canned(std::unique_ptr<sources::redis_info::Collector> collector) : collector_(std::move(collector)) {
    facts.version = 70015;
    facts.run_id = "first";
  }

  /// Sets what "CLIENT LIST" is answered with, as bytes of the protocol; what has no answer gets an error.
  void answer(const std::string& command, std::string wire) { answers_[command] = std::move(wire); }

  /// @return the sample lines of the page of one scrape.
  std::string scrape() {
    asked.clear();
    error.reset();
    for (int index = 0;; ++index) {
      const sources::redis_info::Round round{facts, index, 1, now, unix_now, now + std::chrono::seconds(5)};
      sources::redis_info::Batch batch;
      collector_->ask(round, batch);
      if (batch.size() == 0) break;
      std::vector<redis::Reply> replies;
      for (const auto& command : batch.take()) replies.push_back(reply_to(command));
      const auto done = collector_->read(std::move(replies), round);
      if (!done && !error) error = done.error();
    }
    metrics::SnapshotBuilder builder;
    collector_->add({facts, commands, unix_now, builder});
    return samples_of(page_of(builder));
  }

  /// Lets time go on.
  void wait(std::chrono::seconds time) {
    now += time;
    unix_now += static_cast<double>(time.count());
  }

  sources::redis_info::Collector& collector() { return *collector_; }

  sources::redis_info::ServerFacts facts;
  sources::redis_info::Commands commands;
  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  double unix_now = 1'700'000'000;
  std::vector<std::string> asked;  ///< By the last scrape, words joined by spaces.
  std::optional<Error> error;      ///< The first that read() returned in the last scrape.

 private:
  redis::Reply reply_to(const redis::Command& command) {
    std::string words;
    for (const auto& word : command) words += (words.empty() ? "" : " ") + word;
    asked.push_back(words);
    const auto found = answers_.find(words);
    return reply_of(found == answers_.end() ? "-ERR unknown command\r\n" : found->second);
  }

  std::unique_ptr<sources::redis_info::Collector> collector_;
  std::map<std::string, std::string> answers_;
};

}  // namespace midst::test
