// How the treatments of this folder read answers: columns by name, counts as numbers. Pure.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace midst::sources {

/// @return where a column stands in an answer.
[[nodiscard]] std::optional<std::size_t> find_column(const TableView& rows, std::string_view name) noexcept;

/// @return the text of a cell; nothing for NULL and for a column that the answer does not have.
[[nodiscard]] std::optional<std::string_view> cell_of(const TableView& rows, std::size_t row,
                                                      std::optional<std::size_t> column);

/// @return what parse_value() returns, sooner for the short whole numbers that most counts are.
[[nodiscard]] std::optional<double> parse_count(std::string_view text) noexcept;

/// @return the value of a cell as interpret() has it, times the column's scale; `absent` for a NULL that is omitted and
/// for what is no number, which is counted.
[[nodiscard]] double number_of(const Column& column, std::optional<std::string_view> cell, std::size_t& unreadable);

}  // namespace midst::sources
