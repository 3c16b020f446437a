// Exact sizes of the largest tables. Off by default: the size functions open every relation, which makes the server's
// process grow and waits behind an AccessExclusiveLock that is held or that waits itself. So this runs on a connection
// of its own, and passes over whatever has such a lock: the table, its indexes, its TOAST table, a parent of it.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_table = 1;
constexpr LabelGroups by_reason = 2;

constexpr Column columns[] = {
    {.column = "datname", .use = Use::label},
    {.column = "schemaname", .use = Use::label, .groups = by_table},
    {.column = "relname", .use = Use::label, .groups = by_table},
    {.column = "reason", .use = Use::label, .groups = by_reason},
    {.column = "index_size",
     .use = Use::gauge,
     .name = "pg_stat_user_tables_index_size_bytes",
     .help = "Size of the table's indexes as of its last VACUUM or ANALYZE, or exact where table_sizes runs.",
     .groups = by_table},
    {.column = "table_size",
     .use = Use::gauge,
     .name = "pg_stat_user_tables_table_size_bytes",
     .help = "Size of the table and its TOAST as of its last VACUUM or ANALYZE, or exact where table_sizes runs.",
     .groups = by_table},
    {.column = "skipped",
     .use = Use::gauge,
     .name = "pg_table_sizes_skipped",
     .help = "Tables whose size was not taken: locked exclusively, or over the limit of 300 tables.",
     .groups = by_reason},
};

constexpr Query queries[] = {{.name = "table_sizes",
                              .sql = R"(
WITH RECURSIVE locked AS (
  SELECT l.relation AS oid
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND d.datname = pg_catalog.current_database()),
touched AS (
  SELECT oid FROM locked
   UNION
  SELECT i.indrelid FROM pg_catalog.pg_index i JOIN locked l ON l.oid = i.indexrelid),
avoided AS (
  SELECT oid FROM touched
   UNION
  SELECT c.oid FROM pg_catalog.pg_class c JOIN touched t ON t.oid = c.reltoastrelid
   UNION
  SELECT h.inhrelid FROM pg_catalog.pg_inherits h JOIN avoided a ON a.oid = h.inhparent),
tables AS (
  SELECT c.oid, n.nspname, c.relname, c.oid IN (SELECT oid FROM avoided) AS is_avoided,
         pg_catalog.row_number() OVER (ORDER BY c.relpages DESC, c.oid) AS place
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
SELECT pg_catalog.current_database() AS datname, nspname AS schemaname, relname, NULL AS reason,
       CASE WHEN NOT is_avoided THEN pg_catalog.pg_indexes_size(oid) END AS index_size,
       CASE WHEN NOT is_avoided THEN pg_catalog.pg_table_size(oid) END AS table_size, NULL::bigint AS skipped
  FROM tables WHERE place <= 300
 UNION ALL
SELECT pg_catalog.current_database(), NULL, NULL, r.reason, NULL, NULL,
       pg_catalog.count(*) FILTER (WHERE CASE r.reason WHEN 'limit' THEN t.place > 300
                                                       ELSE t.place <= 300 AND t.is_avoided END)
  FROM (VALUES ('limit'), ('locked')) AS r(reason) LEFT JOIN tables t ON true
 GROUP BY r.reason)",
                              .columns = columns}};

}  // namespace

constinit const Collector table_sizes_collector{.name = "table_sizes",
                                                .runs = Default::off,
                                                .ttl = std::chrono::seconds(300),
                                                .queries = queries,
                                                .scope = Scope::database,
                                                .timeout = std::chrono::seconds(5),
                                                .is_alone = true};

}  // namespace midst::sources
