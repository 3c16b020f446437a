// What a standby knows of its own lag; 0 on a primary. "Received everything and replayed it" counts as no lag only
// while the WAL receiver runs: with a dead link both positions stand still and say nothing. The parts of that are shown
// beside it. Functions of recovery are called in recovery alone: some managed servers refuse them elsewhere.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"lag", Use::gauge, "pg_replication_lag_seconds",
     "Age of the last replayed transaction; 0 on a primary, and on a standby that has replayed all it receives."},
    {"is_replica", Use::gauge, "pg_replication_is_replica", "Whether the server is in recovery."},
    {"last_replay", Use::gauge, "pg_replication_last_replay_seconds",
     "Age of the last replayed transaction, however quiet the primary; 0 on a primary."},
    {"is_receiving", Use::gauge, "pg_replication_receiver_up",
     "Whether the standby's WAL receiver streams; left out on a primary."},
    {"is_paused", Use::gauge, "pg_replication_replay_paused",
     "Whether replay is paused on the standby; left out on a primary."},
    {"receive_lsn", Use::gauge, "pg_replication_receive_lsn_bytes",
     "WAL position received and flushed by streaming, in bytes; left out on a primary."},
    {"replay_lsn", Use::gauge, "pg_replication_replay_lsn_bytes",
     "WAL position replayed, in bytes; left out on a primary."},
};

constexpr Query queries[] = {{.name = "replication",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.is_receiving AND r.received = r.replayed THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS lag,
       r.is_replica,
       CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS last_replay,
       CASE WHEN r.is_replica THEN r.is_receiving END AS is_receiving,
       CASE WHEN r.is_replica THEN pg_catalog.pg_is_xlog_replay_paused() END AS is_paused,
       r.received - '0/0' AS receive_lsn, r.replayed - '0/0' AS replay_lsn
  FROM (SELECT q.is_replica,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_xact_replay_timestamp() END AS replayed_at,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_xlog_receive_location() END AS received,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_xlog_replay_location() END AS replayed,
               q.is_replica AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w
                                         WHERE coalesce(w.status, 'streaming') = 'streaming') AS is_receiving
          FROM (SELECT pg_catalog.pg_is_in_recovery() AS is_replica) AS q) AS r)",
                              .columns = columns},
                             {.name = "replication",
                              .sql = R"(
SELECT CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.is_receiving AND r.received = r.replayed THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS lag,
       r.is_replica,
       CASE
         WHEN NOT r.is_replica THEN 0
         WHEN r.replayed_at IS NULL THEN NULL
         ELSE greatest(0, EXTRACT(EPOCH FROM pg_catalog.now() - r.replayed_at))
       END AS last_replay,
       CASE WHEN r.is_replica THEN r.is_receiving END AS is_receiving,
       CASE WHEN r.is_replica THEN pg_catalog.pg_is_wal_replay_paused() END AS is_paused,
       r.received - '0/0' AS receive_lsn, r.replayed - '0/0' AS replay_lsn
  FROM (SELECT q.is_replica,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_xact_replay_timestamp() END AS replayed_at,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_wal_receive_lsn() END AS received,
               CASE WHEN q.is_replica THEN pg_catalog.pg_last_wal_replay_lsn() END AS replayed,
               q.is_replica AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver w
                                         WHERE coalesce(w.status, 'streaming') = 'streaming') AS is_receiving
          FROM (SELECT pg_catalog.pg_is_in_recovery() AS is_replica) AS q) AS r)",
                              .columns = columns}};

}  // namespace

constinit const Collector replication_collector{.name = "replication", .queries = queries};

}  // namespace midst::sources
