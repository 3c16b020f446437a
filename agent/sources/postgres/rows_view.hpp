// A connection's answer as the interpreter reads it.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/pq/rows.hpp"

namespace midst::sources {

/// @return a view that borrows `rows`.
[[nodiscard]] TableView view_of(const pq::Rows& rows);

}  // namespace midst::sources
