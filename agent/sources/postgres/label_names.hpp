// Which labels the families of catalogue tables have, for `midst-agent metrics`: the columns of the tables tell.
#pragma once

#include "agent/sources/postgres/query.hpp"
#include "lib/metrics/spec.hpp"

#include <span>
#include <vector>

namespace midst::sources {

/// Fills in MetricSpec::labels of the families that columns of these collectors make; a label that only some of a
/// family's statements have ends in "?". The texts stay as long as the process: the tables are part of it.
void add_label_names(std::span<const Collector* const> collectors, Edition edition,
                     std::vector<metrics::MetricSpec>& specs);

}  // namespace midst::sources
