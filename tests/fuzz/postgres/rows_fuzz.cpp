// Answers of any shape through every table of the catalogue: the first byte chooses the table, then come the column
// names and the cells, separated by newlines and tabs; "\N" is NULL. 255 is a query of an operator, with every use.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/base/text.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using midst::sources::Query;

const std::vector<const Query*>& all_queries() {
  static const auto queries = [] {
    std::vector<const Query*> all{&midst::sources::instance_query()};
    for (const auto& collector : midst::sources::postgres_catalog())
      for (const auto& query : collector.queries) all.push_back(&query);
    for (const auto& command : midst::sources::pgbouncer_catalog())
      for (const auto& query : command.queries) all.push_back(&query);
    return all;
  }();
  return queries;
}

constexpr unsigned char own_table = 255;

const Query& own_query() {
  using midst::sources::Column;
  using midst::sources::Use;
  static constexpr midst::sources::Mapped words[] = {{"up", 1}, {"down", 0}};
  static const Column columns[] = {{"l", Use::label},
                                   {"g", Use::gauge, "g", "G."},
                                   {"c", Use::counter, "c", "C.", 0.5},
                                   {"h", Use::histogram, "h", "H.", 2},
                                   {"d", Use::duration, "d", "D.", 1000},
                                   {.column = "m", .use = Use::gauge, .name = "m", .help = "M.", .mapping = words},
                                   {.column = "n", .use = Use::label, .groups = 0}};
  static const Query query{.name = "own", .sql = "", .columns = columns, .max_rows = 20, .own_prefix = "own"};
  return query;
}

/// Boolean, date, timestamp, timestamptz, text, in turns.
std::vector<std::uint32_t> some_types(std::size_t columns) {
  constexpr std::uint32_t types[] = {16, 1082, 1114, 1184, 25};
  std::vector<std::uint32_t> chosen;
  for (std::size_t i = 0; i < columns; ++i) chosen.push_back(types[i % std::size(types)]);
  return chosen;
}

struct Rows {
  std::size_t columns;
  std::vector<std::string_view> cells;
};

std::optional<std::string_view> cell_of(const void* rows, std::size_t row, std::size_t column) {
  const auto& from = *static_cast<const Rows*>(rows);
  const auto cell = from.cells.at(row * from.columns + column);
  return cell == "\\N" ? std::nullopt : std::optional(cell);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& query = data[0] == own_table ? own_query() : *all_queries()[data[0] % all_queries().size()];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  midst::sources::TableView view;
  view.columns = midst::text::split(midst::text::take_until(rest, '\n'), '\t');
  Rows rows{view.columns.size(), midst::text::split(rest, '\t')};
  if (rows.columns == 0) return 0;
  if (data[0] == own_table) view.types = some_types(rows.columns);
  view.row_count = rows.cells.size() / rows.columns;
  view.rows = &rows;
  view.cell = &cell_of;
  midst::metrics::SnapshotBuilder builder;
  const auto read = midst::sources::interpret(query, view, {}, builder);
  const auto snapshot = builder.freeze();
  if (snapshot.sample_count() + snapshot.duplicate_count() != read.samples) std::abort();
  return 0;
}
