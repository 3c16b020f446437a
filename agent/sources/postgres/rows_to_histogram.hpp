// Histograms out of the arrays of one row: bounds, cumulative counts, sum and count. Pure; used by the interpreter.
#pragma once

#include "lib/metrics/family.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Elements an array may have: a histogram has one series for each.
inline constexpr std::size_t max_array_elements = 200;

/// @return the numbers of a one-dimensional array as Postgres prints it, `{1,2.5,"3"}` or `[0:1]={1,2}`; nothing for
/// another shape, for an element that is NULL or no number, and beyond max_array_elements.
[[nodiscard]] std::optional<std::vector<double>> parse_number_array(std::string_view text);

/// The four cells of a histogram, in the order in which the columns are described.
struct HistogramCells {
  std::string_view bounds, buckets, sum, count;
};

/// One histogram; owns what its Distribution shows.
struct Histogram {
  std::vector<double> bounds;  ///< Ascending, without +Inf.
  std::vector<std::uint64_t> cumulative;
  double sum = 0;
  std::uint64_t count = 0;

  /// @return the view that a FamilyBuilder copies.
  [[nodiscard]] metrics::Distribution view() const noexcept { return {bounds, cumulative, {}, sum, count}; }
};

/// Reads a histogram; bounds may come in any order, and one of +Inf is left to the count.
/// @param scale  positive; times the bounds and the sum.
/// @return nothing when the arrays differ in length, a bound stands twice, a count is no whole number of 2^53 or less,
/// or counts fall with ascending bounds.
[[nodiscard]] std::optional<Histogram> parse_histogram(const HistogramCells& cells, double scale);

}  // namespace midst::sources
