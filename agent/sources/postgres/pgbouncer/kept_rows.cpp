#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace midst::sources {

TableView KeptRows::view() const {
  TableView view{{columns_.begin(), columns_.end()}, rows_.size(), &rows_, nullptr};
  view.cell = [](const void* rows, std::size_t row, std::size_t column) -> std::optional<std::string_view> {
    const auto& cell = static_cast<const std::vector<Row>*>(rows)->at(row).at(column);
    return cell ? std::optional<std::string_view>(*cell) : std::nullopt;
  };
  return view;
}

std::optional<std::size_t> place_of(const TableView& rows, std::string_view column) {
  const auto found = std::find(rows.columns.begin(), rows.columns.end(), column);
  if (found == rows.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - rows.columns.begin());
}

std::string_view text_at(const TableView& rows, std::size_t row, std::optional<std::size_t> column) {
  return column ? rows.cell(rows.rows, row, *column).value_or(std::string_view()) : std::string_view();
}

std::optional<double> number_at(const TableView& rows, std::size_t row, std::optional<std::size_t> column) {
  return parse_value(text::trim(text_at(rows, row, column)));
}

std::vector<bool> StableChoice::choose(const std::vector<Candidate>& candidates, Deadline now) {
  if (limit_ == 0 || candidates.size() <= limit_) {
    chosen_at_.clear();
    return std::vector<bool>(candidates.size(), true);
  }
  const auto held_since = [&](const Candidate& candidate) -> std::optional<Deadline> {
    const auto found = chosen_at_.find(candidate.key);
    if (found == chosen_at_.end() || now - found->second >= hold_) return std::nullopt;
    return found->second;
  };
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rank = [&](std::size_t index) {
    const auto& candidate = candidates[index];
    return std::make_tuple(!candidate.is_urgent, !held_since(candidate), -candidate.size,
                           std::string_view(candidate.key));
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(limit_), order.end(),
                    [&](std::size_t left, std::size_t right) { return rank(left) < rank(right); });
  order.resize(limit_);
  std::map<std::string, Deadline> chosen;
  std::vector<bool> is_chosen(candidates.size(), false);
  for (const auto index : order) {
    is_chosen[index] = true;
    chosen.emplace(candidates[index].key, held_since(candidates[index]).value_or(now));
  }
  chosen_at_ = std::move(chosen);
  return is_chosen;
}

}  // namespace midst::sources
