// The shape of every catalogue file: which SQL runs on which server versions, and what its columns become.
// Read by the interpreter (rows_to_samples) and by the database analysis tool; knows neither libpq nor the page.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>

namespace midst::sources {

class Treatment;
struct Limits;

/// What a column of the answer is for.
enum class Use : std::uint8_t {
  label,     ///< A label of the samples of its row; NULL becomes "".
  counter,   ///< A sample of type counter.
  gauge,     ///< A sample of type gauge.
  unknown,   ///< A sample of type unknown ("untyped").
  presence,  ///< A gauge of 1 where the column is not NULL; the text itself is a label of the row.
  /// A histogram: the column is an array of upper bounds, and the answer also has COLUMN_bucket (an array of cumulative
  /// counts, one for each bound), COLUMN_sum and COLUMN_count.
  histogram,
  /// A gauge of seconds times scale, of an interval or of a text such as "1h30m"; a bare number is in the metric's unit
  /// already.
  duration,
};

/// What a NULL in a value column becomes.
enum class NullAs : std::uint8_t {
  omitted,  ///< No sample: the server does not know.
  zero,     ///< 0, where dashboards and alerts rely on the series being there.
};

/// Sets of labels inside one row. A value carries the labels that share a bit with it.
using LabelGroups = std::uint8_t;
inline constexpr LabelGroups all_groups = 0xFF;

/// A text and the number that stands for it.
struct Mapped {
  std::string_view text;
  double value;
};

/// One column → one label or one metric. A column that the answer does not have is passed over, so that a table may
/// name the columns of several server releases; one column may stand in several rows.
struct Column {
  std::string_view column;  ///< Name in the answer; Shape::key_value: the key.
  Use use = Use::gauge;
  std::string_view name = {};  ///< The metric, or the label where it differs from the column.
  std::string_view help = {};  ///< One sentence; required for a metric.
  double scale = 1;            ///< Factor from the server's unit to the metric's.
  NullAs null = NullAs::omitted;
  LabelGroups groups = all_groups;
  std::string_view remainder = {};  ///< A column added to this one (PgBouncer splits seconds and microseconds) …
  double remainder_scale = 0;       ///< … times this.
  std::span<const Mapped> mapping =
      {};  ///< Not empty: the value is the number of its text; other texts are unreadable.
};

/// How the rows of an answer are read.
enum class Shape : std::uint8_t {
  columns,    ///< Each row has a value per Column.
  key_value,  ///< Each row is a pair (key, value): the first two columns, whatever their names.
  settings,   ///< pg_settings: name, setting, unit, vartype; each row names its own metric.
};

/// Which of the two sets of names is asked for.
enum class Edition : std::uint8_t {
  any,      ///< Part of both.
  current,  ///< As postgres_exporter 0.20 has it.
  v0_11,    ///< As postgres_exporter 0.11 (Debian 12) has it.
};

/// Which servers a statement is for, by pg_is_in_recovery().
enum class Role : std::uint8_t { any, primary, standby };

/// A column that not every server of the statement's versions has: forks, and majors that are newer than the table.
struct OptionalColumn {
  std::string_view relation;         ///< Of pg_catalog, or of the collector's extension: "pg_stat_database".
  std::string_view column;           ///< Looked up in pg_attribute once for each connection.
  std::string_view expression = {};  ///< What is selected then, "EXTRACT(EPOCH FROM s.x) AS x"; empty: the column.
};

/// One statement. Variants of one statement for several server versions share its name. In `sql`, `{optional}` stands
/// for those of `optional` that the server has, each with a comma before it, and `{schema}` for the quoted schema of
/// the collector's extension; plan() puts them in.
struct Query {
  std::string_view name;       ///< Of the prepared statement; unique per statement.
  int from_version = 100'000;  ///< server_version_num, inclusive: 100000 is 10.0, 170002 is 17.2.
  int before_version = std::numeric_limits<int>::max();  ///< Exclusive.
  std::string_view sql;
  std::span<const Column> columns;
  Shape shape = Shape::columns;
  Edition edition = Edition::any;
  std::size_t max_rows = 10'000;  ///< Rows read; the rest is dropped and counted.
  Role role = Role::any;
  std::span<const OptionalColumn> optional = {};
  /// Not empty for the SQL of an operator, "pg_orders": a column of the answer that is not in `columns` is the metric
  /// PREFIX_COLUMN of type unknown; one of `columns` that the answer lacks, and one that it has twice, is counted as
  /// unreadable; points in time are Unix seconds, and a boolean in a label is "true" or "false".
  std::string_view own_prefix = {};

  /// @return whether this variant is the one for a server.
  [[nodiscard]] constexpr bool fits(int server_version, Edition wanted) const noexcept {
    return server_version >= from_version && server_version < before_version &&
           (edition == Edition::any || edition == wanted);
  }
};

/// Whether a collector runs when the configuration does not say.
enum class Default : std::uint8_t { on, off };

/// Whether a collector speaks of the whole server, and is asked once, or of the database that is connected to.
enum class Scope : std::uint8_t { server, database };

/// Statements that succeed or fail together and are reported under one name.
struct Collector {
  std::string_view name;  ///< As in pg_scrape_collector_success{collector}.
  Default runs = Default::on;
  std::chrono::milliseconds ttl{0};  ///< How long an answer is served again; zero: asked at every scrape.
  std::span<const Query> queries;
  bool has_server_label = false;  ///< Whether its samples carry server="host:port".
  Scope scope = Scope::server;
  std::chrono::milliseconds timeout{0};  ///< Of each statement, on the server; zero: the target's statement_timeout.
  std::string_view extension = {};       ///< What has to be installed in the database; see Query about `{schema}`.
  /// Whether it reads the cumulative statistics: up to PostgreSQL 14 each transaction that does reads them from a file,
  /// so that such collectors share one there.
  bool reads_stats = false;
  /// Makes what turns answers into samples where a picture of the rows is not enough; null: interpret().
  std::unique_ptr<Treatment> (*make_treatment)(const Limits& limits) = nullptr;
  /// Whether it needs a connection of its own that is closed afterwards, because what it calls makes the server's
  /// process grow.
  bool is_alone = false;
};

}  // namespace midst::sources
