// The columns of one family in a Snapshot, and the values that stand in them. Used with snapshot.hpp, which builds
// them.
#pragma once

#include "lib/metrics/spec.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::metrics {

/// One name="value" pair on its way into a Snapshot. The value is raw bytes; escaping happens when it is stored.
struct Label {
  std::string_view name;
  std::string_view value;
};

/// Label pairs that own their text: what a target's options say every sample of it carries.
using OwnedLabels = std::vector<std::pair<std::string, std::string>>;

/// A label set, stored once: the text between the braces, sorted by name and escaped (`cmd="get",db="0"`).
/// Handed out by SnapshotBuilder::labels() and valid as long as its Snapshot.
struct LabelSet {
  std::string_view text;
};

/// @return the text of the LabelSet of these pairs, to be kept between snapshots; see SnapshotBuilder::prepared().
[[nodiscard]] std::string label_text(std::span<const Label> labels);
/// Appends the text of a label set without the pairs of these names.
void append_without(std::string& out, LabelSet labels, std::span<const std::string> names);
/// @return the pairs of a label set, unescaped; for the readers that are not in a hurry (protobuf, status page).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> decode(LabelSet labels);

/// Buckets of a native histogram, as Prometheus' protobuf has them (deltas between neighbouring buckets).
struct NativeHistogram {
  struct BucketSpan {
    std::int32_t offset;
    std::uint32_t length;
  };
  std::int32_t schema = 0;
  double zero_threshold = 0;
  std::uint64_t zero_count = 0;
  std::span<const BucketSpan> positive_spans, negative_spans;
  std::span<const std::int64_t> positive_deltas, negative_deltas;
};

/// The value of one histogram or summary sample.
struct Distribution {
  std::span<const double> bounds;             ///< Upper bounds, ascending, without +Inf; or the quantiles of a summary.
  std::span<const std::uint64_t> cumulative;  ///< Histogram: observations ≤ each bound; same length as bounds.
  std::span<const double> quantile_values;    ///< Summary: the value at each quantile; same length as bounds.
  double sum = 0;
  std::uint64_t count = 0;                  ///< All observations; the +Inf bucket.
  const NativeHistogram* native = nullptr;  ///< Written in protobuf only.
};

/// An example observation of one sample, written by the formats that can (OpenMetrics, protobuf).
struct Exemplar {
  std::uint32_t sample = 0;  ///< Index of the sample in its family.
  std::uint32_t bucket = 0;  ///< Histogram: index of the bucket; bounds.size() is +Inf. Counter: 0.
  double value = 0;
  double timestamp_seconds = 0;  ///< Unix time, 0 = none.
  LabelSet labels;               ///< At most 128 characters (OpenMetrics 1.0, "Exemplars").
};

struct Family;

/// @return how many series a server makes of the family: one a scalar sample, and those of buckets, quantiles, sum and
/// count of a distribution.
[[nodiscard]] std::size_t series_count(const Family& family) noexcept;

/// One family of a Snapshot: columns of equal length, in the order the samples were added.
struct Family {
  std::string_view name, unit, help;
  MetricType type = MetricType::unknown;
  std::span<const LabelSet> labels;
  std::span<const double> values;               ///< Scalar types; empty for histogram and summary.
  std::span<const Distribution> distributions;  ///< Histogram and summary; empty otherwise.
  std::span<const double> created;              ///< Unix seconds, same length, or empty when unknown.
  std::span<const Exemplar> exemplars;          ///< Sparse, by ascending sample.
};

}  // namespace midst::metrics
