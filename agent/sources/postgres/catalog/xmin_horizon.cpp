// What keeps VACUUM from removing dead rows: for each kind of holder the oldest transaction that must still be able to
// see them, and who that is. VACUUMs themselves do not count: the server leaves them out of its horizon too.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_kind = 1;
constexpr LabelGroups by_holder = 2;
constexpr LabelGroups whole = 4;

constexpr Column columns[] = {
    {.column = "kind", .use = Use::label, .groups = by_kind | by_holder},
    {.column = "datname", .use = Use::label, .groups = by_holder},
    {.column = "usename", .use = Use::label, .groups = by_holder},
    {.column = "holder", .use = Use::label, .groups = by_holder},
    {.column = "state", .use = Use::label, .groups = by_holder},
    {.column = "age",
     .use = Use::gauge,
     .name = "pg_xmin_horizon_age",
     .help = "Transactions since the oldest one that this kind of holder keeps visible; 0 where it holds none.",
     .groups = by_kind},
    {.column = "holder_age",
     .use = Use::gauge,
     .name = "pg_xmin_horizon_holder_age",
     .help = "The same for the holder itself; the label holder is its application name or its slot.",
     .groups = by_holder},
    {.column = "held",
     .use = Use::gauge,
     .name = "pg_xmin_horizon_holder_seconds",
     .help = "Age of the holder's transaction; slots and standbys have none.",
     .groups = by_holder},
    {.column = "txid_current",
     .use = Use::counter,
     .name = "pg_txid_current",
     .help = "The next transaction id with its epoch, read without taking one.",
     .groups = whole},
};

constexpr Query queries[] = {{.name = "xmin_horizon",
                              .sql = R"(
WITH holders AS (
  SELECT CASE a.backend_type WHEN 'walsender' THEN 'standby' ELSE 'backend' END AS kind, a.datname::text AS datname,
         a.usename::text AS usename, a.application_name AS holder, a.state,
         greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) AS age, a.xact_start AS since
    FROM pg_catalog.pg_stat_activity a
   WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_catalog.pg_backend_pid()
     AND a.application_name <> 'midst-agent'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = a.pid)
   UNION ALL
  SELECT 'prepared_transaction', p.database, p.owner, NULL, NULL, pg_catalog.age(p.transaction), p.prepared
    FROM pg_catalog.pg_prepared_xacts p
   UNION ALL
  SELECT v.kind, s.database, NULL, s.slot_name, CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
         pg_catalog.age(v.xmin), NULL
    FROM pg_catalog.pg_replication_slots s
   CROSS JOIN LATERAL (VALUES ('replication_slot', s.xmin),
                              ('replication_slot_catalog', s.catalog_xmin)) AS v(kind, xmin)
   WHERE v.xmin IS NOT NULL)
SELECT k.kind, h.datname, h.usename, h.holder, h.state, coalesce(h.age, 0) AS age, h.age AS holder_age,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - h.since) AS held,
       CASE k.kind WHEN 'backend' THEN pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())
       END AS txid_current
  FROM (VALUES ('backend'), ('prepared_transaction'), ('replication_slot'), ('replication_slot_catalog'),
               ('standby')) AS k(kind)
  LEFT JOIN (SELECT DISTINCT ON (kind) kind, datname, usename, holder, state, age, since
               FROM holders ORDER BY kind, age DESC, since) AS h ON h.kind = k.kind)",
                              .columns = columns}};

}  // namespace

constinit const Collector xmin_horizon_collector{.name = "xmin_horizon", .queries = queries};

}  // namespace midst::sources
