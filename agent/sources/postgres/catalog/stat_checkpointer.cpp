// pg_stat_checkpointer, PostgreSQL 17 and later.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"num_timed", Use::counter, "pg_stat_checkpointer_num_timed_total", "Checkpoints begun on schedule."},
    {"num_requested", Use::counter, "pg_stat_checkpointer_num_requested_total", "Checkpoints begun on request."},
    {"num_done", Use::counter, "pg_stat_checkpointer_num_done_total", "Checkpoints completed (18 and later)."},
    {"restartpoints_timed", Use::counter, "pg_stat_checkpointer_restartpoints_timed_total",
     "Restartpoints begun on schedule, on a standby."},
    {"restartpoints_req", Use::counter, "pg_stat_checkpointer_restartpoints_req_total",
     "Restartpoints begun on request, on a standby."},
    {"restartpoints_done", Use::counter, "pg_stat_checkpointer_restartpoints_done_total",
     "Restartpoints completed, on a standby."},
    {"write_time", Use::counter, "pg_stat_checkpointer_write_time_total", "Milliseconds spent writing files."},
    {"sync_time", Use::counter, "pg_stat_checkpointer_sync_time_total",
     "Milliseconds spent synchronising files to disk."},
    {"buffers_written", Use::counter, "pg_stat_checkpointer_buffers_written_total",
     "Buffers written by checkpoints and restartpoints."},
    {"slru_written", Use::counter, "pg_stat_checkpointer_slru_written_total",
     "SLRU buffers written by checkpoints and restartpoints (18 and later)."},
    {"stats_reset", Use::counter, "pg_stat_checkpointer_stats_reset_total",
     "When these counters were reset last, in Unix time."},
};

constexpr Query queries[] = {{.name = "stat_checkpointer",
                              .from_version = 170'000,
                              .before_version = 180'000,
                              .sql = R"(
SELECT num_timed, num_requested, restartpoints_timed, restartpoints_req, restartpoints_done, write_time, sync_time,
       buffers_written, EXTRACT(EPOCH FROM stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_checkpointer)",
                              .columns = columns},
                             {.name = "stat_checkpointer",
                              .from_version = 180'000,
                              .sql = R"(
SELECT num_timed, num_requested, num_done, restartpoints_timed, restartpoints_req, restartpoints_done, write_time,
       sync_time, buffers_written, slru_written, EXTRACT(EPOCH FROM stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_checkpointer)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_checkpointer_collector{.name = "stat_checkpointer", .queries = queries};

}  // namespace midst::sources
