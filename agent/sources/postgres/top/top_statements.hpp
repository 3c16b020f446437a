// Statements of pg_stat_statements: at most N with series of their own, the rest summed under "_other", and rates that
// are true whatever is evicted, reset or displaced. The Treatment of stat_statements.
#pragma once

#include "agent/sources/postgres/treatment.hpp"

#include <memory>

namespace midst::sources {

/// For the statements stat_statements_info and stat_statements, in this order. At most Limits::statements series, those
/// of the longest execution time. Rows whose statement the role may not see are part of the rest, which is there, from
/// zero on, whenever there is a limit. A reset counts from the reset on; a failover to another server, or a role that
/// sees more than before, counts nothing until the next look.
[[nodiscard]] std::unique_ptr<Treatment> make_top_statements(const Limits& limits);

}  // namespace midst::sources
