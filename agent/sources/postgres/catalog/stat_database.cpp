// pg_stat_database. A NULL costs its own sample, never the row. The row of shared objects (datid 0) is left out, but
// for those who compare with the 0.11 exporter. The session, checksum and *_time columns keep the names and the
// milliseconds under which that one passed them on.
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
    {"parallel_workers_to_launch", Use::counter, "pg_stat_database_parallel_workers_to_launch_total",
     "Parallel workers that plans asked for (18 and later)."},
    {"parallel_workers_launched", Use::counter, "pg_stat_database_parallel_workers_launched_total",
     "Parallel workers that were started (18 and later)."},
};

constexpr OptionalColumn optional[] = {
    {"pg_stat_database", "checksum_failures", "s.checksum_failures"},
    {"pg_stat_database", "checksum_last_failure",
     "EXTRACT(EPOCH FROM s.checksum_last_failure) AS checksum_last_failure"},
    {"pg_stat_database", "active_time", "s.active_time"},
    {"pg_stat_database", "session_time", "s.session_time"},
    {"pg_stat_database", "idle_in_transaction_time", "s.idle_in_transaction_time"},
    {"pg_stat_database", "sessions", "s.sessions"},
    {"pg_stat_database", "sessions_abandoned", "s.sessions_abandoned"},
    {"pg_stat_database", "sessions_fatal", "s.sessions_fatal"},
    {"pg_stat_database", "sessions_killed", "s.sessions_killed"},
    {"pg_stat_database", "parallel_workers_to_launch", "s.parallel_workers_to_launch"},
    {"pg_stat_database", "parallel_workers_launched", "s.parallel_workers_launched"},
};

constexpr Query queries[] = {{.name = "stat_database",
                              .from_version = 90'600,
                              .sql = R"(
SELECT s.datid, s.datname, s.numbackends, s.xact_commit, s.xact_rollback, s.blks_read, s.blks_hit, s.tup_returned,
       s.tup_fetched, s.tup_inserted, s.tup_updated, s.tup_deleted, s.conflicts, s.temp_files, s.temp_bytes,
       s.deadlocks, s.blk_read_time, s.blk_write_time, EXTRACT(EPOCH FROM s.stats_reset) AS stats_reset{optional}
  FROM pg_catalog.pg_stat_database s
 WHERE s.datid <> 0
 ORDER BY s.datid)",
                              .columns = columns,
                              .edition = Edition::current,
                              .optional = optional},
                             {.name = "stat_database_and_shared",
                              .from_version = 90'600,
                              .sql = R"(
SELECT s.datid, s.datname, s.numbackends, s.xact_commit, s.xact_rollback, s.blks_read, s.blks_hit, s.tup_returned,
       s.tup_fetched, s.tup_inserted, s.tup_updated, s.tup_deleted, s.conflicts, s.temp_files, s.temp_bytes,
       s.deadlocks, s.blk_read_time, s.blk_write_time, EXTRACT(EPOCH FROM s.stats_reset) AS stats_reset{optional}
  FROM pg_catalog.pg_stat_database s
 ORDER BY s.datid)",
                              .columns = columns,
                              .edition = Edition::v0_11,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_database_collector{.name = "stat_database", .queries = queries, .reads_stats = true};

}  // namespace midst::sources
