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

constexpr OptionalColumn optional[] = {
    {"pg_stat_checkpointer", "num_done", "c.num_done"},
    {"pg_stat_checkpointer", "slru_written", "c.slru_written"},
};

constexpr Query queries[] = {{.name = "stat_checkpointer",
                              .from_version = 170'000,
                              .sql = R"(
SELECT c.num_timed, c.num_requested, c.restartpoints_timed, c.restartpoints_req, c.restartpoints_done, c.write_time,
       c.sync_time, c.buffers_written, EXTRACT(EPOCH FROM c.stats_reset) AS stats_reset{optional}
  FROM pg_catalog.pg_stat_checkpointer c)",
                              .columns = columns,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_checkpointer_collector{
    .name = "stat_checkpointer", .queries = queries, .reads_stats = true};

}  // namespace midst::sources
