// What a standby knows of its own lag; 0 on a primary. "Received everything and replayed it" counts as no lag only
// while the WAL receiver runs: with a dead link both positions stand still and say nothing.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"lag", Use::gauge, "pg_replication_lag_seconds",
     "Age of the last replayed transaction; 0 on a primary, and on a standby that has replayed all it receives."},
    {"is_replica", Use::gauge, "pg_replication_is_replica", "Whether the server is in recovery."},
    {"last_replay", Use::gauge, "pg_replication_last_replay_seconds",
     "Age of the last replayed transaction, however quiet the primary; 0 on a primary."},
};

constexpr Query queries[] = {{.name = "replication",
                              .sql = R"(
SELECT CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.is_receiving AND pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS lag,
       r.is_replica,
       CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS last_replay
  FROM (SELECT pg_catalog.pg_is_in_recovery() AS is_replica,
               pg_catalog.pg_last_xact_replay_timestamp() AS replayed_at,
               EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w
                        WHERE coalesce(w.status, 'streaming') = 'streaming') AS is_receiving) AS r)",
                              .columns = columns}};

}  // namespace

constinit const Collector replication_collector{.name = "replication", .queries = queries};

}  // namespace midst::sources
