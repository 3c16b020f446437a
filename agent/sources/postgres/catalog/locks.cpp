// pg_locks by database and mode, every mode of every database present so that a rate never starts from nothing.
// The agent's own locks are left out.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"mode", Use::label},
    {"count", Use::gauge, "pg_locks_count", "Locks held or awaited in the database, by mode."},
};

constexpr Query queries[] = {{.name = "locks",
                              .from_version = 90'600,
                              .sql = R"(
SELECT d.datname, m.mode, coalesce(l.count, 0) AS count
  FROM pg_catalog.pg_database d
 CROSS JOIN (VALUES ('accesssharelock'::text), ('rowsharelock'), ('rowexclusivelock'),
                    ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), ('accessexclusivelock'),
                    ('sireadlock')) AS m(mode)
  LEFT JOIN (SELECT database, pg_catalog.lower(mode) AS mode, pg_catalog.count(*) AS count
               FROM pg_catalog.pg_locks
              WHERE database IS NOT NULL AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
              GROUP BY 1, 2) AS l ON l.database = d.oid AND l.mode = m.mode
 ORDER BY 1, 2)",
                              .columns = columns}};

}  // namespace

constinit const Collector locks_collector{.name = "locks", .queries = queries};

}  // namespace midst::sources
