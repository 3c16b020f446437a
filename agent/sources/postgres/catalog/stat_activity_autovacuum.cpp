// What the autovacuum workers work on, read from the text that each shows as its query. The exporter's series had the
// table's name alone, which collided between schemas and databases; here schemaname and datname tell them apart.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    {"started", Use::gauge, "pg_stat_activity_autovacuum_timestamp_seconds",
     "When autovacuum began with the table, in Unix time."},
};

constexpr Query queries[] = {{.name = "stat_activity_autovacuum",
                              .from_version = 90'600,
                              .sql = R"(
SELECT t.datname, pg_catalog.split_part(t.name, '.', 1) AS schemaname,
       pg_catalog.substr(t.name, pg_catalog.strpos(t.name, '.') + 1) AS relname,
       EXTRACT(EPOCH FROM pg_catalog.min(t.xact_start)) AS started
  FROM (SELECT a.datname, a.xact_start,
               pg_catalog.regexp_replace(
                 pg_catalog.regexp_replace(a.query, '^autovacuum: (VACUUM ANALYZE|VACUUM|ANALYZE|BRIN summarize) ', ''),
                 ' (\(to prevent wraparound\)|[0-9]+)$', '') AS name
          FROM pg_catalog.pg_stat_activity a
         WHERE a.query LIKE 'autovacuum: %' AND a.pid <> pg_catalog.pg_backend_pid()) AS t
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_activity_autovacuum_collector{
    .name = "stat_activity_autovacuum", .runs = Default::off, .queries = queries};

}  // namespace midst::sources
