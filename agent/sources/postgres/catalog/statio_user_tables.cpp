// pg_statio_user_tables of each database. Tables without index or TOAST show 0 there.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/top/top_tables.hpp"

namespace midst::sources {
namespace {

constexpr Column counted(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::counter, .name = name, .help = help, .null = NullAs::zero};
}

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    counted("heap_blks_read", "pg_statio_user_tables_heap_blocks_read", "Blocks of the table read from disk."),
    counted("heap_blks_hit", "pg_statio_user_tables_heap_blocks_hit", "Blocks of the table found in shared_buffers."),
    counted("idx_blks_read", "pg_statio_user_tables_idx_blocks_read", "Blocks of its indexes read from disk."),
    counted("idx_blks_hit", "pg_statio_user_tables_idx_blocks_hit", "Blocks of its indexes found in shared_buffers."),
    counted("toast_blks_read", "pg_statio_user_tables_toast_blocks_read", "Blocks of its TOAST read from disk."),
    counted("toast_blks_hit", "pg_statio_user_tables_toast_blocks_hit", "Blocks of its TOAST found in shared_buffers."),
    counted("tidx_blks_read", "pg_statio_user_tables_tidx_blocks_read", "Blocks of its TOAST index read from disk."),
    counted("tidx_blks_hit", "pg_statio_user_tables_tidx_blocks_hit",
            "Blocks of its TOAST index found in shared_buffers."),
};

constexpr Query queries[] = {{.name = "statio_user_tables",
                              .from_version = 90'600,
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, s.relid, s.schemaname, s.relname, s.heap_blks_read,
       s.heap_blks_hit, s.idx_blks_read, s.idx_blks_hit, s.toast_blks_read, s.toast_blks_hit, s.tidx_blks_read,
       s.tidx_blks_hit
  FROM pg_catalog.pg_statio_user_tables s)",
                              .columns = columns,
                              .max_rows = 50'000}};

}  // namespace

constinit const Collector statio_user_tables_collector{.name = "statio_user_tables",
                                                       .ttl = std::chrono::seconds(30),
                                                       .queries = queries,
                                                       .scope = Scope::database,
                                                       .reads_stats = true,
                                                       .make_treatment = make_top_tables};

}  // namespace midst::sources
