// Tables and indexes of a database that has thousands of them: at most N with series of their own, those that are busy
// or large, and the rest summed under "_other". The Treatment of stat_user_tables and its like.
#pragma once

#include "agent/sources/postgres/treatment.hpp"

#include <memory>

namespace midst::sources {

/// For collectors of one statement of Shape::columns whose values are counters, gauges and unknowns. While all rows fit
/// the page is what interpret() makes of them. Otherwise the rest carries "_other" in every label but datname: counters
/// never fall; gauges are added up, but for times (last_…); unknowns are left out. A row that is gone ends its series.
/// A column indexrelid or relid says which row it is, whatever its name is by now.
/// Columns index_size and table_size are left out where Limits::has_exact_sizes; table_size weighs beside activity.
/// @return for at most Limits::tables rows.
[[nodiscard]] std::unique_ptr<Treatment> make_top_tables(const Limits& limits);
/// @return the same for at most Limits::indexes rows.
[[nodiscard]] std::unique_ptr<Treatment> make_top_indexes(const Limits& limits);

}  // namespace midst::sources
