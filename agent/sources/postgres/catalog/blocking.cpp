// Who waits for a lock and who stands at the head of the queue. pg_blocking_pids() locks the server's lock tables, so
// it is called for backends that wait for a lock and for no others: an idle server pays for one look at its backends.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_root = 1;
constexpr LabelGroups whole = 2;

constexpr Column columns[] = {
    {.column = "datname", .use = Use::label, .groups = by_root},
    {.column = "usename", .use = Use::label, .groups = by_root},
    {.column = "application_name", .use = Use::label, .groups = by_root},
    {.column = "state", .use = Use::label, .groups = by_root},
    {.column = "blocked",
     .use = Use::gauge,
     .name = "pg_blocking_blocked_backends",
     .help = "Backends that wait for a lock.",
     .groups = whole},
    {.column = "roots",
     .use = Use::gauge,
     .name = "pg_blocking_root_backends",
     .help =
         "Backends that others wait for and that wait for no lock themselves, as far as the 100 longest waits tell.",
     .groups = whole},
    {.column = "longest_wait",
     .use = Use::gauge,
     .name = "pg_blocking_longest_wait_seconds",
     .help = "The longest wait for a lock that is going on; up to 13 since the waiting statement began.",
     .groups = whole},
    {.column = "root_blocked",
     .use = Use::gauge,
     .name = "pg_blocking_root_blocked_backends",
     .help = "Backends that wait for these sessions, directly or behind others; state \"prepared\" is a prepared "
             "transaction.",
     .groups = by_root},
    {.column = "root_transaction",
     .use = Use::gauge,
     .name = "pg_blocking_root_transaction_seconds",
     .help = "Age of the oldest transaction of the sessions that others wait for.",
     .groups = by_root},
};

constexpr OptionalColumn wait_start[] = {{"pg_locks", "waitstart", "l.waitstart"}};

constexpr Query queries[] = {{.name = "blocking",
                              .sql = R"(
WITH RECURSIVE waiting AS (
  SELECT pid, query_start
    FROM pg_catalog.pg_stat_get_activity(NULL)
   WHERE wait_event_type = 'Lock' AND pid <> pg_catalog.pg_backend_pid()),
starts AS (
  SELECT l.pid, pg_catalog.min(coalesce(NULL::timestamptz{optional})) AS since
    FROM pg_catalog.pg_locks l
   WHERE NOT l.granted AND EXISTS (SELECT FROM waiting)
   GROUP BY l.pid),
edges AS (
  SELECT DISTINCT w.pid, b.blocker
    FROM (SELECT pid FROM waiting ORDER BY query_start LIMIT 100) AS w
   CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b(blocker)),
chains(root, pid) AS (
  SELECT e.blocker, e.pid FROM edges e WHERE e.blocker NOT IN (SELECT pid FROM waiting)
   UNION
  SELECT c.root, e.pid FROM chains c JOIN edges e ON e.blocker = c.pid),
roots AS (SELECT root, pg_catalog.count(*) AS blocked FROM chains GROUP BY root)
SELECT NULL::text AS datname, NULL::text AS usename, NULL::text AS application_name, NULL::text AS state,
       (SELECT pg_catalog.count(*) FROM waiting) AS blocked, (SELECT pg_catalog.count(*) FROM roots) AS roots,
       (SELECT greatest(0, coalesce(pg_catalog.max(EXTRACT(
                 EPOCH FROM pg_catalog.clock_timestamp() - coalesce(s.since, w.query_start))), 0))
          FROM waiting w LEFT JOIN starts s ON s.pid = w.pid) AS longest_wait,
       NULL::bigint AS root_blocked, NULL::float8 AS root_transaction
 UNION ALL
(SELECT d.datname, CASE WHEN a.usesysid IS NOT NULL THEN pg_catalog.pg_get_userbyid(a.usesysid) END,
        a.application_name, CASE WHEN r.root = 0 THEN 'prepared' ELSE a.state END, NULL, NULL, NULL,
        pg_catalog.sum(r.blocked),
        EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.min(a.xact_start))
   FROM roots r
   LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(r.root) a ON r.root <> 0
   LEFT JOIN pg_catalog.pg_database d ON d.oid = a.datid
  GROUP BY 1, 2, 3, 4
  ORDER BY 8 DESC, 1, 2, 3, 4 LIMIT 20))",
                              .columns = columns,
                              .optional = wait_start}};

}  // namespace

constinit const Collector blocking_collector{.name = "blocking", .queries = queries};

}  // namespace midst::sources
