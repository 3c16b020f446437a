// How many of max_connections are taken, and by what: numbers of one statement, so that alerts divide them as they are.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_state = 1;
constexpr LabelGroups whole = 2;

constexpr Column columns[] = {
    {.column = "state", .use = Use::label, .groups = by_state},
    {.column = "count",
     .use = Use::gauge,
     .name = "pg_connections",
     .help = "Connections of clients by state; those whose state the role may not see are \"hidden\".",
     .groups = by_state},
    {.column = "used",
     .use = Use::gauge,
     .name = "pg_connections_used",
     .help = "Connections that count against max_connections.",
     .groups = whole},
    {.column = "max",
     .use = Use::gauge,
     .name = "pg_connections_max",
     .help = "The setting max_connections.",
     .groups = whole},
    {.column = "superuser_reserved",
     .use = Use::gauge,
     .name = "pg_connections_superuser_reserved",
     .help = "Connections of pg_connections_max that only superusers get.",
     .groups = whole},
    {.column = "reserved",
     .use = Use::gauge,
     .name = "pg_connections_reserved",
     .help = "Connections of pg_connections_max for roles with pg_use_reserved_connections; 16 and later.",
     .groups = whole},
    {.column = "used_ratio",
     .use = Use::gauge,
     .name = "pg_connections_used_ratio",
     .help = "Used connections as part of those that are not reserved; above 1 reserved ones are in use.",
     .groups = whole},
    {.column = "idle_in_transaction",
     .use = Use::gauge,
     .name = "pg_idle_in_transaction_oldest_seconds",
     .help = "How long the session that has been idle in its transaction longest has been so; 0 where there is none.",
     .groups = whole},
    {.column = "autovacuum_workers",
     .use = Use::gauge,
     .name = "pg_autovacuum_workers",
     .help = "Autovacuum workers that run; pg_settings_autovacuum_max_workers is the most.",
     .groups = whole},
};

// Who may not see a backend's type sees its user: background processes have none.
constexpr Query queries[] = {{.name = "connections",
                              .sql = R"(
WITH backends AS (
  SELECT coalesce(CASE WHEN backend_type IS NULL THEN 'hidden' ELSE state END, 'starting') AS state, state_change,
         coalesce(backend_type, CASE WHEN usesysid IS NOT NULL THEN 'client backend' END) AS backend_type
    FROM pg_catalog.pg_stat_activity),
totals AS (
  SELECT pg_catalog.count(*) FILTER (
           WHERE backend_type = 'client backend' OR (backend_type = 'walsender' AND s.version < 120000)) AS used,
         s.max, s.superuser_reserved, s.reserved,
         greatest(0, coalesce(EXTRACT(EPOCH FROM pg_catalog.now() - pg_catalog.min(state_change) FILTER (
           WHERE state IN ('idle in transaction', 'idle in transaction (aborted)'))), 0)) AS idle_in_transaction,
         pg_catalog.count(*) FILTER (WHERE backend_type = 'autovacuum worker') AS autovacuum_workers
    FROM backends
   CROSS JOIN (SELECT pg_catalog.current_setting('server_version_num')::integer AS version,
                      pg_catalog.current_setting('max_connections')::integer AS max,
                      pg_catalog.current_setting('superuser_reserved_connections')::integer AS superuser_reserved,
                      pg_catalog.current_setting('reserved_connections', true)::integer AS reserved) AS s
   GROUP BY s.max, s.superuser_reserved, s.reserved)
SELECT NULL AS state, NULL::bigint AS count, used, max, superuser_reserved, reserved,
       used::float8 / nullif(max - superuser_reserved - coalesce(reserved, 0), 0) AS used_ratio,
       idle_in_transaction, autovacuum_workers
  FROM totals
 UNION ALL
SELECT v.state, pg_catalog.count(b.state), NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (VALUES ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
               ('fastpath function call'), ('disabled'), ('starting'), ('hidden')) AS v(state)
  LEFT JOIN backends b ON b.state = v.state AND b.backend_type = 'client backend'
 GROUP BY v.state)",
                              .columns = columns}};

}  // namespace

constinit const Collector connections_collector{.name = "connections", .queries = queries};

}  // namespace midst::sources
