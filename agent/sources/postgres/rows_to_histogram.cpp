#include "agent/sources/postgres/rows_to_histogram.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace midst::sources {
namespace {

constexpr double largest_count = 9007199254740992.0;  // 2^53: the last whole number that a double surely holds.

std::optional<double> number_of(std::string_view text) {
  const auto number = text::parse_number(text);
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<std::uint64_t> count_of(double number) {
  if (!(number >= 0 && number <= largest_count) || number != std::floor(number)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

/// Postgres says the lower bounds of an array that does not begin at 1: `[0:2]={…}`.
std::string_view without_dimensions(std::string_view text) {
  if (!text.starts_with('[')) return text;
  const auto equals = text.find('=');
  return equals == std::string_view::npos ? text : text.substr(equals + 1);
}

/// No number needs an escape inside its quotes.
std::string_view without_quotes(std::string_view element) {
  return element.size() >= 2 && element.front() == '"' && element.back() == '"' ? element.substr(1, element.size() - 2)
                                                                                : element;
}

using Bucket = std::pair<double, std::uint64_t>;

/// @return the buckets by ascending bound.
std::optional<std::vector<Bucket>> pair_up(const std::vector<double>& bounds, const std::vector<double>& counts) {
  if (bounds.size() != counts.size()) return std::nullopt;
  std::vector<Bucket> buckets;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto count = count_of(counts[i]);
    if (!count || std::isnan(bounds[i])) return std::nullopt;
    buckets.emplace_back(bounds[i], *count);
  }
  std::sort(buckets.begin(), buckets.end());
  for (std::size_t i = 1; i < buckets.size(); ++i)
    if (buckets[i].first == buckets[i - 1].first || buckets[i].second < buckets[i - 1].second) return std::nullopt;
  return buckets;
}

}  // namespace

std::optional<std::vector<double>> parse_number_array(std::string_view text) {
  text = without_dimensions(text);
  if (!text.starts_with('{') || !text.ends_with('}') || text.size() < 2) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::vector<double> numbers;
  for (bool is_last = text.empty(); !is_last;) {
    is_last = text.find(',') == std::string_view::npos;
    const auto number = number_of(without_quotes(text::take_until(text, ',')));
    if (!number || numbers.size() == max_array_elements) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<Histogram> parse_histogram(const HistogramCells& cells, double scale) {
  const auto bounds = parse_number_array(cells.bounds), counts = parse_number_array(cells.buckets);
  const auto sum = number_of(cells.sum), all = number_of(cells.count);
  const auto count = all ? count_of(*all) : std::nullopt;
  if (!bounds || !counts || !sum || !count) return std::nullopt;
  const auto buckets = pair_up(*bounds, *counts);
  if (!buckets) return std::nullopt;
  Histogram histogram;
  histogram.sum = *sum * scale;
  histogram.count = *count;
  for (const auto& [bound, cumulative] : *buckets) {
    if (bound == std::numeric_limits<double>::infinity()) continue;
    histogram.bounds.push_back(bound * scale);
    histogram.cumulative.push_back(cumulative);
  }
  return histogram;
}

}  // namespace midst::sources
