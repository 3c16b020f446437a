// Packets of StatsD and DogStatsD against a small Statsd: the first byte says over which protocol and into which pieces
// a stream is cut. Limits hold, totals never fall and stay finite, and the cache of line forms changes no result.
#include "agent/ingest/statsd/stream.hpp"
#include "lib/base/log.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace ingest = midst::ingest;
namespace statsd = midst::ingest::statsd;

namespace {

const ingest::SteadyTime start{std::chrono::hours(1)};

void require(bool is_true) {
  if (!is_true) std::abort();
}

statsd::StatsdOptions small_options(std::size_t memo_bytes) {
  statsd::StatsdOptions options;
  options.limits.max_series = 8;
  options.limits.max_series_per_family = 3;
  options.limits.max_families = 5;
  options.max_memo_bytes = memo_bytes;
  statsd::MappingRule rule;
  rule.pattern = "a.*";
  rule.name = "mapped_$1";
  rule.labels = {{"part", "$1"}};
  rule.ttl_seconds = 2;
  options.resolve.rules.push_back(rule);
  return options;
}

/// Every total of a page by its name and labels.
std::map<std::string, double> totals(statsd::Statsd& statsd, ingest::SteadyTime now) {
  midst::metrics::SnapshotBuilder builder;
  statsd.write(builder, now);
  const auto snapshot = builder.freeze();
  require(snapshot.duplicate_count() == 0);
  std::map<std::string, double> found;
  for (const auto& family : snapshot.families()) {
    const bool is_own = family.name.starts_with("midst_push_line_cache");
    for (std::size_t i = 0; i < family.labels.size() && !is_own; ++i) {
      const auto key = std::string(family.name) + "{" + std::string(family.labels[i].text) + "}";
      const bool is_histogram = family.type == midst::metrics::MetricType::histogram;
      const auto value = is_histogram ? static_cast<double>(family.distributions[i].count) : family.values[i];
      require(std::isfinite(value));
      found[key] = value;
    }
  }
  // One series without labels or for overflow a family comes on top.
  require(found["midst_push_contexts{}"] <= 8 + 5);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  midst::log::configure(midst::log::Level::error, midst::log::Format::logfmt);  // events would fill the terminal
  const unsigned how = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  statsd::Statsd known(small_options(1U << 20U));
  statsd::Statsd forgetful(small_options(0));
  auto now = start;
  std::map<std::string, double> before;
  for (auto* each : {&known, &forgetful}) {
    if (how % 4 == 3) {
      statsd::StreamCutter cutter(*each);
      const std::size_t piece = how / 4 + 1;
      bool goes_on = true;
      for (std::size_t at = 0; at < bytes.size() && goes_on; at += piece)
        goes_on = cutter.feed(bytes.substr(at, piece), now);
      cutter.finish(now);
      continue;
    }
    each->feed(bytes, static_cast<statsd::Protocol>(how % 3), now);
    if (each == &known) before = totals(known, now);
    each->feed(bytes, static_cast<statsd::Protocol>(how % 3), now + std::chrono::seconds(1));
  }
  const auto after = totals(known, now + std::chrono::seconds(1));
  require(after == totals(forgetful, now + std::chrono::seconds(1)));
  for (const auto& [key, value] : before)
    if (key.find("_total{") != std::string::npos) require(after.at(key) >= value);
  statsd::Statsd restored(small_options(1U << 20U));
  require(restored.restore(known.state()).has_value());
  require(restored.state() == known.state());
  return 0;
}
