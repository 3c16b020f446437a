#include "agent/sources/postgres/custom/collector.hpp"

#include "agent/sources/postgres/custom/statement.hpp"

#include <algorithm>
#include <set>

namespace midst::sources {
namespace {

/// In front of the SQL, for its transaction only: the search_path of the role, which the session has replaced; forms of
/// times that can be read; and no writing, whatever a pooler has made of the session's own settings.
constexpr std::string_view own_settings =
    "SELECT pg_catalog.set_config('transaction_read_only', 'on', true),"
    " pg_catalog.set_config('search_path', NULL, true), pg_catalog.set_config('datestyle', 'ISO', true),"
    " pg_catalog.set_config('intervalstyle', 'postgres', true)";

}  // namespace

CustomCollector::CustomCollector(CustomDefinition definition)
    : definition_(std::move(definition)), sql_(limited(definition_.sql, definition_.max_rows + max_rows_counted)) {
  for (const auto& column : definition_.columns) {
    auto& mapping = mappings_.emplace_back();
    for (const auto& [text, value] : column.mapping) mapping.push_back({text, value});
  }
  const auto bounds = boundaries();
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i)
    if (contains(definition_.versions, bounds[i])) add_queries({bounds[i], bounds[i + 1]});
  collector_ = {.name = definition_.name,
                .ttl = definition_.ttl,
                .queries = queries_,
                .has_server_label = definition_.has_server_label,
                .scope = definition_.scope,
                .timeout = definition_.timeout};
}

/// Versions at which what is asked, or what it becomes, changes.
std::vector<int> CustomCollector::boundaries() const {
  std::set<int> bounds;
  const auto add = [&](const VersionRanges& ranges) {
    for (const auto& range : ranges) bounds.insert({range.from, range.before});
  };
  add(definition_.versions);
  for (const auto& column : definition_.columns) add(column.versions);
  return {bounds.begin(), bounds.end()};
}

void CustomCollector::add_queries(const VersionRange& range) {
  auto& columns = columns_.emplace_back();
  for (std::size_t i = 0; i < definition_.columns.size(); ++i) {
    const auto& column = definition_.columns[i];
    // A label of no group stands on no sample: the column is known and not shown.
    if (column.is_discarded || !contains(column.versions, range.from))
      columns.push_back({.column = column.column, .use = Use::label, .groups = 0});
    else
      columns.push_back({.column = column.column,
                         .use = column.use,
                         .name = column.metric,
                         .help = column.help,
                         .scale = column.scale,
                         .mapping = mappings_[i]});
  }
  queries_.push_back({.name = "own_settings",
                      .from_version = range.from,
                      .before_version = range.before,
                      .sql = own_settings,
                      .columns = {},
                      .role = definition_.role});
  queries_.push_back({.name = definition_.name,
                      .from_version = range.from,
                      .before_version = range.before,
                      .sql = sql_,
                      .columns = columns,
                      .max_rows = definition_.max_rows,
                      .role = definition_.role,
                      .own_prefix = definition_.prefix});
}

}  // namespace midst::sources
