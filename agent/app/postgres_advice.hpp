// What an operator is told about a Postgres target after one collection of it. Pure.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <string>
#include <vector>

namespace midst::app {

/// @param page  of that target alone.
/// @return one line for each collector that failed, with its reasons, and the GRANT that mends what the role lacks.
[[nodiscard]] std::vector<std::string> postgres_advice(const metrics::Exposition& page);

}  // namespace midst::app
