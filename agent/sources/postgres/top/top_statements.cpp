#include "agent/sources/postgres/top/top_statements.hpp"

#include "agent/sources/postgres/top/columns.hpp"
#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace midst::sources {
namespace {

using metrics::Label;

constexpr std::string_view other = "_other";
constexpr std::array<std::string_view, 3> label_names{"user", "datname", "queryid"};

constexpr metrics::MetricSpec entries{"pg_stat_statements_entries", metrics::MetricType::gauge, "",
                                      "Statements that the server keeps of databases that exist."};

/// Whose counts these are and since when. Times are the server's own, so that its clock need not be right.
struct Identity {
  std::optional<double> server_time, started, stats_reset, sees_all;
};

Identity read_identity(const TableView& info) {
  const auto number = [&](std::string_view name) -> std::optional<double> {
    const auto cell = info.row_count > 0 ? cell_of(info, 0, find_column(info, name)) : std::nullopt;
    return cell ? parse_value(*cell) : std::nullopt;
  };
  return {number("server_time"), number("started"), number("stats_reset"), number("sees_all")};
}

/// What began after the last look began on this server; what is new and older was always there, somewhere else.
Continuity continuity_of(const Identity& before, const Identity& now) {
  if (now.sees_all != before.sees_all) return Continuity::foreign;
  const auto is_later = [&](double time) { return before.server_time && time > *before.server_time; };
  if (now.stats_reset && before.stats_reset && *now.stats_reset != *before.stats_reset)
    return is_later(*now.stats_reset) ? Continuity::reset : Continuity::foreign;
  if (now.started && before.started && *now.started != *before.started && !is_later(*now.started))
    return Continuity::foreign;
  return Continuity::same;
}

class TopStatements : public Treatment {
 public:
  explicit TopStatements(const Limits& limits) : limits_(limits) {}

  Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers, Deadline now) override;
  void add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const override;
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override { return {entries}; }

 private:
  using Names = std::array<std::string, label_names.size()>;

  /// A counter of the table, and where the answer has it.
  struct Counter {
    const Column* column;
    std::optional<std::size_t> at;
  };
  /// The columns that are no counters.
  struct Places {
    explicit Places(const TableView& rows);
    std::optional<std::size_t> userid, dbid, toplevel, stats_since;
    std::array<std::optional<std::size_t>, label_names.size()> labels;
  };

  void bind(std::span<const Column> columns, const TableView& rows);
  void take_info(const Query& query, const TableView& rows, Interpretation& result);
  void take_rows(const TableView& rows, std::size_t count, Interpretation& result);
  void make_key(const TableView& rows, const Places& at, std::size_t row, std::string_view queryid);
  void name_members(const TableView& rows);

  Limits limits_;
  std::optional<CounterLedger> ledger_;
  std::optional<Identity> identity_;
  std::vector<Counter> counters_;
  std::vector<std::pair<const Column*, double>> info_;
  std::vector<std::optional<std::uint32_t>> ids_;  ///< Of the rows of the answer; scratch.
  std::map<std::uint32_t, Names> names_;           ///< Of the members.
  std::string key_;
  std::size_t entries_ = 0;
};

TopStatements::Places::Places(const TableView& rows)
    : userid(find_column(rows, "userid")),
      dbid(find_column(rows, "dbid")),
      toplevel(find_column(rows, "toplevel")),
      stats_since(find_column(rows, "stats_since")) {
  for (std::size_t i = 0; i < label_names.size(); ++i) labels[i] = find_column(rows, label_names[i]);
}

Interpretation TopStatements::take(std::span<const Query* const> queries, std::span<const TableView> answers,
                                   Deadline now) {
  Interpretation result;
  if (queries.size() != 2 || answers.size() != 2) return result;
  const auto& rows = answers.back();
  bind(queries.back()->columns, rows);
  take_info(*queries.front(), answers.front(), result);
  const auto identity = read_identity(answers.front());
  const auto count = std::min(rows.row_count, queries.back()->max_rows);
  result.rows_over_limit = rows.row_count - count;
  entries_ = rows.row_count;
  ledger_->begin(identity_ ? continuity_of(*identity_, identity) : Continuity::same);
  identity_ = identity;
  take_rows(rows, count, result);
  ledger_->end(now, result.rows_over_limit == 0 ? Answer::whole : Answer::cut);
  name_members(rows);
  return result;
}

void TopStatements::bind(std::span<const Column> columns, const TableView& rows) {
  counters_.clear();
  LedgerOptions options;
  for (const auto& column : columns) {
    if (column.use != Use::counter) continue;
    counters_.push_back({&column, find_column(rows, column.column)});
    options.activity.push_back(column.column == "exec_time" ? 1 : 0);
  }
  if (ledger_) return;
  options.limit = limits_.statements;
  options.hold = limits_.hold;
  options.lanes = 2;  // Run by a client, and from within another statement.
  ledger_.emplace(std::move(options));
}

void TopStatements::take_info(const Query& query, const TableView& rows, Interpretation& result) {
  info_.clear();
  if (rows.row_count == 0) return;
  for (const auto& column : query.columns) {
    const auto cell = cell_of(rows, 0, find_column(rows, column.column));
    if (cell) info_.emplace_back(&column, number_of(column, cell, result.unreadable));
  }
}

void TopStatements::make_key(const TableView& rows, const Places& at, std::size_t row, std::string_view queryid) {
  key_.assign(cell_of(rows, row, at.userid).value_or("")).push_back('\0');
  key_.append(cell_of(rows, row, at.dbid).value_or("")).push_back('\0');
  key_.append(queryid);
}

void TopStatements::take_rows(const TableView& rows, std::size_t count, Interpretation& result) {
  const Places at(rows);
  ids_.assign(count, std::nullopt);
  std::vector<double> values(counters_.size()), nameless(counters_.size());
  for (std::size_t row = 0; row < count; ++row) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = counters_[i].at
                      ? number_of(*counters_[i].column, cell_of(rows, row, counters_[i].at), result.unreadable)
                      : absent;
    const auto queryid = cell_of(rows, row, at.labels.back());
    if (!queryid) {
      for (std::size_t i = 0; i < values.size(); ++i) nameless[i] += std::isnan(values[i]) ? 0 : values[i];
      continue;
    }
    make_key(rows, at, row, *queryid);
    CountedRow counted{.key = key_, .counters = values};
    counted.lane = cell_of(rows, row, at.toplevel) == "f" ? 1 : 0;
    counted.origin = parse_value(cell_of(rows, row, at.stats_since).value_or("0")).value_or(0);
    ids_[row] = ledger_->take(counted);
  }
  ledger_->take_nameless(nameless);
}

/// Users and databases are renamed; a member that is not in the answer keeps its name.
void TopStatements::name_members(const TableView& rows) {
  const Places at(rows);
  std::map<std::uint32_t, Names> names;
  for (const auto id : ledger_->members())
    if (const auto known = names_.find(id); known != names_.end()) names.insert(names_.extract(known));
  for (std::size_t row = 0; row < ids_.size(); ++row) {
    if (!ids_[row] || !ledger_->is_member(*ids_[row])) continue;
    auto& own = names[*ids_[row]];
    for (std::size_t i = 0; i < own.size(); ++i) own[i] = cell_of(rows, row, at.labels[i]).value_or("");
  }
  names_ = std::move(names);
  ids_.clear();
}

void TopStatements::add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const {
  if (!ledger_) return;
  const auto own = builder.labels(extra);
  for (const auto& [column, value] : info_)
    if (!std::isnan(value)) builder.family(spec_of(*column)).add(own, value);
  builder.family(entries).add(own, static_cast<double>(entries_));
  std::vector<Label> labels;
  const auto put = [&](const std::array<std::string_view, label_names.size()>& names, std::span<const double> values) {
    labels.assign(extra.begin(), extra.end());
    for (std::size_t i = 0; i < names.size(); ++i) labels.push_back({label_names[i], names[i]});
    const auto set = builder.labels(labels);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (counters_[i].at) builder.family(spec_of(*counters_[i].column)).add(set, values[i]);
  };
  for (const auto& [id, names] : names_) put({names[0], names[1], names[2]}, ledger_->counters_of(id));
  if (limits_.statements != 0 || ledger_->has_rest()) put({other, other, other}, ledger_->rest());
}

}  // namespace

std::unique_ptr<Treatment> make_top_statements(const Limits& limits) {
  return std::make_unique<TopStatements>(limits);
}

}  // namespace midst::sources
