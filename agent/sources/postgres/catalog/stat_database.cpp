// pg_stat_database. A NULL costs its own sample, never the row. The row of shared objects (datid 0) is left out. The
// session, checksum and *_time columns keep the names and the milliseconds under which the 0.11 exporter passed them
// on.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datid", Use::label},
    {"datname", Use::label},
    {"numbackends", Use::gauge, "pg_stat_database_numbackends", "Backends connected to the database now."},
    {"xact_commit", Use::counter, "pg_stat_database_xact_commit", "Transactions committed."},
    {"xact_rollback", Use::counter, "pg_stat_database_xact_rollback", "Transactions rolled back."},
    {"blks_read", Use::counter, "pg_stat_database_blks_read", "Blocks read from outside shared_buffers."},
    {"blks_hit", Use::counter, "pg_stat_database_blks_hit", "Blocks found in shared_buffers."},
    {"tup_returned", Use::counter, "pg_stat_database_tup_returned", "Live rows read by sequential and index scans."},
    {"tup_fetched", Use::counter, "pg_stat_database_tup_fetched", "Live rows fetched by index scans."},
    {"tup_inserted", Use::counter, "pg_stat_database_tup_inserted", "Rows inserted."},
    {"tup_updated", Use::counter, "pg_stat_database_tup_updated", "Rows updated."},
    {"tup_deleted", Use::counter, "pg_stat_database_tup_deleted", "Rows deleted."},
    {"conflicts", Use::counter, "pg_stat_database_conflicts",
     "Queries cancelled on a standby because they conflicted with recovery."},
    {"temp_files", Use::counter, "pg_stat_database_temp_files", "Temporary files made by queries."},
    {"temp_bytes", Use::counter, "pg_stat_database_temp_bytes", "Bytes written to temporary files by queries."},
    {"deadlocks", Use::counter, "pg_stat_database_deadlocks", "Deadlocks detected."},
    {"blk_read_time", Use::counter, "pg_stat_database_blk_read_time",
     "Milliseconds spent reading blocks; 0 unless track_io_timing is on."},
    {"blk_write_time", Use::counter, "pg_stat_database_blk_write_time",
     "Milliseconds spent writing blocks; 0 unless track_io_timing is on."},
    {"stats_reset", Use::counter, "pg_stat_database_stats_reset",
     "When these counters were reset last, in Unix time; left out if never."},
    {"active_time", Use::counter, "pg_stat_database_active_time_seconds_total",
     "Time spent executing statements (14 and later).", 1e-3},
    {"active_time", Use::counter, "pg_stat_database_active_time",
     "Milliseconds spent executing statements (14 and later)."},
    {"session_time", Use::counter, "pg_stat_database_session_time",
     "Milliseconds spent by sessions in the database (14 and later)."},
    {"idle_in_transaction_time", Use::counter, "pg_stat_database_idle_in_transaction_time",
     "Milliseconds spent idle in a transaction (14 and later)."},
    {"sessions", Use::counter, "pg_stat_database_sessions", "Sessions begun (14 and later)."},
    {"sessions_abandoned", Use::counter, "pg_stat_database_sessions_abandoned",
     "Sessions ended because the client was gone (14 and later)."},
    {"sessions_fatal", Use::counter, "pg_stat_database_sessions_fatal",
     "Sessions ended by a fatal error (14 and later)."},
    {"sessions_killed", Use::counter, "pg_stat_database_sessions_killed",
     "Sessions ended by an operator (14 and later)."},
    {"checksum_failures", Use::counter, "pg_stat_database_checksum_failures",
     "Blocks whose checksum was wrong; left out where checksums are off (12 and later)."},
    {"checksum_last_failure", Use::gauge, "pg_stat_database_checksum_last_failure",
     "When a checksum was wrong last, in Unix time (12 and later)."},
};

constexpr Query queries[] = {{.name = "stat_database",
                              .before_version = 120'000,
                              .sql = R"(
SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched,
       tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, blk_read_time,
       blk_write_time, EXTRACT(EPOCH FROM stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_database
 ORDER BY datid)",
                              .columns = columns},
                             {.name = "stat_database",
                              .from_version = 120'000,
                              .before_version = 140'000,
                              .sql = R"(
SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched,
       tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, blk_read_time,
       blk_write_time, EXTRACT(EPOCH FROM stats_reset) AS stats_reset,
       checksum_failures, EXTRACT(EPOCH FROM checksum_last_failure) AS checksum_last_failure
  FROM pg_catalog.pg_stat_database
 WHERE datid <> 0
 ORDER BY datid)",
                              .columns = columns},
                             {.name = "stat_database",
                              .from_version = 140'000,
                              .sql = R"(
SELECT datid, datname, numbackends, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched,
       tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, blk_read_time,
       blk_write_time, EXTRACT(EPOCH FROM stats_reset) AS stats_reset,
       checksum_failures, EXTRACT(EPOCH FROM checksum_last_failure) AS checksum_last_failure,
       active_time, session_time, idle_in_transaction_time,
       sessions, sessions_abandoned, sessions_fatal, sessions_killed
  FROM pg_catalog.pg_stat_database
 WHERE datid <> 0
 ORDER BY datid)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_database_collector{.name = "stat_database", .queries = queries};

}  // namespace midst::sources
