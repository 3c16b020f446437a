// pg_stat_replication: the standbys of this server, one row per WAL sender.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"application_name", Use::label},
    {"client_addr", Use::label},
    {"state", Use::label},
    {"slot_name", Use::label},
    {"pid", Use::label},
    {"current_wal_lsn", Use::gauge, "pg_stat_replication_pg_current_wal_lsn_bytes",
     "WAL position of this server, in bytes."},
    {"wal_lsn_diff", Use::gauge, "pg_stat_replication_pg_wal_lsn_diff",
     "Bytes of WAL the standby has not yet replayed."},
    {"reply_time", Use::gauge, "pg_stat_replication_reply_time",
     "When the standby's last reply was sent, in Unix time (12 and later)."},
    {"write_lag", Use::gauge, "pg_stat_replication_write_lag_seconds",
     "Time until the standby had written recent WAL; left out while it is idle."},
    {"flush_lag", Use::gauge, "pg_stat_replication_flush_lag_seconds",
     "Time until the standby had flushed recent WAL; left out while it is idle."},
    {"replay_lag", Use::gauge, "pg_stat_replication_replay_lag_seconds",
     "Time until the standby had replayed recent WAL; left out while it is idle."},
    {"sent_bytes", Use::gauge, "pg_stat_replication_sent_lag_bytes", "Bytes of WAL not yet sent to the standby."},
    {"write_bytes", Use::gauge, "pg_stat_replication_write_lag_bytes", "Bytes of WAL the standby has not yet written."},
    {"flush_bytes", Use::gauge, "pg_stat_replication_flush_lag_bytes", "Bytes of WAL the standby has not yet flushed."},
    {"xlog_location_diff", Use::gauge, "pg_stat_replication_pg_xlog_location_diff",
     "Bytes of WAL the standby has not yet replayed, under the name of servers before 10."},
};

constexpr OptionalColumn optional[] = {
    {"pg_stat_replication", "reply_time", "EXTRACT(EPOCH FROM r.reply_time) AS reply_time"},
};

constexpr Query queries[] = {{.name = "stat_replication",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT r.application_name, r.client_addr::text, r.state, s.slot_name, r.pid, p.current_lsn - '0/0' AS current_wal_lsn,
       p.current_lsn - r.replay_location AS wal_lsn_diff, p.current_lsn - r.replay_location AS xlog_location_diff,
       p.current_lsn - r.sent_location AS sent_bytes, p.current_lsn - r.write_location AS write_bytes,
       p.current_lsn - r.flush_location AS flush_bytes
  FROM pg_catalog.pg_stat_replication r
  LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                         THEN coalesce(pg_catalog.pg_last_xlog_receive_location(),
                                       pg_catalog.pg_last_xlog_replay_location())
                         ELSE pg_catalog.pg_current_xlog_location() END AS current_lsn) AS p)",
                              .columns = columns},
                             {.name = "stat_replication",
                              .sql = R"(
SELECT r.application_name, r.client_addr::text, r.state, s.slot_name, r.pid, p.current_lsn - '0/0' AS current_wal_lsn,
       p.current_lsn - r.replay_lsn AS wal_lsn_diff, p.current_lsn - r.sent_lsn AS sent_bytes,
       p.current_lsn - r.write_lsn AS write_bytes, p.current_lsn - r.flush_lsn AS flush_bytes,
       EXTRACT(EPOCH FROM r.write_lag) AS write_lag, EXTRACT(EPOCH FROM r.flush_lag) AS flush_lag,
       EXTRACT(EPOCH FROM r.replay_lag) AS replay_lag{optional}
  FROM pg_catalog.pg_stat_replication r
  LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                         THEN coalesce(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
                         ELSE pg_catalog.pg_current_wal_lsn() END AS current_lsn) AS p)",
                              .columns = columns,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_replication_collector{.name = "stat_replication", .queries = queries};

}  // namespace midst::sources
