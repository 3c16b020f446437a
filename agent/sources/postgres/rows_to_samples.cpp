#include "agent/sources/postgres/rows_to_samples.hpp"

#include "agent/sources/postgres/rows_to_histogram.hpp"
#include "agent/sources/postgres/setting.hpp"
#include "agent/sources/postgres/typed_value.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <deque>
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
      : rows_(rows), extra_(extra), builder_(builder), is_own_(!query.own_prefix.empty()) {
    for (const auto& column : query.columns) {
      const auto index = index_of(rows, column.column);
      if (index == no_column)
        ++unusable_;
      else
        add(column, index);
    }
    if (!is_own_) return;
    for (std::size_t i = 0; i < rows.columns.size(); ++i) {
      if (index_of(rows, rows.columns[i]) != i)
        ++unusable_;
      else if (!is_listed(i))
        add_unlisted(query, i);
    }
  }

  /// @return columns of the table that the answer does not have, and of the answer whose name stands there twice.
  [[nodiscard]] std::size_t unusable() const noexcept { return unusable_; }

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
  void add(const Column& column, std::size_t index) {
    auto bound = bind(column, index, rows_);
    if (column.use == Use::label) {
      labels_.push_back(bound);
      return;
    }
    bound.family = &builder_.family(spec_of(column));
    values_.push_back(bound);
  }

  [[nodiscard]] bool is_listed(std::size_t index) const {
    const auto name = rows_.columns[index];
    const auto reads = [&](const Bound& bound) {
      return bound.column->column == name ||
             std::find(bound.parts.begin(), bound.parts.end(), index) != bound.parts.end();
    };
    return std::any_of(labels_.begin(), labels_.end(), reads) || std::any_of(values_.begin(), values_.end(), reads);
  }

  void add_unlisted(const Query& query, std::size_t index) {
    const auto& name = texts_.emplace_back(std::string(query.own_prefix).append("_").append(rows_.columns[index]));
    const auto& help = texts_.emplace_back("A column of the query " + std::string(query.name) + ".");
    add(unlisted_.emplace_back(Column{.column = rows_.columns[index], .use = Use::unknown, .name = name, .help = help}),
        index);
  }

  [[nodiscard]] std::optional<std::string_view> cell(std::size_t row, std::size_t column) const {
    return rows_.cell(rows_.rows, row, column);
  }

  [[nodiscard]] std::uint32_t type_of(std::size_t column) const noexcept {
    return is_own_ && column < rows_.types.size() ? rows_.types[column] : 0;
  }

  [[nodiscard]] std::optional<double> number_in(const Bound& bound, std::string_view text) const {
    if (bound.column->mapping.empty() && is_time(type_of(bound.index))) return parse_timestamp(text);
    return number_of(*bound.column, text);
  }

  [[nodiscard]] std::optional<double> value_of(const Bound& bound, std::size_t row, Interpretation& result) const {
    const auto text = cell(row, bound.index);
    if (!text) return bound.column->null == NullAs::zero ? std::optional(0.0) : std::nullopt;
    if (bound.column->use == Use::presence) return 1;
    if (bound.column->use == Use::duration)
      if (const auto span = parse_span(*text)) return *span * bound.column->scale;
    const auto value = number_in(bound, *text);
    if (!value) {
      ++result.unreadable;
      return std::nullopt;
    }
    double scaled = *value * (bound.column->use == Use::duration ? 1 : bound.column->scale);
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

  [[nodiscard]] std::string_view label_in(const Bound& bound, std::size_t row) const {
    const auto text = cell(row, bound.index).value_or("");
    if (type_of(bound.index) != static_cast<std::uint32_t>(ColumnType::boolean) || text.empty()) return text;
    return text == "t" ? "true" : "false";
  }

  /// Label sets are stored once per row and group: the samples of a row share them.
  LabelSet labels_of(LabelGroups groups, std::size_t row) {
    for (const auto& [known, set] : stored_)
      if (known == groups) return set;
    scratch_.assign(extra_.begin(), extra_.end());
    for (const auto& bound : labels_) {
      if ((bound.column->groups & groups) == 0) continue;
      const auto name = bound.column->name.empty() ? bound.column->column : bound.column->name;
      scratch_.push_back({name, label_in(bound, row)});
    }
    const auto set = builder_.labels(scratch_);
    stored_.emplace_back(groups, set);
    return set;
  }

  const TableView& rows_;
  std::span<const Label> extra_;
  SnapshotBuilder& builder_;
  bool is_own_;
  std::size_t unusable_ = 0;
  std::vector<Bound> labels_, values_;
  std::deque<Column> unlisted_;
  std::deque<std::string> texts_;  ///< Of unlisted_.
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
    if (!query.own_prefix.empty()) result.unreadable += reader.unusable();
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
