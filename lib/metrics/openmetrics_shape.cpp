#include "lib/metrics/openmetrics_shape.hpp"

#include "lib/metrics/label_text.hpp"

#include <algorithm>

namespace midst::metrics {
namespace {

constexpr std::string_view total = "_total";
constexpr std::string_view info = "_info";

template <class Check>
bool all_values(const MergedFamily& merged, Check check) {
  return std::all_of(merged.parts.begin(), merged.parts.end(), [&](const MergedFamily::Part& part) {
    return std::all_of(part.family->values.begin(), part.family->values.end(), check);
  });
}

template <class Check>
bool all_distributions(const MergedFamily& merged, Check check) {
  return std::all_of(merged.parts.begin(), merged.parts.end(), [&](const MergedFamily::Part& part) {
    return std::all_of(part.family->distributions.begin(), part.family->distributions.end(), check);
  });
}

bool is_counter_value(double value) noexcept {
  return value >= 0;
}  // not NaN either

/// Bounds ascend from 0, counts never fall and end in count: with negative bounds _sum and _count would be forbidden.
bool is_histogram(const Distribution& distribution) noexcept {
  double bound = -1;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < distribution.bounds.size(); ++i) {
    if (!(distribution.bounds[i] >= 0 && distribution.bounds[i] > bound) || distribution.cumulative[i] < count)
      return false;
    bound = distribution.bounds[i];
    count = distribution.cumulative[i];
  }
  return count <= distribution.count && is_counter_value(distribution.sum);
}

/// Redis reports latency percentiles as 50, 99 and 99.9: no quantiles.
bool is_summary(const Distribution& distribution) noexcept {
  for (const double quantile : distribution.bounds)
    if (!(quantile >= 0 && quantile <= 1)) return false;
  for (const double value : distribution.quantile_values)
    if (value < 0) return false;
  return is_counter_value(distribution.sum);
}

/// Each sample names its state in a label called like the family.
bool is_stateset(const MergedFamily& merged) {
  const auto has_state = [&](LabelSet labels) {
    bool found = false;
    for_each_label(labels, [&](std::string_view name, std::string_view) { found |= name == merged.head->name; });
    return found;
  };
  for (const auto& part : merged.parts)
    if (!std::all_of(part.family->labels.begin(), part.family->labels.end(), has_state)) return false;
  return all_values(merged, [](double value) { return value == 0 || value == 1; });
}

}  // namespace

OpenMetricsShape openmetrics_shape(const MergedFamily& merged) {
  const auto name = merged.head->name;
  switch (merged.head->type) {
    case MetricType::counter:
      if (merged.strips_total && all_values(merged, is_counter_value))
        return {name.substr(0, name.size() - total.size()), MetricType::counter};
      return {name, MetricType::unknown};
    case MetricType::info:
      if (merged.strips_info && all_values(merged, [](double value) { return value == 1; }))
        return {name.substr(0, name.size() - info.size()), MetricType::info};
      return {name, MetricType::gauge};
    case MetricType::stateset:
      return {name, is_stateset(merged) ? MetricType::stateset : MetricType::gauge};
    case MetricType::histogram:
      return {name, MetricType::histogram, !all_distributions(merged, is_histogram)};
    case MetricType::summary:
      return {name, MetricType::summary, !all_distributions(merged, is_summary)};
    default:
      return {name, merged.head->type};
  }
}

}  // namespace midst::metrics
