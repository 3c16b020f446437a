// pg_stat_activity: backends by database and state. Every state of every database is present with 0. The agent's own
// backend is left out. The current edition adds five labels; the older one has only datname and state.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"state", Use::label},
    {"usename", Use::label},
    {"application_name", Use::label},
    {"backend_type", Use::label},
    {"wait_event_type", Use::label},
    {"wait_event", Use::label},
    {"count", Use::gauge, "pg_stat_activity_count", "Backends in this state."},
    {"max_tx_duration", Use::gauge, "pg_stat_activity_max_tx_duration",
     "Age of the oldest open transaction among these backends, in seconds."},
};

constexpr Query queries[] = {{.name = "stat_activity",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT d.datname, s.state, a.usename, a.application_name, NULL AS backend_type, a.wait_event_type, a.wait_event,
       coalesce(a.count, 0) AS count, coalesce(a.max_tx_duration, 0) AS max_tx_duration
  FROM pg_catalog.pg_database d
 CROSS JOIN (VALUES ('active'::text), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
                    ('fastpath function call'), ('disabled')) AS s(state)
  LEFT JOIN (SELECT datid, state, usename, application_name, wait_event_type, wait_event,
                    pg_catalog.count(*) AS count,
                    EXTRACT(EPOCH FROM pg_catalog.now() - pg_catalog.min(xact_start)) AS max_tx_duration
               FROM pg_catalog.pg_stat_activity
              WHERE pid <> pg_catalog.pg_backend_pid()
              GROUP BY 1, 2, 3, 4, 5, 6) AS a ON a.datid = d.oid AND a.state = s.state
 ORDER BY 1, 2)",
                              .columns = columns,
                              .edition = Edition::current},
                             {.name = "stat_activity",
                              .sql = R"(
SELECT d.datname, s.state, a.usename, a.application_name, a.backend_type, a.wait_event_type, a.wait_event,
       coalesce(a.count, 0) AS count, coalesce(a.max_tx_duration, 0) AS max_tx_duration
  FROM pg_catalog.pg_database d
 CROSS JOIN (VALUES ('active'::text), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
                    ('fastpath function call'), ('disabled')) AS s(state)
  LEFT JOIN (SELECT datid, state, usename, application_name, backend_type, wait_event_type, wait_event,
                    pg_catalog.count(*) AS count,
                    EXTRACT(EPOCH FROM pg_catalog.now() - pg_catalog.min(xact_start)) AS max_tx_duration
               FROM pg_catalog.pg_stat_activity
              WHERE pid <> pg_catalog.pg_backend_pid()
              GROUP BY 1, 2, 3, 4, 5, 6, 7) AS a ON a.datid = d.oid AND a.state = s.state
 ORDER BY 1, 2)",
                              .columns = columns,
                              .edition = Edition::current},
                             {.name = "stat_activity_by_state",
                              .from_version = 90'600,
                              .sql = R"(
SELECT d.datname, s.state, coalesce(a.count, 0) AS count, coalesce(a.max_tx_duration, 0) AS max_tx_duration
  FROM pg_catalog.pg_database d
 CROSS JOIN (VALUES ('active'::text), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'),
                    ('fastpath function call'), ('disabled')) AS s(state)
  LEFT JOIN (SELECT datid, state, pg_catalog.count(*) AS count,
                    EXTRACT(EPOCH FROM pg_catalog.now() - pg_catalog.min(xact_start)) AS max_tx_duration
               FROM pg_catalog.pg_stat_activity
              WHERE pid <> pg_catalog.pg_backend_pid()
              GROUP BY 1, 2) AS a ON a.datid = d.oid AND a.state = s.state
 ORDER BY 1, 2)",
                              .columns = columns,
                              .edition = Edition::v0_11}};

}  // namespace

constinit const Collector stat_activity_collector{.name = "stat_activity", .queries = queries};

}  // namespace midst::sources
