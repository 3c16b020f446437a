// Takes labels off the samples of a family and makes one of those that are the same series then. Used by SeriesRules.
#pragma once

#include "lib/metrics/arena.hpp"
#include "lib/metrics/family.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace midst::scrape {

/// What becomes of gauges that are the same series without a label.
enum class Fold : std::uint8_t {
  left_out,  ///< None of them is shown: no single one stands for all.
  sum,
  max,
  min,
};

/// Counters and histograms are added up, and keep rising: what a series had counted stays in the sum when it goes away
/// or begins anew, so that rate() sees no fall. One object for each source; it remembers its series.
class LabelFold {
 public:
  /// Begins a collection. Series that are not seen in 60 of them are forgotten when they are more than those there are;
  /// above 200 000, those that were not in the last one.
  void begin();

  /// Takes `names` off the labels of every sample. Histograms with other bounds than the first of their group,
  /// summaries, and gauges of Fold::left_out are left out when there is more than one in a group.
  /// @return how many series are left out because of that.
  std::uint64_t apply(metrics::Family& family, metrics::Arena& arena, std::span<const std::string> names, Fold gauges);

 private:
  /// Numbers that only rise: one counter, or the buckets, the count and the sum of a histogram.
  struct Rising {
    std::vector<double> values;
    std::uint64_t seen_in = 0;  ///< Number of the collection.
  };
  struct Groups {
    std::vector<metrics::LabelSet> labels;
    std::vector<std::uint32_t> of;    ///< By sample.
    std::vector<std::uint32_t> size;  ///< By group.
  };

  Groups group(const metrics::Family& family, metrics::Arena& arena, std::span<const std::string> names);
  void add_up(const metrics::Family& family, std::size_t sample, metrics::LabelSet group, std::span<const double> now);
  const Rising& total(const metrics::Family& family, metrics::LabelSet group) const;
  void fold_counters(metrics::Family& family, metrics::Arena& arena, const Groups& groups);
  std::uint64_t fold_gauges(metrics::Family& family, metrics::Arena& arena, const Groups& groups, Fold gauges);
  std::uint64_t fold_histograms(metrics::Family& family, metrics::Arena& arena, const Groups& groups);
  std::uint64_t fold_summaries(metrics::Family& family, metrics::Arena& arena, const Groups& groups);

  std::unordered_map<std::uint64_t, Rising> series_, totals_;  ///< By hash of family and labels.
  std::uint64_t collection_ = 1;
  std::size_t seen_ = 0;  ///< Entries of series_ seen in this collection.
};

}  // namespace midst::scrape
