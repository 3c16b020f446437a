// The Keyspace section: db lines → samples (pure). Checks of single keys and bounded scans will live here too.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// One dbN line; optional fields depend on the server's make and version.
struct Database {
  int number = 0;
  double keys = 0, expires = 0;
  std::optional<double> avg_ttl_ms, cached_keys, keys_with_expiring_items;
};

/// @param field  "db0"; @param value  "keys=1,expires=0,avg_ttl=0".
/// @return nothing when the field is no database or one of its numbers is none.
[[nodiscard]] std::optional<Database> parse_database(std::string_view field, std::string_view value) noexcept;

/// Adds the databases of a server, and a 0 for each of the first `zero_databases` that is not among them.
void add_databases(const std::vector<Database>& databases, int zero_databases, metrics::SnapshotBuilder& builder);

}  // namespace midst::sources::redis_info
