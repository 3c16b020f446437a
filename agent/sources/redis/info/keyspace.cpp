#include "agent/sources/redis/info/keyspace.hpp"

#include "agent/sources/redis/families.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

void add_database(const Database& database, metrics::SnapshotBuilder& builder) {
  const auto name = fmt::format("db{}", database.number);
  const auto labels = builder.labels({{"db", name}});
  builder.family(family::db_keys).add(labels, database.keys);
  builder.family(family::db_keys_expiring).add(labels, database.expires);
  if (database.avg_ttl_ms) builder.family(family::db_avg_ttl).add(labels, *database.avg_ttl_ms / 1000);
  if (database.cached_keys) builder.family(family::db_keys_cached).add(labels, *database.cached_keys);
  if (database.keys_with_expiring_items)
    builder.family(family::db_keys_with_expiring_items).add(labels, *database.keys_with_expiring_items);
}

}  // namespace

std::optional<Database> parse_database(std::string_view field, std::string_view value) noexcept {
  if (!field.starts_with("db")) return std::nullopt;
  const auto number = text::parse_integer(field.substr(2));
  if (!number || *number < 0 || *number > 1'000'000) return std::nullopt;
  Database database;
  database.number = static_cast<int>(*number);
  bool has_keys = false, has_expires = false;
  while (!value.empty()) {
    auto text = text::take_until(value, ',');
    const auto name = text::take_until(text, '=');
    const auto count = text::parse_number(text);
    if (!count) return std::nullopt;
    if (name == "keys") {
      database.keys = *count;
      has_keys = true;
    } else if (name == "expires") {
      database.expires = *count;
      has_expires = true;
    } else if (name == "avg_ttl") {
      database.avg_ttl_ms = *count;
    } else if (name == "cached_keys") {
      database.cached_keys = *count;
    } else if (name == "subexpiry" || name == "keys_with_volatile_items") {  // Redis 7.4 and Valkey 9 for the same
      database.keys_with_expiring_items = *count;
    }
  }
  if (!has_keys || !has_expires) return std::nullopt;
  return database;
}

void add_databases(const std::vector<Database>& databases, int zero_databases, metrics::SnapshotBuilder& builder) {
  auto all = databases;
  std::vector<bool> is_present(static_cast<std::size_t>(std::max(zero_databases, 0)));
  for (const auto& database : databases)
    if (database.number < zero_databases) is_present[static_cast<std::size_t>(database.number)] = true;
  for (std::size_t number = 0; number < is_present.size(); ++number)
    if (!is_present[number]) all.push_back(Database{static_cast<int>(number), 0, 0, {}, {}, {}});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  for (const auto& database : all) add_database(database, builder);
}

}  // namespace midst::sources::redis_info
