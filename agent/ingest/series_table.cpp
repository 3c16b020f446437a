#include "agent/ingest/series_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace midst::ingest {
namespace {

constexpr std::string_view overflow_value = "__overflow__";

/// Prometheus data model: metric names may hold colons, label names may not.
bool is_name(std::string_view name, bool has_colons) noexcept {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (has_colons && c == ':');
  });
}

/// "__" begins what Prometheus uses inside, "le" and "quantile" belong to the types.
bool is_label_name(std::string_view name) noexcept {
  return is_name(name, false) && !name.starts_with("__") && name != "le" && name != "quantile";
}

bool are_valid_bounds(const std::vector<double>& bounds) noexcept {
  for (std::size_t i = 0; i < bounds.size(); ++i)
    if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) return false;
  return true;
}

Refusal compare(const wire::FamilyDefinition& have, const wire::FamilyDefinition& wanted) {
  if (have.kind != wanted.kind) return Refusal::type_conflict;
  if (have.label_names != wanted.label_names) return Refusal::label_conflict;
  if (have.bounds != wanted.bounds) return Refusal::bounds_conflict;
  if (have.merge != wanted.merge) return Refusal::merge_conflict;
  return Refusal::none;
}

metrics::MetricType type_of(wire::MetricKind kind) noexcept {
  switch (kind) {
    case wire::MetricKind::counter:
      return metrics::MetricType::counter;
    case wire::MetricKind::gauge:
      return metrics::MetricType::gauge;
    case wire::MetricKind::histogram:
      break;
  }
  return metrics::MetricType::histogram;
}

std::uint32_t take(std::vector<std::uint32_t>& free, std::size_t next) {
  if (free.empty()) return static_cast<std::uint32_t>(next);
  const auto index = free.back();
  free.pop_back();
  return index;
}

}  // namespace

Refusal SeriesTable::check(const wire::FamilyDefinition& definition) const {
  if (!is_name(definition.name, true)) return Refusal::invalid;
  if (is_reserved(definition.name)) return Refusal::reserved_name;
  auto names = definition.label_names;
  std::sort(names.begin(), names.end());
  if (!std::all_of(names.begin(), names.end(), is_label_name)) return Refusal::invalid;
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) return Refusal::invalid;
  if (!are_valid_bounds(definition.bounds)) return Refusal::invalid;
  if (definition.kind != wire::MetricKind::histogram && !definition.bounds.empty()) return Refusal::invalid;
  if (definition.kind != wire::MetricKind::gauge && definition.merge != 0) return Refusal::invalid;
  return Refusal::none;
}

bool SeriesTable::is_reserved(std::string_view name) const {
  const auto begins = [&](const std::string& prefix) { return name.starts_with(prefix); };
  return std::any_of(limits_.reserved_prefixes.begin(), limits_.reserved_prefixes.end(), begins) &&
         std::none_of(limits_.unreserved_prefixes.begin(), limits_.unreserved_prefixes.end(), begins);
}

SeriesTable::Found SeriesTable::define(const wire::FamilyDefinition& definition,
                                       std::optional<std::uint32_t>& replaced) {
  if (const auto reason = check(definition); reason != Refusal::none) return {none, reason};
  if (const auto found = by_name_.find(definition.name); found != by_name_.end()) {
    const auto index = found->second;
    auto& family = families_[index];
    const auto reason = compare(family.definition, definition);
    if (reason == Refusal::none) return {index, reason};
    if (family.users > 0) return {none, reason};
    while (!family.members.empty()) remove(family.members.back());
    by_name_.erase(found);
    families_[index] = Family{};
    free_families_.push_back(index);
    replaced = index;
  }
  if (by_name_.size() >= limits_.max_families) return {none, Refusal::too_many};
  const auto index = take(free_families_, families_.size());
  if (index == families_.size()) families_.emplace_back();
  families_[index].definition = definition;
  by_name_.emplace(definition.name, index);
  return {index, Refusal::none};
}

SeriesTable::Found SeriesTable::define(std::uint32_t family_index, const std::vector<std::string>& label_values,
                                       Growth growth) {
  auto& family = families_[family_index];
  if (label_values.size() != family.definition.label_names.size()) return {none, Refusal::invalid};
  auto labels = render(family, label_values);
  if (const auto found = family.by_labels.find(labels); found != family.by_labels.end()) return {found->second};
  // A family without labels has one series, which then is its own overflow: there is nothing to divert.
  const auto is_single = label_values.empty();
  const auto is_overflow_itself = std::all_of(label_values.begin(), label_values.end(),
                                              [](const std::string& value) { return value == overflow_value; });
  if (is_single || is_overflow_itself) return {overflow(family_index)};
  if (growth == Growth::client_is_full) return {overflow(family_index), Refusal::client_limit};
  if (family.members.size() >= limits_.max_series_per_family) return {overflow(family_index), Refusal::family_limit};
  if (!has_room(family, labels)) return {overflow(family_index), Refusal::total_limit};
  return {make(family_index, std::move(labels))};
}

std::size_t SeriesTable::cost(const Family& family, const std::string& labels) {
  const bool is_histogram = family.definition.kind == wire::MetricKind::histogram;
  const auto buckets = is_histogram ? family.definition.bounds.size() + 1 : 0;
  return 2 * labels.size() + buckets * sizeof(std::uint64_t);  // the labels lie in the series and in the index
}

bool SeriesTable::has_room(const Family& family, const std::string& labels) const {
  return series_count() < limits_.max_series && bytes_ + cost(family, labels) <= limits_.max_bytes;
}

std::string SeriesTable::render(const Family& family, const std::vector<std::string>& values) const {
  std::vector<metrics::Label> labels;
  labels.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) labels.push_back({family.definition.label_names[i], values[i]});
  return metrics::label_text(labels);
}

std::uint32_t SeriesTable::make(std::uint32_t family_index, std::string labels) {
  auto& family = families_[family_index];
  const auto index = take(free_, series_.size());
  if (index == series_.size()) {
    series_.emplace_back();
    totals_.emplace_back();
  }
  auto& series = series_[index];
  series = Series{};
  series.family = family_index;
  series.has_value = family.definition.kind != wire::MetricKind::gauge;
  if (family.definition.kind == wire::MetricKind::histogram) {
    series.buckets = take(free_buckets_, histograms_.size());
    if (series.buckets == histograms_.size()) histograms_.emplace_back();
    histograms_[series.buckets].assign(family.definition.bounds.size() + 1, 0);
  }
  totals_[index] = 0;
  bytes_ += cost(family, labels);
  family.by_labels.emplace(labels, index);
  series.labels = std::move(labels);
  series.position = family.members.size();
  family.members.push_back(index);
  return index;
}

std::uint32_t SeriesTable::overflow(std::uint32_t family_index) {
  auto& family = families_[family_index];
  if (family.overflow == none) {
    const std::vector<std::string> values(family.definition.label_names.size(), std::string(overflow_value));
    family.overflow = make(family_index, render(family, values));
  }
  return family.overflow;
}

void SeriesTable::remove(std::uint32_t index) {
  auto& series = series_[index];
  auto& family = families_[series.family];
  bytes_ -= cost(family, series.labels);
  const auto last = family.members.back();
  series_[last].position = series.position;
  family.members[series.position] = last;
  family.members.pop_back();
  family.by_labels.erase(series.labels);
  if (family.overflow == index) family.overflow = none;
  if (series.buckets != none) free_buckets_.push_back(series.buckets);
  if (series.exemplars != none) {
    exemplar_count_ -= exemplars_[series.exemplars].size();
    exemplars_[series.exemplars].clear();
    free_exemplars_.push_back(series.exemplars);
  }
  series = Series{};
  free_.push_back(index);
}

void SeriesTable::remove_reporter(std::uint32_t index) {
  auto& series = series_[index];
  if (--series.reporters > 0) return;
  if (families_[series.family].definition.merge == static_cast<std::uint8_t>(push::GaugeMerge::last) &&
      series.has_value)
    return;
  remove(index);
}

void SeriesTable::note(std::uint32_t gauge, double value) {
  auto& series = series_[gauge];
  if (families_[series.family].definition.merge != static_cast<std::uint8_t>(push::GaugeMerge::last)) return;
  totals_[gauge] = value;
  series.has_value = true;
}

bool SeriesTable::note(std::uint32_t index, const wire::Exemplar& exemplar) {
  auto& series = series_[index];
  if (series.exemplars != none) {
    auto& kept = exemplars_[series.exemplars];
    const auto same = std::find_if(kept.begin(), kept.end(),
                                   [&](const wire::Exemplar& other) { return other.bucket == exemplar.bucket; });
    if (same != kept.end()) {
      // Several clients report the series; Prometheus refuses one that is older than the last.
      if (exemplar.unix_time_ns >= same->unix_time_ns) *same = exemplar;
      return true;
    }
  }
  if (exemplar_count_ >= limits_.max_exemplars) return false;
  if (series.exemplars == none) {
    series.exemplars = take(free_exemplars_, exemplars_.size());
    if (series.exemplars == exemplars_.size()) exemplars_.emplace_back();
  }
  exemplars_[series.exemplars].push_back(exemplar);
  ++exemplar_count_;
  return true;
}

void SeriesTable::begin_merge() {
  for (const auto& family : families_) {
    if (family.definition.kind != wire::MetricKind::gauge ||
        family.definition.merge == static_cast<std::uint8_t>(push::GaugeMerge::last))
      continue;
    for (const auto index : family.members) series_[index].has_value = false;
  }
}

void SeriesTable::merge(std::uint32_t gauge, double value) {
  auto& series = series_[gauge];
  auto& total = totals_[gauge];
  const auto mode = static_cast<push::GaugeMerge>(families_[series.family].definition.merge);
  if (mode == push::GaugeMerge::last) return;
  if (!std::exchange(series.has_value, true)) {
    total = value;
    return;
  }
  if (mode == push::GaugeMerge::sum) total += value;
  if (mode == push::GaugeMerge::min) total = std::min(total, value);
  if (mode == push::GaugeMerge::max) total = std::max(total, value);
}

void SeriesTable::write(metrics::SnapshotBuilder& builder) const {
  for (const auto& family : families_)
    if (!family.members.empty()) write_family(builder, family);
}

void SeriesTable::write_exemplars(metrics::SnapshotBuilder& builder, metrics::FamilyBuilder& samples,
                                  const Series& series) const {
  if (series.exemplars == none) return;
  for (const auto& exemplar : exemplars_[series.exemplars]) {
    const auto& [trace, span] = exemplar.trace;
    const auto trace_id = fmt::format("{:02x}", fmt::join(trace, "")),
               span_id = fmt::format("{:02x}", fmt::join(span, ""));
    const metrics::Label labels[] = {{"trace_id", trace_id}, {"span_id", span_id}};
    const bool has_span = std::any_of(span.begin(), span.end(), [](std::uint8_t byte) { return byte != 0; });
    samples.add_exemplar(exemplar.bucket, exemplar.value, static_cast<double>(exemplar.unix_time_ns) * 1e-9,
                         builder.exemplar_labels(std::span(labels, has_span ? 2 : 1)));
  }
}

void SeriesTable::write_family(metrics::SnapshotBuilder& builder, const Family& family) const {
  const auto& definition = family.definition;
  auto& samples = builder.family({definition.name, type_of(definition.kind), definition.unit, definition.help});
  samples.promise_distinct();
  std::vector<std::uint64_t> cumulative(definition.bounds.size());
  for (const auto index : family.members) {
    const auto& series = series_[index];
    if (!series.has_value) continue;
    if (definition.kind != wire::MetricKind::histogram) {
      samples.add(builder.prepared(series.labels), totals_[index]);
      write_exemplars(builder, samples, series);
      continue;
    }
    const auto& buckets = histograms_[series.buckets];
    metrics::Distribution distribution;
    for (std::size_t i = 0; i < cumulative.size(); ++i) cumulative[i] = distribution.count += buckets[i];
    distribution.count += buckets.back();
    distribution.bounds = definition.bounds;
    distribution.cumulative = cumulative;
    distribution.sum = totals_[index];
    samples.add(builder.prepared(series.labels), distribution);
    write_exemplars(builder, samples, series);
  }
}

}  // namespace midst::ingest
