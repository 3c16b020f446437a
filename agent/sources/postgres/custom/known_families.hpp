// The families that a target's own collectors show, so that an operator's queries do not collide with them.
#pragma once

#include "agent/sources/postgres/postgres_options.hpp"
#include "lib/metrics/spec.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace midst::sources {

struct KnownFamily {
  std::string_view collector;
  metrics::MetricType type;
};

/// @return the families of the collectors that are on, by name; those that name themselves (settings) are left out.
[[nodiscard]] std::map<std::string, KnownFamily, std::less<>> known_families(const PostgresOptions& options);

}  // namespace midst::sources
