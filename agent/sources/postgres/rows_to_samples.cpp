#include "agent/sources/postgres/rows_to_samples.hpp"

#include "agent/sources/postgres/rows_to_histogram.hpp"
#include "agent/sources/postgres/setting.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace midst::sources {
namespace {

using metrics::FamilyBuilder;
using metrics::Label;
using metrics::LabelSet;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr std::size_t no_column = static_cast<std::size_t>(-1);

/// What follows a histogram's column in the names of the columns that belong to it.
constexpr std::array<std::string_view, 3> histogram_parts{"_bucket", "_sum", "_count"};

std::size_t index_of(const TableView& rows, std::string_view name) {
  const auto found = std::find(rows.columns.begin(), rows.columns.end(), name);
  return found == rows.columns.end() || name.empty() ? no_column
                                                     : static_cast<std::size_t>(found - rows.columns.begin());
}

/// @return the number that a column's text is or, by its mapping, stands for.
std::optional<double> number_of(const Column& column, std::string_view text) {
  if (column.mapping.empty()) return parse_value(text);
  for (const auto& mapped : column.mapping)
    if (mapped.text == text) return mapped.value;
  return std::nullopt;
}

/// A Column that the answer has, with its place there.
struct Bound {
  const Column* column;
  std::size_t index;
  std::size_t remainder;             ///< no_column where there is none.
  std::array<std::size_t, 3> parts;  ///< Of a histogram.
  FamilyBuilder* family = nullptr;   ///< Null for labels.
};

Bound bind(const Column& column, std::size_t index, const TableView& rows) {
  Bound bound{&column, index, index_of(rows, column.remainder), {no_column, no_column, no_column}};
  if (column.use == Use::histogram)
    for (std::size_t i = 0; i < histogram_parts.size(); ++i)
      bound.parts[i] = index_of(rows, std::string(column.column).append(histogram_parts[i]));
  return bound;
}

class ColumnReader {
 public:
  ColumnReader(const Query& query, const TableView& rows, std::span<const Label> extra, SnapshotBuilder& builder)
      : rows_(rows), extra_(extra), builder_(builder) {
    for (const auto& column : query.columns) {
      const auto index = index_of(rows, column.column);
      if (index == no_column) continue;
      auto bound = bind(column, index, rows);
      if (column.use == Use::label) {
        labels_.push_back(bound);
      } else {
        bound.family = &builder.family(spec_of(column));
        values_.push_back(bound);
      }
    }
  }

  void read(std::size_t row, Interpretation& result) {
    stored_.clear();
    for (const auto& bound : values_) {
      if (bound.column->use == Use::histogram) {
        read_histogram(bound, row, result);
        continue;
      }
      const auto value = value_of(bound, row, result);
      if (!value) continue;
      bound.family->add(labels_of(bound.column->groups, row), *value);
      ++result.samples;
    }
  }

 private:
  [[nodiscard]] std::optional<std::string_view> cell(std::size_t row, std::size_t column) const {
    return rows_.cell(rows_.rows, row, column);
  }

  [[nodiscard]] std::optional<double> value_of(const Bound& bound, std::size_t row, Interpretation& result) const {
    const auto text = cell(row, bound.index);
    if (!text) return bound.column->null == NullAs::zero ? std::optional(0.0) : std::nullopt;
    if (bound.column->use == Use::presence) return 1;
    const auto value = number_of(*bound.column, *text);
    if (!value) {
      ++result.unreadable;
      return std::nullopt;
    }
    double scaled = *value * bound.column->scale;
    if (bound.remainder != no_column)
      scaled += parse_value(cell(row, bound.remainder).value_or("0")).value_or(0) * bound.column->remainder_scale;
    return scaled;
  }

  /// As with any value, NULL in one of the four columns is no sample; a column that is missing is a mistake.
  void read_histogram(const Bound& bound, std::size_t row, Interpretation& result) {
    std::array<std::string_view, 4> cells;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto column = i == 0 ? bound.index : bound.parts[i - 1];
      if (column == no_column) {
        ++result.unreadable;
        return;
      }
      const auto text = cell(row, column);
      if (!text) return;
      cells[i] = *text;
    }
    const auto histogram = parse_histogram({cells[0], cells[1], cells[2], cells[3]}, bound.column->scale);
    if (!histogram) {
      ++result.unreadable;
      return;
    }
    bound.family->add(labels_of(bound.column->groups, row), histogram->view());
    ++result.samples;
  }

  /// Label sets are stored once per row and group: the samples of a row share them.
  LabelSet labels_of(LabelGroups groups, std::size_t row) {
    for (const auto& [known, set] : stored_)
      if (known == groups) return set;
    scratch_.assign(extra_.begin(), extra_.end());
    for (const auto& bound : labels_) {
      if ((bound.column->groups & groups) == 0) continue;
      const auto name = bound.column->name.empty() ? bound.column->column : bound.column->name;
      scratch_.push_back({name, cell(row, bound.index).value_or("")});
    }
    const auto set = builder_.labels(scratch_);
    stored_.emplace_back(groups, set);
    return set;
  }

  const TableView& rows_;
  std::span<const Label> extra_;
  SnapshotBuilder& builder_;
  std::vector<Bound> labels_, values_;
  std::vector<Label> scratch_;
  std::vector<std::pair<LabelGroups, LabelSet>> stored_;
};

void read_pair(const Query& query, std::string_view key, std::string_view text, LabelSet labels,
               SnapshotBuilder& builder, Interpretation& result) {
  for (const auto& column : query.columns) {
    if (column.column != key) continue;
    if (const auto value = number_of(column, text)) {
      builder.family(spec_of(column)).add(labels, *value * column.scale);
      ++result.samples;
    } else {
      ++result.unreadable;
    }
  }
}

void read_setting(const TableView& rows, const std::array<std::size_t, 4>& at, std::size_t row, LabelSet labels,
                  SnapshotBuilder& builder, Interpretation& result) {
  const auto cell = [&](std::size_t column) { return rows.cell(rows.rows, row, column).value_or(""); };
  const auto setting = describe_setting(cell(at[0]), cell(at[1]), cell(at[2]), cell(at[3]));
  if (!setting) {
    ++result.unreadable;
    return;
  }
  builder.family({setting->metric, MetricType::gauge, setting->unit, setting->help}).add(labels, setting->value);
  ++result.samples;
}

}  // namespace

std::string_view unit_of(std::string_view metric) noexcept {
  constexpr std::string_view total = "_total";
  if (metric.ends_with(total)) metric.remove_suffix(total.size());
  if (metric.ends_with("_seconds")) return "seconds";
  if (metric.ends_with("_bytes")) return "bytes";
  return {};
}

metrics::MetricSpec spec_of(const Column& column) noexcept {
  const auto type = column.use == Use::counter     ? MetricType::counter
                    : column.use == Use::unknown   ? MetricType::unknown
                    : column.use == Use::histogram ? MetricType::histogram
                                                   : MetricType::gauge;
  return {column.name, type, unit_of(column.name), column.help};
}

std::optional<double> parse_value(std::string_view text) noexcept {
  if (text == "t") return 1;
  if (text == "f") return 0;
  const auto number = text::parse_number(text);
  return number ? std::optional(*number) : std::nullopt;
}

Interpretation interpret(const Query& query, const TableView& rows, std::span<const Label> extra,
                         SnapshotBuilder& builder) {
  Interpretation result;
  const auto count = std::min(rows.row_count, query.max_rows);
  result.rows_over_limit = rows.row_count - count;
  if (query.shape == Shape::columns) {
    ColumnReader reader(query, rows, extra, builder);
    for (std::size_t row = 0; row < count; ++row) reader.read(row, result);
    return result;
  }
  const auto labels = builder.labels(extra);
  if (query.shape == Shape::key_value) {
    if (rows.columns.size() < 2) return result;
    for (std::size_t row = 0; row < count; ++row)
      read_pair(query, rows.cell(rows.rows, row, 0).value_or(""), rows.cell(rows.rows, row, 1).value_or(""), labels,
                builder, result);
    return result;
  }
  const std::array<std::size_t, 4> at{index_of(rows, "name"), index_of(rows, "setting"), index_of(rows, "unit"),
                                      index_of(rows, "vartype")};
  if (std::find(at.begin(), at.end(), no_column) != at.end()) return result;
  for (std::size_t row = 0; row < count; ++row) read_setting(rows, at, row, labels, builder, result);
  return result;
}

}  // namespace midst::sources
