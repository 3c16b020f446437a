#include "agent/sources/redis/latency.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

// clang-format off
// Label cmd.
constexpr MetricSpec latencies{"redis_commands_latencies_usec", MetricType::histogram, "", "Calls by command and duration in microseconds; every command has the same buckets."};
// Label event_name.
constexpr MetricSpec latency_spike_last{"redis_latency_spike_last", MetricType::gauge, "", "Unix time of the event's last latency spike."};
constexpr MetricSpec latency_spike_duration{"redis_latency_spike_duration_seconds", MetricType::gauge, "seconds", "Duration of the event's last latency spike."};
constexpr MetricSpec latency_spike_max{"redis_latency_spike_max_seconds", MetricType::gauge, "seconds", "Longest latency spike of the event since the monitor was reset."};
// clang-format on

/// Upper bounds of LATENCY HISTOGRAM in microseconds; the server leaves out the steps that add nothing.
/// Redis 7.0 src/latency.c, fillCommandCDF(): powers of two with three significant digits, clipped at one second.
constexpr double ladder[] = {1,    2,    4,    8,     16,    33,    66,     132,    264,    528,    1056,
                             2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1073741};

/// Events have a fixed set of names in the server; a peer that invents more is cut here.
constexpr std::size_t max_events = 64;
/// Commands with a histogram of their own.
constexpr std::size_t max_histograms = 2000;

/// What one command of LATENCY HISTOGRAM says: ["calls", n, "histogram_usec", [bound, cumulative count, …]].
struct Histogram {
  std::int64_t calls = 0;
  const std::vector<Reply>* steps = nullptr;
};

std::optional<Histogram> find_histogram(const Reply& reply) {
  Histogram histogram;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const auto& value = reply.elements[i + 1];
    if (reply.elements[i].text == "calls" && value.type == Reply::Type::integer) histogram.calls = value.number;
    if (reply.elements[i].text == "histogram_usec" && value.is_array()) histogram.steps = &value.elements;
  }
  if (histogram.steps == nullptr || histogram.calls < 0) return std::nullopt;
  return histogram;
}

/// Bounds and cumulative counts of one command, laid over the ladder. Kept between commands for its memory.
struct Buckets {
  std::vector<double> bounds;
  std::vector<std::uint64_t> cumulative;

  /// @return whether the steps ascend, as they must.
  bool fill(const std::vector<Reply>& steps) {
    bounds.clear();
    cumulative.clear();
    const double* next = std::begin(ladder);
    std::uint64_t count = 0;
    double last_bound = 0;
    for (std::size_t i = 0; i + 1 < steps.size(); i += 2) {
      const auto bound = steps[i].as_integer();
      const auto here = steps[i + 1].as_integer();
      if (!bound || !here || static_cast<double>(*bound) <= last_bound) return false;
      if (*here < 0 || static_cast<std::uint64_t>(*here) < count) return false;
      last_bound = static_cast<double>(*bound);
      for (; next != std::end(ladder) && *next < last_bound; ++next) add(*next, count);
      if (next != std::end(ladder) && *next == last_bound) ++next;
      count = static_cast<std::uint64_t>(*here);
      add(last_bound, count);
    }
    for (; next != std::end(ladder); ++next) add(*next, count);
    return true;
  }

 private:
  void add(double bound, std::uint64_t count) {
    bounds.push_back(bound);
    cumulative.push_back(count);
  }
};

/// LATENCY LATEST.
class LatencySpikes final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "latency"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {latency_spike_last, latency_spike_duration, latency_spike_max};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+latency|latest"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    reply_.reset();
    if (!round.facts.is_sentinel) batch.add({"LATENCY", "LATEST"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round&) override {
    reply_ = std::move(replies.front());
    return expect_array(*reply_, "LATENCY LATEST");
  }

  void add(const Page& page) override {
    if (reply_) (void)add_latency_spikes(*reply_, page.builder);
  }

 private:
  std::optional<Reply> reply_;
};

/// LATENCY HISTOGRAM, since Redis 7.0.
class LatencyHistograms final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "histogram"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override { return {latencies}; }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+latency|histogram"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    reply_.reset();
    if (!round.facts.is_sentinel && round.facts.version >= 70000) batch.add({"LATENCY", "HISTOGRAM"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round&) override {
    reply_ = std::move(replies.front());
    return expect_array(*reply_, "LATENCY HISTOGRAM");
  }

  void add(const Page& page) override {
    if (reply_) (void)add_latency_histograms(*reply_, page.commands, page.builder);
  }

 private:
  std::optional<Reply> reply_;
};

}  // namespace

Result<Done> add_latency_spikes(const Reply& reply, SnapshotBuilder& builder) {
  if (auto ready = expect_array(reply, "LATENCY LATEST"); !ready) return ready;
  std::size_t events = 0;
  for (const auto& event : reply.elements) {
    // [name, unix time of the last spike, its milliseconds, milliseconds of the longest]
    const auto& parts = event.elements;
    if (parts.size() < 4) return misshapen("LATENCY LATEST");
    if (++events > max_events) break;
    const auto labels = builder.labels({{"event_name", parts[0].text}});
    builder.family(latency_spike_last).add(labels, static_cast<double>(parts[1].number));
    builder.family(latency_spike_duration).add(labels, static_cast<double>(parts[2].number) / 1e3);
    builder.family(latency_spike_max).add(labels, static_cast<double>(parts[3].number) / 1e3);
  }
  return Done{};
}

Result<Done> add_latency_histograms(const Reply& reply, const Commands& commands, SnapshotBuilder& builder) {
  if (auto ready = expect_array(reply, "LATENCY HISTOGRAM"); !ready) return ready;
  auto& histograms = builder.family(latencies);
  Buckets buckets;
  std::size_t folded = 0;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const auto& command = reply.elements[i].text;
    const auto histogram = find_histogram(reply.elements[i + 1]);
    if (!histogram || !buckets.fill(*histogram->steps)) return misshapen("LATENCY HISTOGRAM");
    if (i / 2 >= max_histograms) {
      ++folded;
      continue;
    }
    const auto totals = commands.find(command);
    const bool is_known = totals != commands.end();
    metrics::Distribution distribution;
    distribution.bounds = buckets.bounds;
    distribution.cumulative = buckets.cumulative;
    distribution.sum = is_known ? totals->second.microseconds : 0;
    distribution.count = static_cast<std::uint64_t>(histogram->calls);
    const bool has_labels = is_known && !totals->second.labels.text.empty();
    histograms.add(has_labels ? totals->second.labels : builder.labels({{"cmd", command}}), distribution);
  }
  add_folded(latencies, folded, builder);
  return Done{};
}

std::unique_ptr<Collector> make_latency_spikes() {
  return std::make_unique<LatencySpikes>();
}

std::unique_ptr<Collector> make_latency_histograms() {
  return std::make_unique<LatencyHistograms>();
}

}  // namespace midst::sources::redis_info
