// Answers of any shape through every table of the catalogue: the first byte chooses the table, then come the column
// names and the cells, separated by newlines and tabs; "\N" is NULL.
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
  const auto& query = *all_queries()[data[0] % all_queries().size()];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  midst::sources::TableView view;
  view.columns = midst::text::split(midst::text::take_until(rest, '\n'), '\t');
  Rows rows{view.columns.size(), midst::text::split(rest, '\t')};
  if (rows.columns == 0) return 0;
  view.row_count = rows.cells.size() / rows.columns;
  view.rows = &rows;
  view.cell = &cell_of;
  midst::metrics::SnapshotBuilder builder;
  const auto read = midst::sources::interpret(query, view, {}, builder);
  const auto snapshot = builder.freeze();
  if (snapshot.sample_count() + snapshot.duplicate_count() != read.samples) std::abort();
  return 0;
}
