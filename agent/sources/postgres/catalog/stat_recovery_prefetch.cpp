// pg_stat_recovery_prefetch (since 15): what a standby reads ahead of the WAL it replays.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"prefetch", Use::counter, "pg_stat_recovery_prefetch_prefetch_total",
     "Blocks read ahead because they were not in shared buffers."},
    {"hit", Use::counter, "pg_stat_recovery_prefetch_hit_total",
     "Blocks not read ahead because they were in shared buffers."},
    {"skip_init", Use::counter, "pg_stat_recovery_prefetch_skip_init_total",
     "Blocks not read ahead because they would be zero-initialised."},
    {"skip_new", Use::counter, "pg_stat_recovery_prefetch_skip_new_total",
     "Blocks not read ahead because they did not exist yet."},
    {"skip_fpw", Use::counter, "pg_stat_recovery_prefetch_skip_fpw_total",
     "Blocks not read ahead because the WAL had a full page image of them."},
    {"skip_rep", Use::counter, "pg_stat_recovery_prefetch_skip_rep_total",
     "Blocks not read ahead because they had been read ahead recently."},
    {"wal_distance", Use::gauge, "pg_stat_recovery_prefetch_wal_distance_bytes",
     "Bytes of WAL looked ahead of the replay."},
    {"block_distance", Use::gauge, "pg_stat_recovery_prefetch_block_distance", "Blocks looked ahead of the replay."},
    {"io_depth", Use::gauge, "pg_stat_recovery_prefetch_io_depth", "Reads begun that are not known to have completed."},
};

constexpr Query queries[] = {{.name = "stat_recovery_prefetch",
                              .from_version = 150'000,
                              .sql = R"(
SELECT prefetch, hit, skip_init, skip_new, skip_fpw, skip_rep, wal_distance, block_distance, io_depth
  FROM pg_catalog.pg_stat_recovery_prefetch)",
                              .columns = columns,
                              .role = Role::standby}};

}  // namespace

constinit const Collector stat_recovery_prefetch_collector{
    .name = "stat_recovery_prefetch", .ttl = std::chrono::seconds(30), .queries = queries, .reads_stats = true};

}  // namespace midst::sources
