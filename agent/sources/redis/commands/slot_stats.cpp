#include "agent/sources/redis/commands/slot_stats.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using redis::Reply;

// clang-format off
/// Label slot; so have the others.
constexpr MetricSpec slot_keys{"redis_cluster_slot_keys", MetricType::gauge, "", "Keys in the hash slot, for the fullest and busiest slots of this node.", "slot"};
constexpr MetricSpec slot_cpu{"redis_cluster_slot_cpu_seconds_total", MetricType::counter, "seconds", "CPU time of commands on the hash slot, for the fullest and busiest slots of this node.", "slot"};
constexpr MetricSpec slot_input{"redis_cluster_slot_input_bytes_total", MetricType::counter, "bytes", "Bytes received for the hash slot, for the fullest and busiest slots of this node.", "slot"};
constexpr MetricSpec slot_output{"redis_cluster_slot_output_bytes_total", MetricType::counter, "bytes", "Bytes sent for the hash slot, for the fullest and busiest slots of this node.", "slot"};
constexpr MetricSpec slot_memory{"redis_cluster_slot_memory_bytes", MetricType::gauge, "bytes", "Memory allocated for the hash slot, for the fullest and busiest slots of this node.", "slot"};
// clang-format on

/// What the server sorts by and answers; the first is there whatever its settings are.
struct Statistic {
  std::string_view word;
  const MetricSpec* spec;
  double divisor;
};
constexpr Statistic statistics[] = {{"key-count", &slot_keys, 1},
                                    {"cpu-usec", &slot_cpu, 1e6},
                                    {"network-bytes-in", &slot_input, 1},
                                    {"network-bytes-out", &slot_output, 1},
                                    {"memory-bytes", &slot_memory, 1}};
using Values = std::array<std::optional<double>, std::size(statistics)>;

constexpr int redis_since = 80200, valkey_since = 80000;
constexpr int slot_count = 16384;
constexpr std::chrono::hours retry_after{1};

bool knows_slot_stats(const ServerFacts& facts) noexcept {
  if (!facts.has_cluster) return false;
  return facts.valkey_version > 0 ? facts.valkey_version >= valkey_since : facts.version >= redis_since;
}

class SlotStats final : public Collector {
 public:
  explicit SlotStats(SlotStatsOptions options) : options_(options), due_(options.interval) {
    for (std::size_t i = 0; i < std::size(statistics); ++i) refused_.emplace_back(retry_after);
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "slot_stats"; }
  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    return {slot_keys, slot_cpu, slot_input, slot_output, slot_memory};
  }
  [[nodiscard]] std::vector<std::string> rights() const override { return {"+cluster|slot-stats"}; }
  void ask(const Round& round, Batch& batch) override;
  [[nodiscard]] Result<Done> read(std::vector<Reply> replies, const Round& round) override;
  void add(const Page& page) override;
  void forget() override;

 private:
  [[nodiscard]] Result<Done> read_slots(const Reply& reply);

  SlotStatsOptions options_;
  Due due_;
  std::vector<Due> refused_;        ///< For each statistic; not due while the server is known not to sort by it.
  std::vector<std::size_t> asked_;  ///< Statistics of this scrape.
  std::map<std::int64_t, Values> slots_;
};

void SlotStats::ask(const Round& round, Batch& batch) {
  if (round.index > 0) return;
  if (!knows_slot_stats(round.facts)) return forget();
  if (!due_.is_due(round.now)) return;
  slots_.clear();
  asked_.clear();
  for (std::size_t i = 0; i < std::size(statistics); ++i) {
    if (!refused_[i].is_due(round.now)) continue;
    asked_.push_back(i);
    batch.add({"CLUSTER", "SLOT-STATS", "ORDERBY", std::string(statistics[i].word), "LIMIT",
               std::to_string(options_.max_slots), "DESC"});
  }
}

Result<Done> SlotStats::read(std::vector<Reply> replies, const Round& round) {
  due_.done(round.now);
  Result<Done> result = Done{};
  for (std::size_t i = 0; i < replies.size() && i < asked_.size(); ++i) {
    // No failure, but for the keys: the others have to be switched on, or are younger.
    if (asked_[i] > 0 && replies[i].is_error() && replies[i].to_error().code == Errc::server) {
      refused_[asked_[i]].done(round.now);
      continue;
    }
    if (const auto done = read_slots(replies[i]); result && !done) result = done;
  }
  return result;
}

/// [[slot, [word, number, …]], …]
Result<Done> SlotStats::read_slots(const Reply& reply) {
  if (auto ready = expect_array(reply, "CLUSTER SLOT-STATS"); !ready) return ready;
  if (reply.elements.size() > options_.max_slots) return misshapen("CLUSTER SLOT-STATS");
  for (const auto& entry : reply.elements) {
    if (entry.elements.size() != 2) return misshapen("CLUSTER SLOT-STATS");
    const auto slot = entry.elements[0].as_integer();
    const auto& pairs = entry.elements[1].elements;
    if (!slot || *slot < 0 || *slot >= slot_count || pairs.size() % 2 != 0) return misshapen("CLUSTER SLOT-STATS");
    auto& values = slots_[*slot];
    for (std::size_t i = 0; i < pairs.size(); i += 2)
      for (std::size_t k = 0; k < values.size(); ++k)
        if (const auto number = pairs[i + 1].as_integer(); number && pairs[i].text == statistics[k].word)
          values[k] = static_cast<double>(*number) / statistics[k].divisor;
  }
  return Done{};
}

void SlotStats::add(const Page& page) {
  for (const auto& [slot, values] : slots_) {
    const auto labels = page.builder.labels({{"slot", std::to_string(slot)}});
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i]) page.builder.family(*statistics[i].spec).add(labels, *values[i]);
  }
}

void SlotStats::forget() {
  slots_.clear();
  due_.reset();
  for (auto& refused : refused_) refused.reset();
}

}  // namespace

std::unique_ptr<Collector> make_slot_stats(SlotStatsOptions options) {
  return std::make_unique<SlotStats>(options);
}

}  // namespace midst::sources::redis_info
