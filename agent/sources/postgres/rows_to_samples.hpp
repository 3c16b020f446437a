// The one interpreter: the rows of an answer and the table that describes them → samples. Pure: no libpq, no clock.
#pragma once

#include "agent/sources/postgres/query.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Rows as the interpreter reads them: a connection's answer or a recorded one. Borrows; must not outlive its rows.
struct TableView {
  using Cell = std::optional<std::string_view> (*)(const void* rows, std::size_t row, std::size_t column);

  std::vector<std::string_view> columns;
  std::size_t row_count = 0;
  const void* rows = nullptr;             ///< Handed to `cell`.
  Cell cell = nullptr;                    ///< The text of a cell; nothing for NULL.
  std::vector<std::uint32_t> types = {};  ///< OIDs of the columns' types; empty where they are not known.
};

/// What became of the rows.
struct Interpretation {
  std::size_t samples = 0;
  std::size_t unreadable = 0;  ///< Values that are no number by their column's use, and columns that are missing.
  std::size_t rows_over_limit = 0;
};

/// @return the unit a metric's name ends in ("seconds", "bytes", before "_total") or nothing.
[[nodiscard]] std::string_view unit_of(std::string_view metric) noexcept;

/// @return the spec of a value column.
[[nodiscard]] metrics::MetricSpec spec_of(const Column& column) noexcept;

/// @return a number as Postgres prints it: decimal, exponent, Infinity, NaN, and t, f for a boolean.
[[nodiscard]] std::optional<double> parse_value(std::string_view text) noexcept;

/// Adds the samples of `rows` to `builder`, families in the order of the table.
/// @param extra  labels that every one of these samples carries besides its own.
Interpretation interpret(const Query& query, const TableView& rows, std::span<const metrics::Label> extra,
                         metrics::SnapshotBuilder& builder);

}  // namespace midst::sources
