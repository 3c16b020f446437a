// pg_stat_slru (since 13): the small caches of transaction states, subtransactions, row lock members, notifications.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"name", Use::label},
    {"blks_zeroed", Use::counter, "pg_stat_slru_blks_zeroed_total", "Blocks zeroed when they were set up."},
    {"blks_hit", Use::counter, "pg_stat_slru_blks_hit_total", "Blocks found in the cache."},
    {"blks_read", Use::counter, "pg_stat_slru_blks_read_total", "Blocks read from disk."},
    {"blks_written", Use::counter, "pg_stat_slru_blks_written_total", "Blocks written to disk."},
    {"blks_exists", Use::counter, "pg_stat_slru_blks_exists_total", "Checks whether a block is on disk."},
    {"flushes", Use::counter, "pg_stat_slru_flushes_total", "Times all dirty blocks were written."},
    {"truncates", Use::counter, "pg_stat_slru_truncates_total", "Times old blocks were removed."},
};

constexpr Query queries[] = {{.name = "stat_slru",
                              .from_version = 130'000,
                              .sql = R"(
SELECT name, blks_zeroed, blks_hit, blks_read, blks_written, blks_exists, flushes, truncates
  FROM pg_catalog.pg_stat_slru)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_slru_collector{
    .name = "stat_slru", .ttl = std::chrono::seconds(30), .queries = queries, .reads_stats = true};

}  // namespace midst::sources
