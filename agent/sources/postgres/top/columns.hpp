// How the treatments of this folder read answers: columns by name, counts as numbers. Inline, since an answer can have
// a hundred thousand cells. Pure.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace midst::sources {

/// @return where a column stands in an answer.
[[nodiscard]] std::optional<std::size_t> find_column(const TableView& rows, std::string_view name) noexcept;

/// @return the text of a cell; nothing for NULL and for a column that the answer does not have.
[[nodiscard]] inline std::optional<std::string_view> cell_of(const TableView& rows, std::size_t row,
                                                             std::optional<std::size_t> column) {
  return column ? rows.cell(rows.rows, row, *column) : std::nullopt;
}

/// @return what parse_value() returns, sooner for the short whole numbers that most counts are.
[[nodiscard]] inline std::optional<double> parse_count(std::string_view text) noexcept {
  // As many digits as every double holds exactly.
  if (text.empty() || text.size() > 15) return parse_value(text);
  std::uint64_t value = 0;
  for (const char digit : text) {
    const auto number = static_cast<unsigned char>(digit - '0');
    if (number > 9) return parse_value(text);
    value = value * 10 + number;
  }
  return static_cast<double>(value);
}

/// @return the value of a cell as interpret() has it, times the column's scale; `absent` for a NULL that is omitted and
/// for what is no number, which is counted.
[[nodiscard]] inline double number_of(const Column& column, std::optional<std::string_view> cell,
                                      std::size_t& unreadable) {
  if (!cell) return column.null == NullAs::zero ? 0 : absent;
  const auto value = parse_count(*cell);
  if (value) return *value * column.scale;
  ++unreadable;
  return absent;
}

}  // namespace midst::sources
