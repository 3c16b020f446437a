#include "agent/sources/redis/sampler/sampler_page.hpp"

#include "agent/sources/redis/collector.hpp"

#include <fmt/core.h>

#include <cmath>
#include <string>

namespace midst::sources::redis_info {
namespace {

using metrics::LabelSet;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

// clang-format off
// Labels db, prefix.
constexpr MetricSpec prefix_keys{"redis_key_prefix_keys", MetricType::gauge, "", "Keys whose name has this pattern, as counted in the sampler's last complete cycle.", "db,prefix"};
constexpr MetricSpec prefix_memory{"redis_key_prefix_memory_bytes", MetricType::gauge, "bytes", "Memory the keys of a pattern take, estimated from those the sampler looked at.", "db,prefix"};
constexpr MetricSpec prefix_sampled{"redis_key_prefix_sampled_keys", MetricType::gauge, "", "Keys of a pattern that the sampler looked at one by one in the cycle; what its estimates rest on.", "db,prefix"};
// Labels db, prefix, type.
constexpr MetricSpec prefix_types{"redis_key_prefix_type_keys", MetricType::gauge, "", "Keys of a pattern by data type, estimated from those the sampler looked at.", "db,prefix,type"};
// Labels db, prefix.
constexpr MetricSpec key_ttl{"redis_key_ttl_seconds", MetricType::histogram, "seconds", "Remaining times to live of the keys of a pattern as of the last cycle; counts may shrink, so use it without rate().", "db,prefix"};
constexpr MetricSpec without_ttl{"redis_keys_without_ttl_ratio", MetricType::gauge, "", "Share of the keys of a pattern that never expire, 0 to 1.", "db,prefix"};
// Labels db, key, prefix, type.
constexpr MetricSpec big_memory{"redis_big_key_memory_bytes", MetricType::gauge, "bytes", "Memory of the biggest keys the sampler has met.", "db,key,prefix,type"};
constexpr MetricSpec big_elements{"redis_big_key_elements", MetricType::gauge, "", "Elements of the collections with the most of them that the sampler has met.", "db,key,prefix,type"};

constexpr MetricSpec progress{"redis_key_sampler_scan_progress_ratio", MetricType::gauge, "", "Share of the keys that the sampler's cycle has passed; 1 while it rests after a complete one."};
constexpr MetricSpec cycle_duration{"redis_key_sampler_cycle_seconds", MetricType::gauge, "seconds", "How long the sampler's last complete cycle took."};
constexpr MetricSpec cycle_age{"redis_key_sampler_cycle_age_seconds", MetricType::gauge, "seconds", "Time since the sampler's last complete cycle, whose values are shown, came to its end."};
constexpr MetricSpec cycles{"redis_key_sampler_cycles_total", MetricType::counter, "", "Complete walks of the sampler through the key space."};
constexpr MetricSpec scanned{"redis_key_sampler_keys_scanned_total", MetricType::counter, "", "Keys that SCAN has named to the sampler."};
constexpr MetricSpec looked{"redis_key_sampler_keys_sampled_total", MetricType::counter, "", "Keys the sampler has looked at one by one."};
constexpr MetricSpec vanished{"redis_key_sampler_keys_vanished_total", MetricType::counter, "", "Keys that were gone when the sampler looked at them."};
constexpr MetricSpec lookups{"redis_key_sampler_keyspace_lookups_total", MetricType::counter, "", "Commands of the sampler that the server counts among its keyspace hits or misses."};
constexpr MetricSpec busy{"redis_key_sampler_busy_seconds_total", MetricType::counter, "seconds", "Server time the sampler has taken, by the server's own clock where it tells."};
constexpr MetricSpec duty{"redis_key_sampler_duty_ratio", MetricType::gauge, "", "Share of the server's time the sampler took in the last minutes; to be held against its duty cycle."};
// Label reason: loading, saving, slow, role.
constexpr MetricSpec pauses{"redis_key_sampler_pauses_total", MetricType::counter, "", "Times the sampler began to wait for the server to be fit for it, by reason.", "reason"};
// Label reason: the kind of the failure.
constexpr MetricSpec errors{"redis_key_sampler_errors_total", MetricType::counter, "", "Failures of the sampler's connection or commands, by kind.", "reason"};
// clang-format on

constexpr const MetricSpec* all[] = {&prefix_keys, &prefix_memory, &prefix_sampled, &prefix_types, &key_ttl,
                                     &without_ttl, &big_memory,    &big_elements,   &progress,     &cycle_duration,
                                     &cycle_age,   &cycles,        &scanned,        &looked,       &vanished,
                                     &lookups,     &busy,          &duty,           &pauses,       &errors};

double to_double(std::uint64_t number) {
  return static_cast<double>(number);
}

std::string database_label(int number) {
  return fmt::format("db{}", number);
}

/// What `part` of `samples` is of all the keys of a row.
double estimate(double keys, std::uint64_t part, std::uint64_t samples) {
  return keys * to_double(part) / to_double(samples);
}

void add_ttl(const PrefixTotals& totals, double keys, LabelSet labels, SnapshotBuilder& builder) {
  builder.family(without_ttl).add(labels, to_double(totals.without_ttl) / to_double(totals.ttl_samples));
  const double factor = keys / to_double(totals.ttl_samples);
  std::array<std::uint64_t, ttl_bounds_seconds.size()> cumulative{};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < cumulative.size(); ++i) {
    sum += totals.ttl_counts[i];
    cumulative[i] = static_cast<std::uint64_t>(std::llround(to_double(sum) * factor));
  }
  metrics::Distribution distribution;
  distribution.bounds = ttl_bounds_seconds;
  distribution.cumulative = cumulative;
  distribution.sum = totals.ttl_seconds * factor;
  distribution.count = static_cast<std::uint64_t>(std::llround(to_double(sum + totals.ttl_counts.back()) * factor));
  builder.family(key_ttl).add(labels, distribution);
}

void add_row(const PrefixRow& row, double scale, SnapshotBuilder& builder) {
  const auto database = database_label(row.id.database);
  const auto& totals = row.totals;
  const auto labels = builder.labels({{"db", database}, {"prefix", row.id.pattern}});
  const double keys = std::round(to_double(totals.keys) * scale);
  builder.family(prefix_keys).add(labels, keys);
  const auto samples = std::max({totals.memory_samples, totals.type_samples, totals.ttl_samples});
  builder.family(prefix_sampled).add(labels, to_double(samples));
  if (totals.memory_samples > 0)
    builder.family(prefix_memory).add(labels, estimate(keys, totals.memory_bytes, totals.memory_samples));
  for (std::size_t i = 0; i < key_type_count; ++i)
    if (totals.types[i] > 0)
      builder.add(prefix_types, {{"db", database}, {"prefix", row.id.pattern}, {"type", word(static_cast<KeyType>(i))}},
                  estimate(keys, totals.types[i], totals.type_samples));
  if (totals.ttl_samples > 0) add_ttl(totals, keys, labels, builder);
}

void add_big(const MetricSpec& spec, const BigKeys& keys, KeyNames names, SnapshotBuilder& builder) {
  for (const auto& key : keys.keys())
    builder.add(spec,
                {{"db", database_label(key.database)},
                 {"key", key_label(key.name, names)},
                 {"prefix", key.pattern},
                 {"type", word(key.type)}},
                to_double(key.size));
}

void add_own(const SamplerCycle& cycle, const SamplerStatus& status, SnapshotBuilder& builder) {
  const auto& counts = cycle.counts();
  builder.add(progress, cycle.progress());
  if (status.cycle_seconds) builder.add(cycle_duration, *status.cycle_seconds);
  if (status.cycle_age_seconds) builder.add(cycle_age, *status.cycle_age_seconds);
  builder.add(cycles, to_double(counts.cycles));
  builder.add(scanned, to_double(counts.scanned));
  builder.add(looked, to_double(counts.looked));
  builder.add(vanished, to_double(counts.vanished));
  builder.add(lookups, to_double(counts.lookups));
  builder.add(busy, status.busy_seconds);
  builder.add(duty, status.duty_ratio);
  for (std::size_t i = 0; i < pause_count; ++i)
    builder.add(pauses, {{"reason", word(static_cast<Pause>(i))}}, to_double(status.pauses[i]));
  for (const auto& [code, count] : status.errors) builder.add(errors, {{"reason", word(code)}}, to_double(count));
}

}  // namespace

std::vector<MetricSpec> sampler_specs() {
  std::vector<MetricSpec> specs;
  for (const auto* spec : all) specs.push_back(*spec);
  return specs;
}

void add_sampler(const SamplerCycle& cycle, const SamplerStatus& status, KeyNames names, SnapshotBuilder& builder) {
  for (const auto& [row, scale] : cycle.rows()) add_row(row, scale, builder);
  add_big(big_memory, cycle.by_memory(), names, builder);
  add_big(big_elements, cycle.by_elements(), names, builder);
  add_own(cycle, status, builder);
  if (cycle.left_out() > 0) add_folded(prefix_keys, cycle.left_out(), builder);
}

}  // namespace midst::sources::redis_info
