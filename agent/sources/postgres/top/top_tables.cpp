#include "agent/sources/postgres/top/top_tables.hpp"

#include "agent/sources/postgres/top/columns.hpp"
#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace midst::sources {
namespace {

using metrics::Label;

constexpr std::string_view other = "_other";

bool is_size(const Column& column) {
  return column.column == "table_size" || column.column == "index_size";
}

/// The sum of times says nothing.
bool is_addable(const Column& column) {
  return column.use == Use::gauge && !column.column.starts_with("last_");
}

/// A value column that the answer has.
struct Bound {
  const Column* column;
  std::size_t index;
  std::optional<std::size_t> counter;  ///< Its place among the ledger's counters.
};

class TopTables : public Treatment {
 public:
  TopTables(std::size_t limit, const Limits& limits) : limit_(limit), limits_(limits) {}

  Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers, Deadline now) override;
  void add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const override;

 private:
  using Ids = std::vector<std::optional<std::uint32_t>>;

  void begin_table(std::span<const Column> columns);
  void bind(const TableView& rows);
  [[nodiscard]] Ids take_counters(const TableView& rows, std::size_t count, Interpretation& result);
  [[nodiscard]] std::string_view key_of(const TableView& rows, std::size_t row);
  void show(const TableView& rows, const Ids& ids, Interpretation& result);
  void show_member(const TableView& rows, std::size_t row, std::uint32_t id, Interpretation& result);
  void read_labels(const TableView& rows, std::size_t row);

  std::size_t limit_;
  Limits limits_;
  std::span<const Column> columns_;
  std::optional<CounterLedger> ledger_;

  std::vector<const Column*> labels_;
  std::vector<std::size_t> label_at_;
  std::optional<std::size_t> oid_at_;
  std::vector<Bound> values_;
  std::string row_labels_;     ///< Of one row, each with a zero byte behind it; scratch.
  std::string texts_;          ///< The labels of the shown rows, likewise.
  std::vector<double> shown_;  ///< Of the shown rows: a value for each of values_.
  std::vector<double> rest_;   ///< One for each of values_.
  std::string datname_;        ///< Of the rest.
};

void TopTables::begin_table(std::span<const Column> columns) {
  columns_ = columns;
  LedgerOptions options;
  options.limit = limit_;
  options.hold = limits_.hold;
  options.decrease = Decrease::when_all_lower;
  options.gone = Gone::is_dropped;
  options.totals = Totals::follow_server;
  for (const auto& column : columns)
    if (column.use == Use::counter) options.activity.push_back(1);
  ledger_.emplace(std::move(options));
}

void TopTables::bind(const TableView& rows) {
  labels_.clear();
  label_at_.clear();
  values_.clear();
  oid_at_ = find_column(rows, "indexrelid");
  if (!oid_at_) oid_at_ = find_column(rows, "relid");
  std::size_t counters = 0;
  for (const auto& column : columns_) {
    std::optional<std::size_t> counter;
    if (column.use == Use::counter) counter = counters++;
    const auto index = find_column(rows, column.column);
    if (!index) continue;
    if (column.use == Use::label) {
      labels_.push_back(&column);
      label_at_.push_back(*index);
    } else if (!limits_.has_exact_sizes || !is_size(column)) {
      values_.push_back({&column, *index, counter});
    }
  }
}

void TopTables::read_labels(const TableView& rows, std::size_t row) {
  row_labels_.clear();
  for (const auto index : label_at_) row_labels_.append(cell_of(rows, row, index).value_or("")).push_back('\0');
}

/// A name moves from one table to another when both are renamed, and their counts do not.
std::string_view TopTables::key_of(const TableView& rows, std::size_t row) {
  if (const auto oid = cell_of(rows, row, oid_at_)) return *oid;
  read_labels(rows, row);
  return row_labels_;
}

Interpretation TopTables::take(std::span<const Query* const> queries, std::span<const TableView> answers,
                               Deadline now) {
  Interpretation result;
  if (queries.empty() || answers.empty()) return result;
  const auto& query = *queries.front();
  const auto& rows = answers.front();
  if (!ledger_ || columns_.data() != query.columns.data()) begin_table(query.columns);
  bind(rows);
  const auto count = std::min(rows.row_count, query.max_rows);
  result.rows_over_limit = rows.row_count - count;
  ledger_->begin(Continuity::same);
  const auto ids = take_counters(rows, count, result);
  ledger_->end(now, result.rows_over_limit == 0 ? Answer::whole : Answer::cut);
  show(rows, ids, result);
  return result;
}

TopTables::Ids TopTables::take_counters(const TableView& rows, std::size_t count, Interpretation& result) {
  Ids ids(count);
  const auto size_at = find_column(rows, "table_size");
  std::vector<double> counters(static_cast<std::size_t>(std::count_if(
      columns_.begin(), columns_.end(), [](const Column& column) { return column.use == Use::counter; })));
  for (std::size_t row = 0; row < count; ++row) {
    std::fill(counters.begin(), counters.end(), absent);
    for (const auto& bound : values_)
      if (bound.counter)
        counters[*bound.counter] = number_of(*bound.column, cell_of(rows, row, bound.index), result.unreadable);
    const double size = parse_count(cell_of(rows, row, size_at).value_or("0")).value_or(0);
    ids[row] = ledger_->take({.key = key_of(rows, row), .counters = counters, .size = std::max(0.0, size)});
  }
  return ids;
}

void TopTables::show(const TableView& rows, const Ids& ids, Interpretation& result) {
  texts_.clear();
  shown_.clear();
  rest_.assign(values_.size(), absent);
  for (std::size_t row = 0; row < ids.size(); ++row) {
    if (ids[row] && ledger_->is_member(*ids[row])) {
      show_member(rows, row, *ids[row], result);
      continue;
    }
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!is_addable(*values_[i].column)) continue;
      const double value = number_of(*values_[i].column, cell_of(rows, row, values_[i].index), result.unreadable);
      if (!std::isnan(value)) rest_[i] = (std::isnan(rest_[i]) ? 0 : rest_[i]) + value;
    }
  }
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (values_[i].counter) rest_[i] = ledger_->rest()[*values_[i].counter];
  datname_.clear();
  for (std::size_t i = 0; i < labels_.size(); ++i)
    if (labels_[i]->column == "datname" && rows.row_count > 0) datname_ = cell_of(rows, 0, label_at_[i]).value_or("");
}

void TopTables::show_member(const TableView& rows, std::size_t row, std::uint32_t id, Interpretation& result) {
  read_labels(rows, row);
  texts_ += row_labels_;
  const auto totals = ledger_->counters_of(id);
  for (const auto& bound : values_) {
    const auto cell = cell_of(rows, row, bound.index);
    std::size_t counted_already = 0;
    double value = number_of(*bound.column, cell, bound.counter ? counted_already : result.unreadable);
    if (bound.counter && !std::isnan(value)) value = totals[*bound.counter];
    shown_.push_back(value);
    if (!std::isnan(value)) ++result.samples;
  }
}

void TopTables::add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const {
  std::vector<metrics::FamilyBuilder*> families;
  families.reserve(values_.size());
  for (const auto& bound : values_) families.push_back(&builder.family(spec_of(*bound.column)));
  std::vector<Label> labels;
  const auto put = [&](std::span<const double> values) {
    const auto set = builder.labels(labels);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isnan(values[i])) families[i]->add(set, values[i]);
  };
  const auto name_of = [&](std::size_t i) { return labels_[i]->name.empty() ? labels_[i]->column : labels_[i]->name; };
  std::string_view texts(texts_);
  for (std::size_t at = 0; at + values_.size() <= shown_.size() && !values_.empty(); at += values_.size()) {
    labels.assign(extra.begin(), extra.end());
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      const auto end = texts.find('\0');
      labels.push_back({name_of(i), texts.substr(0, end)});
      texts.remove_prefix(end + 1);
    }
    put(std::span(shown_).subspan(at, values_.size()));
  }
  if (!ledger_ || !ledger_->has_rest()) return;
  labels.assign(extra.begin(), extra.end());
  for (std::size_t i = 0; i < labels_.size(); ++i)
    labels.push_back({name_of(i), labels_[i]->column == "datname" ? std::string_view(datname_) : other});
  put(rest_);
}

}  // namespace

std::unique_ptr<Treatment> make_top_tables(const Limits& limits) {
  return std::make_unique<TopTables>(limits.tables, limits);
}

std::unique_ptr<Treatment> make_top_indexes(const Limits& limits) {
  return std::make_unique<TopTables>(limits.indexes, limits);
}

}  // namespace midst::sources
