// pg_stat_bgwriter. PostgreSQL 17 moved the checkpoint columns to pg_stat_checkpointer and the writes of backends to
// pg_stat_io; they keep their old names here, so that dashboards survive the upgrade.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"checkpoints_timed", Use::counter, "pg_stat_bgwriter_checkpoints_timed_total", "Checkpoints begun on schedule."},
    {"checkpoints_req", Use::counter, "pg_stat_bgwriter_checkpoints_req_total",
     "Checkpoints begun on request, by command or because max_wal_size was reached."},
    {"checkpoint_write_time", Use::counter, "pg_stat_bgwriter_checkpoint_write_time_total",
     "Milliseconds checkpoints spent writing files."},
    {"checkpoint_sync_time", Use::counter, "pg_stat_bgwriter_checkpoint_sync_time_total",
     "Milliseconds checkpoints spent synchronising files to disk."},
    {"buffers_checkpoint", Use::counter, "pg_stat_bgwriter_buffers_checkpoint_total",
     "Buffers written by checkpoints."},
    {"buffers_clean", Use::counter, "pg_stat_bgwriter_buffers_clean_total",
     "Buffers written by the background writer."},
    {"maxwritten_clean", Use::counter, "pg_stat_bgwriter_maxwritten_clean_total",
     "Rounds the background writer ended because it had written bgwriter_lru_maxpages."},
    {"buffers_backend", Use::counter, "pg_stat_bgwriter_buffers_backend_total", "Buffers backends wrote themselves."},
    {"buffers_backend_fsync", Use::counter, "pg_stat_bgwriter_buffers_backend_fsync_total",
     "Times a backend had to call fsync itself."},
    {"buffers_alloc", Use::counter, "pg_stat_bgwriter_buffers_alloc_total", "Buffers allocated."},
    {"stats_reset", Use::counter, "pg_stat_bgwriter_stats_reset_total",
     "When these counters were reset last, in Unix time."},
};

constexpr Query queries[] = {{.name = "stat_bgwriter",
                              .from_version = 90'600,
                              .before_version = 170'000,
                              .sql = R"(
SELECT b.checkpoints_timed, b.checkpoints_req, b.checkpoint_write_time, b.checkpoint_sync_time, b.buffers_checkpoint,
       b.buffers_clean, b.maxwritten_clean, b.buffers_backend, b.buffers_backend_fsync, b.buffers_alloc,
       EXTRACT(EPOCH FROM b.stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_bgwriter b)",
                              .columns = columns},
                             {.name = "stat_bgwriter",
                              .from_version = 170'000,
                              .before_version = 180'000,
                              .sql = R"(
SELECT c.num_timed AS checkpoints_timed, c.num_requested AS checkpoints_req, c.write_time AS checkpoint_write_time,
       c.sync_time AS checkpoint_sync_time, c.buffers_written AS buffers_checkpoint,
       b.buffers_clean, b.maxwritten_clean, w.buffers AS buffers_backend, w.fsyncs AS buffers_backend_fsync,
       b.buffers_alloc, EXTRACT(EPOCH FROM b.stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_bgwriter b
 CROSS JOIN pg_catalog.pg_stat_checkpointer c
 CROSS JOIN (SELECT pg_catalog.sum(coalesce(i.writes, 0) + coalesce(i.extends, 0)) AS buffers,
                    pg_catalog.sum(i.fsyncs) AS fsyncs
               FROM pg_catalog.pg_stat_io i
              WHERE i.object = 'relation' AND i.backend_type NOT IN ('checkpointer', 'background writer')) AS w)",
                              .columns = columns},
                             {.name = "stat_bgwriter",
                              .from_version = 180'000,
                              .sql = R"(
SELECT c.num_timed AS checkpoints_timed, c.num_requested AS checkpoints_req, c.write_time AS checkpoint_write_time,
       c.sync_time AS checkpoint_sync_time, c.buffers_written AS buffers_checkpoint,
       b.buffers_clean, b.maxwritten_clean, w.buffers AS buffers_backend, w.fsyncs AS buffers_backend_fsync,
       b.buffers_alloc, EXTRACT(EPOCH FROM b.stats_reset) AS stats_reset
  FROM pg_catalog.pg_stat_bgwriter b
 CROSS JOIN pg_catalog.pg_stat_checkpointer c
 CROSS JOIN (SELECT pg_catalog.sum(coalesce(i.write_bytes, 0) + coalesce(i.extend_bytes, 0)) /
                      pg_catalog.current_setting('block_size')::int AS buffers,
                    pg_catalog.sum(i.fsyncs) AS fsyncs
               FROM pg_catalog.pg_stat_io i
              WHERE i.object = 'relation' AND i.backend_type NOT IN ('checkpointer', 'background writer')) AS w)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_bgwriter_collector{.name = "stat_bgwriter", .queries = queries, .reads_stats = true};

}  // namespace midst::sources
