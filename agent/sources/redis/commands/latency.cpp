#include "agent/sources/redis/commands/latency.hpp"

#include "agent/sources/redis/commands/bounded_counts.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;
using redis::Reply;

// clang-format off
// Label cmd.
constexpr MetricSpec latencies{"redis_commands_latencies_usec", MetricType::histogram, "", "Calls by command and duration in microseconds; every command has the same buckets.", "cmd"};
// Label event_name.
constexpr MetricSpec latency_spike_last{"redis_latency_spike_last", MetricType::gauge, "", "Unix time of the event's last latency spike.", "event_name"};
constexpr MetricSpec latency_spike_duration{"redis_latency_spike_duration_seconds", MetricType::gauge, "seconds", "Duration of the event's last latency spike.", "event_name"};
constexpr MetricSpec latency_spike_max{"redis_latency_spike_max_seconds", MetricType::gauge, "seconds", "Longest latency spike of the event since the monitor was reset.", "event_name"};
constexpr MetricSpec latency_spikes{"redis_latency_spikes_total", MetricType::counter, "", "Latency spikes of the event since the agent first saw the server; of several between two scrapes one is seen.", "event_name"};
// clang-format on

/// Upper bounds of LATENCY HISTOGRAM in microseconds; the server leaves out the steps that add nothing.
/// Redis 7.0 src/latency.c, fillCommandCDF(): powers of two with three significant digits, clipped at one second.
constexpr double ladder[] = {1,    2,    4,    8,     16,    33,    66,     132,    264,    528,    1056,
                             2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1073741};

/// Events have a fixed set of names in the server; a peer that invents more is cut here.
constexpr std::size_t max_events = 64;

/// What one command of LATENCY HISTOGRAM says: ["calls", n, "histogram_usec", [bound, cumulative count, …]].
struct Histogram {
  std::string_view command;
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

/// The commands above the limit, summed up over the ladder's steps.
struct Rest {
  std::array<std::uint64_t, std::size(ladder)> cumulative{};
  double sum = 0;
  std::uint64_t calls = 0;
  std::size_t commands = 0;

  void add(const Buckets& buckets, const Histogram& histogram, double microseconds) {
    std::size_t step = 0;
    for (std::size_t i = 0; i < buckets.bounds.size(); ++i)
      if (step < std::size(ladder) && buckets.bounds[i] == ladder[step]) cumulative[step++] += buckets.cumulative[i];
    sum += microseconds;
    calls += static_cast<std::uint64_t>(histogram.calls);
    ++commands;
  }
};

bool matches_any(const std::vector<std::string>& globs, std::string_view command) noexcept {
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) { return text::matches_glob(glob, command); });
}

/// Adds histograms one by one, and at last the rest.
class HistogramWriter {
 public:
  HistogramWriter(const Commands& commands, SnapshotBuilder& builder)
      : commands_(commands), builder_(builder), family_(builder.family(latencies)) {}

  enum class As { own, rest };
  /// @return whether it is one.
  bool add(const Histogram& histogram, As as) {
    if (!buckets_.fill(*histogram.steps)) return false;
    const auto totals = commands_.find(histogram.command);
    const bool is_known = totals != commands_.end();
    const double sum = is_known ? totals->second.microseconds : 0;
    if (as == As::rest) {
      rest_.add(buckets_, histogram, sum);
      return true;
    }
    const bool has_labels = is_known && !totals->second.labels.text.empty();
    write(has_labels ? totals->second.labels : builder_.labels({{"cmd", histogram.command}}), buckets_.bounds,
          buckets_.cumulative, sum, static_cast<std::uint64_t>(histogram.calls));
    return true;
  }

  void finish() {
    if (rest_.commands > 0)
      write(builder_.labels({{"cmd", "other"}}), ladder, rest_.cumulative, rest_.sum, rest_.calls);
    add_folded(latencies, rest_.commands, builder_);
  }

 private:
  void write(metrics::LabelSet labels, std::span<const double> bounds, std::span<const std::uint64_t> cumulative,
             double sum, std::uint64_t calls) {
    metrics::Distribution distribution;
    distribution.bounds = bounds;
    distribution.cumulative = cumulative;
    distribution.sum = sum;
    distribution.count = calls;
    family_.add(labels, distribution);
  }

  const Commands& commands_;
  SnapshotBuilder& builder_;
  metrics::FamilyBuilder& family_;
  Buckets buckets_;
  Rest rest_;
};

/// LATENCY LATEST.
class LatencySpikes final : public Collector {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "latency"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {latency_spike_last, latency_spike_duration, latency_spike_max, latency_spikes};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+latency|latest"}; }

  void ask(const Round& round, Batch& batch) override {
    if (round.index > 0) return;
    reply_.reset();
    if (!round.facts.is_sentinel) batch.add({"LATENCY", "LATEST"});
  }

  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override {
    reply_ = std::move(replies.front());
    if (auto ready = expect_array(*reply_, "LATENCY LATEST"); !ready) return ready;
    count_spikes(*reply_);
    read_at_ = round.unix_now;
    return Done{};
  }

  void add(const Page& page) override {
    if (reply_) (void)add_latency_spikes(*reply_, page.builder);
    for (const auto& [event, count] : counters_.counts())
      page.builder.add(latency_spikes, {{"event_name", event}}, count.events);
  }

  void forget() override { last_.clear(); }

 private:
  void count_spikes(const Reply& reply);

  std::optional<Reply> reply_;
  std::map<std::string, double, std::less<>> last_;  ///< Time of each event's last spike at the last look.
  std::optional<double> read_at_;                    ///< Unix time of that look.
  BoundedCounts counters_{max_events};
};

void LatencySpikes::count_spikes(const Reply& reply) {
  for (const auto& event : reply.elements) {
    if (event.elements.size() < 2) continue;
    const auto& name = event.elements[0].text;
    const auto last = static_cast<double>(event.elements[1].number);
    const auto known = last_.find(name);
    // An event that was not there before is new if it happened since; at the first look nothing is.
    const bool is_new = known == last_.end() ? read_at_ && last >= std::floor(*read_at_) : known->second != last;
    counters_.add(name, {is_new ? 1.0 : 0.0, 0});
    if (known != last_.end())
      known->second = last;
    else if (last_.size() < max_events)
      last_.emplace(name, last);
  }
}

/// LATENCY HISTOGRAM, since Redis 7.0.
class LatencyHistograms final : public Collector {
 public:
  explicit LatencyHistograms(HistogramOptions options) : options_(std::move(options)) {}

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
    if (reply_) (void)add_latency_histograms(*reply_, page.commands, options_, page.builder);
  }

 private:
  const HistogramOptions options_;
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

Result<Done> add_latency_histograms(const Reply& reply, const Commands& commands, const HistogramOptions& options,
                                    SnapshotBuilder& builder) {
  if (auto ready = expect_array(reply, "LATENCY HISTOGRAM"); !ready) return ready;
  Result<Done> result = Done{};
  std::vector<Histogram> wanted;
  wanted.reserve(reply.elements.size() / 2);
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string_view command = reply.elements[i].text;
    if (!options.commands.empty() && !matches_any(options.commands, command)) continue;
    if (matches_any(options.ignored_commands, command)) continue;
    auto histogram = find_histogram(reply.elements[i + 1]);
    if (!histogram) {
      result = misshapen("LATENCY HISTOGRAM");
      continue;
    }
    histogram->command = command;
    wanted.push_back(*histogram);
  }
  if (wanted.size() > options.max_commands) {
    std::sort(wanted.begin(), wanted.end(), [](const Histogram& left, const Histogram& right) {
      return left.calls != right.calls ? left.calls > right.calls : left.command < right.command;
    });
  }
  HistogramWriter writer(commands, builder);
  using As = HistogramWriter::As;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!writer.add(wanted[i], i < options.max_commands ? As::own : As::rest)) result = misshapen("LATENCY HISTOGRAM");
  writer.finish();
  return result;
}

std::unique_ptr<Collector> make_latency_spikes() {
  return std::make_unique<LatencySpikes>();
}

std::unique_ptr<Collector> make_latency_histograms(HistogramOptions options) {
  return std::make_unique<LatencyHistograms>(std::move(options));
}

}  // namespace midst::sources::redis_info
