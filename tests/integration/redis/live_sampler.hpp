// A sampler on a server, driven as the source drives a collector, and the loop it runs on.
#pragma once

#include "agent/sources/redis/sampler/sampler.hpp"
#include "tests/support/loop.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace midst::test {

/// Everything looked at and as fast as may be, so that a cycle of thousands of keys takes a second.
inline sources::redis_info::SamplerOptions eager_sampling() {
  sources::redis_info::SamplerOptions options;
  options.is_enabled = true;
  options.duty_cycle = 0.5;
  options.sample_ratio = 1;
  options.interval = std::chrono::hours(1);
  options.pause = std::chrono::milliseconds(20);
  options.pause_rtt = std::chrono::seconds(4);
  return options;
}

class LiveSampler {
 public:
  LiveSampler(const std::string& url, sources::redis_info::SamplerOptions options) {
    facts.version = 70015;
    collector = make_sampler(std::move(options), {io.get_executor(), redis::parse_uri(url).value(), {}, {}});
  }

  /// What a scrape is to the sampler.
  void scrape() {
    const auto now = std::chrono::steady_clock::now();
    sources::redis_info::Batch batch;
    collector->ask({facts, 0, 1, now, 0, now + std::chrono::seconds(1)}, batch);
    if (batch.size() != 0) throw std::logic_error("the sampler asks nothing in the scrape");
  }

  [[nodiscard]] std::string page() const {
    metrics::SnapshotBuilder builder;
    const sources::redis_info::Commands none;
    collector->add({facts, none, 0, builder});
    return page_of(builder);
  }

  [[nodiscard]] std::optional<double> value(std::string_view series) const {
    const auto text = "\n" + page();
    const auto line = "\n" + std::string(series) + " ";
    const auto found = text.find(line);
    if (found == std::string::npos) return std::nullopt;
    return std::stod(text.substr(found + line.size()));
  }

  /// Lets the sampler work until a series has at least that value. A page costs more than many steps: it is looked at
  /// now and then.
  [[nodiscard]] bool reaches(std::string_view series, double least) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (value(series).value_or(-1) < least && std::chrono::steady_clock::now() < end) {
      io.restart();
      io.run_for(std::chrono::milliseconds(10));
    }
    return value(series).value_or(-1) >= least;
  }
  [[nodiscard]] bool completes(double cycles = 1) { return reaches("redis_key_sampler_cycles_total", cycles); }

  boost::asio::io_context io;
  sources::redis_info::ServerFacts facts;
  std::unique_ptr<sources::redis_info::Collector> collector;
};

}  // namespace midst::test
