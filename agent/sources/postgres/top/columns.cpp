#include "agent/sources/postgres/top/columns.hpp"

#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <algorithm>
#include <cstdint>

namespace midst::sources {

std::optional<std::size_t> find_column(const TableView& rows, std::string_view name) noexcept {
  const auto found = std::find(rows.columns.begin(), rows.columns.end(), name);
  if (found == rows.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - rows.columns.begin());
}

std::optional<std::string_view> cell_of(const TableView& rows, std::size_t row, std::optional<std::size_t> column) {
  return column ? rows.cell(rows.rows, row, *column) : std::nullopt;
}

std::optional<double> parse_count(std::string_view text) noexcept {
  // As many digits as every double holds exactly.
  if (text.empty() || text.size() > 15) return parse_value(text);
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return parse_value(text);
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return static_cast<double>(value);
}

double number_of(const Column& column, std::optional<std::string_view> cell, std::size_t& unreadable) {
  if (!cell) return column.null == NullAs::zero ? 0 : absent;
  const auto value = parse_count(*cell);
  if (value) return *value * column.scale;
  ++unreadable;
  return absent;
}

}  // namespace midst::sources
