// The databases this role may connect to: where the collectors of databases are asked. No metric of its own.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Query queries[] = {{.name = "database_list",
                              .from_version = 90'600,
                              .sql = R"(
SELECT d.datname, d.datname = pg_catalog.current_database() AS is_connected
  FROM pg_catalog.pg_database d
 WHERE d.datallowconn AND d.datconnlimit <> -2 AND pg_catalog.has_database_privilege(d.oid, 'CONNECT')
 ORDER BY d.datname)",
                              .columns = {}}};

}  // namespace

constinit const Collector database_list_collector{
    .name = "database_list", .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
