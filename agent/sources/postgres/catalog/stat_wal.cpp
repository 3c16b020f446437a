// pg_stat_wal (since 14). The counts and times of writes and syncs moved to pg_stat_io (object "wal") with 18.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr double milliseconds = 0.001;

constexpr Column columns[] = {
    {"wal_records", Use::counter, "pg_stat_wal_records_total", "WAL records generated."},
    {"wal_fpi", Use::counter, "pg_stat_wal_fpi_total", "Full page images in the WAL."},
    {"wal_bytes", Use::counter, "pg_stat_wal_bytes_total", "Bytes of WAL generated."},
    {"wal_buffers_full", Use::counter, "pg_stat_wal_buffers_full_total",
     "Times WAL was written because the WAL buffers were full."},
    {"wal_write", Use::counter, "pg_stat_wal_write_total", "Times WAL buffers were written to disk; up to 17."},
    {"wal_sync", Use::counter, "pg_stat_wal_sync_total", "Times WAL files were synchronised to disk; up to 17."},
    {"wal_write_time", Use::counter, "pg_stat_wal_write_seconds_total",
     "Time spent writing WAL to disk; 0 unless track_wal_io_timing is on; up to 17.", milliseconds},
    {"wal_sync_time", Use::counter, "pg_stat_wal_sync_seconds_total",
     "Time spent synchronising WAL files to disk; 0 unless track_wal_io_timing is on; up to 17.", milliseconds},
};

constexpr Query queries[] = {{.name = "stat_wal",
                              .from_version = 140'000,
                              .before_version = 180'000,
                              .sql = R"(
SELECT wal_records, wal_fpi, wal_bytes, wal_buffers_full, wal_write, wal_sync, wal_write_time, wal_sync_time
  FROM pg_catalog.pg_stat_wal)",
                              .columns = columns},
                             {.name = "stat_wal",
                              .from_version = 180'000,
                              .sql = R"(
SELECT wal_records, wal_fpi, wal_bytes, wal_buffers_full FROM pg_catalog.pg_stat_wal)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_wal_collector{.name = "stat_wal", .queries = queries, .reads_stats = true};

}  // namespace midst::sources
