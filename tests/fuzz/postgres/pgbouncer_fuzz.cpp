// Answers of any shape through what counts, folds and compares PgBouncer's: the first byte chooses the command, then
// come the column names and the cells, separated by newlines and tabs; "\N" is NULL. The answer comes twice, so that
// what is kept between answers is used, too.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/pgbouncer/saturation.hpp"
#include "agent/sources/postgres/pgbouncer/treatments.hpp"
#include "lib/base/text.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace midst::sources;

struct Rows {
  std::size_t columns;
  std::vector<std::string_view> cells;
};

std::optional<std::string_view> cell_of(const void* rows, std::size_t row, std::size_t column) {
  const auto& from = *static_cast<const Rows*>(rows);
  const auto cell = from.cells.at(row * from.columns + column);
  return cell == "\\N" ? std::nullopt : std::optional(cell);
}

constexpr std::size_t most = 3;

/// Few series, whatever came in: those of the limit and one for the rest, of every state at the most.
void check(const midst::metrics::Snapshot& page, std::size_t rows) {
  for (const auto& family : page.families())
    if (family.values.size() > most + 1 + rows) std::abort();
}

void compare(const Collector& command, const TableView& view) {
  Saturation saturation(most, true);
  for (const auto* const collector : {"pools", "databases", "users", "config"}) saturation.take(collector, view);
  saturation.take(command.name, view);
  const std::vector<std::string> databases{"*"};
  midst::metrics::SnapshotBuilder builder;
  saturation.add_pools(builder);
  saturation.add_server({"db", true, databases}, {100, 3, 0, {}}, builder);
  check(builder.freeze(), 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& command = pgbouncer_catalog()[data[0] % pgbouncer_catalog().size()];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  TableView view;
  view.columns = midst::text::split(midst::text::take_until(rest, '\n'), '\t');
  Rows rows{view.columns.size(), midst::text::split(rest, '\t')};
  if (rows.columns == 0) return 0;
  view.row_count = rows.cells.size() / rows.columns;
  view.rows = &rows;
  view.cell = &cell_of;
  compare(command, view);
  if (command.make_treatment == nullptr) return 0;
  Limits limits;
  limits.pools = limits.pool_users = limits.pool_clients = most;
  limits.has_idle_pools = data[0] < 128;
  const auto treatment = command.make_treatment(limits);
  const auto* const query = &command.queries.front();
  for (const auto at : {0, 700}) {
    const auto read =
        treatment->take(std::span(&query, 1), std::span(&view, 1), midst::Deadline(std::chrono::seconds(at)));
    if (read.rows_over_limit != 0) std::abort();
    midst::metrics::SnapshotBuilder builder;
    treatment->add({}, builder);
    // Folded clients are told apart by their state alone.
    check(builder.freeze(), view.row_count);
  }
  return 0;
}
