// Tables that autovacuum should be working on, by its own rules: thresholds of the configuration and of each table.
// More of them than pg_autovacuum_workers can do is a queue that grows.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"kind", Use::label},
    {"tables", Use::gauge, "pg_autovacuum_due_tables",
     "Tables over their threshold for dead rows (vacuum), inserted rows (insert), changed rows (analyze) or age "
     "(freeze)."},
};

// The array below: inserted rows since the last VACUUM (13 and later), all-frozen pages (18 and later).
constexpr OptionalColumn newer[] = {
    {"pg_stat_all_tables", "n_ins_since_vacuum", "pg_catalog.pg_stat_get_ins_since_vacuum(t.oid)"},
    {"pg_class", "relallfrozen", "t.relallfrozen::bigint"},
};

constexpr Query queries[] = {{.name = "autovacuum_queue",
                              .sql = R"(
WITH tables AS (
  SELECT t.oid, t.relkind, greatest(t.reltuples, 0) AS tuples, greatest(t.relpages, 1) AS pages,
         coalesce(t.reloptions, o.reloptions) AS reloptions,
         greatest(pg_catalog.age(t.relfrozenxid), 0) AS xid_age, pg_catalog.mxid_age(t.relminmxid) AS mxid_age,
         pg_catalog.pg_stat_get_dead_tuples(t.oid) AS dead, pg_catalog.pg_stat_get_mod_since_analyze(t.oid) AS changed,
         ARRAY[0::bigint{optional}] AS newer
    FROM pg_catalog.pg_class t
    LEFT JOIN pg_catalog.pg_class o ON o.reltoastrelid = t.oid AND t.relkind = 't'
   WHERE t.relkind IN ('r', 'm', 't') AND t.relpersistence <> 't'),
own AS (
  SELECT t.oid,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_enabled') AS enabled,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_vacuum_threshold') AS dead_base,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_vacuum_scale_factor') AS dead_scale,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_vacuum_max_threshold') AS dead_max,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_vacuum_insert_threshold')
           AS insert_base,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_vacuum_insert_scale_factor')
           AS insert_scale,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_analyze_threshold') AS changed_base,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_analyze_scale_factor')
           AS changed_scale,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_freeze_max_age') AS xid_limit,
         pg_catalog.max(w.option_value) FILTER (WHERE w.option_name = 'autovacuum_multixact_freeze_max_age')
           AS mxid_limit
    FROM tables t CROSS JOIN LATERAL pg_catalog.pg_options_to_table(t.reloptions) AS w
   WHERE t.reloptions IS NOT NULL
   GROUP BY t.oid),
limits AS (
  SELECT t.oid, t.relkind, t.xid_age, t.mxid_age, t.dead, t.changed, t.newer[2] AS inserted,
         coalesce(own.enabled, 'true')::boolean AS is_enabled,
         coalesce(own.dead_base::float8, g.dead_base) + coalesce(own.dead_scale::float8, g.dead_scale) * t.tuples
           AS dead_limit,
         nullif(coalesce(own.dead_max::float8, g.dead_max), -1) AS dead_max,
         nullif(coalesce(own.insert_base::float8, g.insert_base), -1)
           + coalesce(own.insert_scale::float8, g.insert_scale) * t.tuples
             * (1 - least(1, coalesce(t.newer[3], 0) / t.pages::float8)) AS insert_limit,
         coalesce(own.changed_base::float8, g.changed_base)
           + coalesce(own.changed_scale::float8, g.changed_scale) * t.tuples AS changed_limit,
         least(own.xid_limit::float8, g.xid_limit) AS xid_limit,
         least(own.mxid_limit::float8, g.mxid_limit) AS mxid_limit
    FROM tables t
    LEFT JOIN own ON own.oid = t.oid
   CROSS JOIN (
     SELECT pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 AS dead_base,
            pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 AS dead_scale,
            pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true)::float8 AS dead_max,
            pg_catalog.current_setting('autovacuum_vacuum_insert_threshold', true)::float8 AS insert_base,
            pg_catalog.current_setting('autovacuum_vacuum_insert_scale_factor', true)::float8 AS insert_scale,
            pg_catalog.current_setting('autovacuum_analyze_threshold')::float8 AS changed_base,
            pg_catalog.current_setting('autovacuum_analyze_scale_factor')::float8 AS changed_scale,
            pg_catalog.current_setting('autovacuum_freeze_max_age')::float8 AS xid_limit,
            pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::float8 AS mxid_limit) AS g)
SELECT pg_catalog.current_database() AS datname, k.kind,
       pg_catalog.count(*) FILTER (WHERE CASE k.kind
         WHEN 'vacuum' THEN l.is_enabled AND l.dead > least(l.dead_limit, l.dead_max)
         WHEN 'insert' THEN l.is_enabled AND l.inserted > l.insert_limit
         WHEN 'analyze' THEN l.is_enabled AND l.relkind <> 't' AND l.changed > l.changed_limit
                             AND l.oid <> 'pg_catalog.pg_statistic'::pg_catalog.regclass
         ELSE l.xid_age > l.xid_limit OR l.mxid_age > l.mxid_limit END) AS tables
  FROM limits l CROSS JOIN (VALUES ('vacuum'), ('insert'), ('analyze'), ('freeze')) AS k(kind)
 GROUP BY k.kind)",
                              .columns = columns,
                              .optional = newer}};

}  // namespace

constinit const Collector autovacuum_queue_collector{.name = "autovacuum_queue",
                                                     .ttl = std::chrono::seconds(60),
                                                     .queries = queries,
                                                     .scope = Scope::database,
                                                     .reads_stats = true};

}  // namespace midst::sources
