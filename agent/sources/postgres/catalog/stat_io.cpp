// pg_stat_io (since 16): what each kind of process reads and writes, and why. Up to 17 the view has the size of one
// operation; 18 counts the bytes themselves and WAL too.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr double milliseconds = 0.001;

constexpr Column columns[] = {
    {"backend_type", Use::label},
    {"object", Use::label},
    {"context", Use::label},
    {"reads", Use::counter, "pg_stat_io_reads_total", "Read operations."},
    {"read_bytes", Use::counter, "pg_stat_io_read_bytes_total", "Bytes read."},
    {"read_time", Use::counter, "pg_stat_io_read_seconds_total",
     "Time spent reading; 0 unless track_io_timing is on (for WAL: track_wal_io_timing).", milliseconds},
    {"writes", Use::counter, "pg_stat_io_writes_total", "Write operations."},
    {"write_bytes", Use::counter, "pg_stat_io_write_bytes_total", "Bytes written."},
    {"write_time", Use::counter, "pg_stat_io_write_seconds_total",
     "Time spent writing; 0 unless track_io_timing is on (for WAL: track_wal_io_timing).", milliseconds},
    {"writebacks", Use::counter, "pg_stat_io_writebacks_total",
     "Blocks the kernel was asked to write out to permanent storage."},
    {"writeback_time", Use::counter, "pg_stat_io_writeback_seconds_total",
     "Time spent asking the kernel to write out blocks; 0 unless track_io_timing is on.", milliseconds},
    {"extends", Use::counter, "pg_stat_io_extends_total", "Operations that made a relation longer."},
    {"extend_bytes", Use::counter, "pg_stat_io_extend_bytes_total", "Bytes relations were made longer by."},
    {"extend_time", Use::counter, "pg_stat_io_extend_seconds_total",
     "Time spent making relations longer; 0 unless track_io_timing is on.", milliseconds},
    {"hits", Use::counter, "pg_stat_io_hits_total", "Blocks found in shared buffers."},
    {"evictions", Use::counter, "pg_stat_io_evictions_total",
     "Blocks written out of a buffer to make it available for another use."},
    {"reuses", Use::counter, "pg_stat_io_reuses_total",
     "Buffers of a ring outside shared buffers that were used again; bulk contexts and vacuum only."},
    {"fsyncs", Use::counter, "pg_stat_io_fsyncs_total", "Calls of fsync."},
    {"fsync_time", Use::counter, "pg_stat_io_fsync_seconds_total",
     "Time spent in fsync; 0 unless track_io_timing is on (for WAL: track_wal_io_timing).", milliseconds},
};

constexpr Query queries[] = {{.name = "stat_io",
                              .from_version = 160'000,
                              .before_version = 180'000,
                              .sql = R"(
SELECT backend_type, object, context, reads, reads * op_bytes AS read_bytes, read_time,
       writes, writes * op_bytes AS write_bytes, write_time, writebacks, writeback_time,
       extends, extends * op_bytes AS extend_bytes, extend_time, hits, evictions, reuses, fsyncs, fsync_time
  FROM pg_catalog.pg_stat_io)",
                              .columns = columns},
                             {.name = "stat_io",
                              .from_version = 180'000,
                              .sql = R"(
SELECT backend_type, object, context, reads, read_bytes, read_time, writes, write_bytes, write_time,
       writebacks, writeback_time, extends, extend_bytes, extend_time, hits, evictions, reuses, fsyncs, fsync_time
  FROM pg_catalog.pg_stat_io)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_io_collector{
    .name = "stat_io", .ttl = std::chrono::seconds(30), .queries = queries, .reads_stats = true};

}  // namespace midst::sources
