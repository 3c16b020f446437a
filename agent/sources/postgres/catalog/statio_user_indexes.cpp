// pg_statio_user_indexes of each database. Off by default, as in the exporter; with a datname, which it lacked there.
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
    {"indexrelname", Use::label},
    counted("idx_blks_read", "pg_statio_user_indexes_idx_blks_read_total", "Blocks of the index read from disk."),
    counted("idx_blks_hit", "pg_statio_user_indexes_idx_blks_hit_total",
            "Blocks of the index found in shared_buffers."),
};

constexpr Query queries[] = {{.name = "statio_user_indexes",
                              .from_version = 90'600,
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, s.indexrelid, s.schemaname, s.relname, s.indexrelname,
       s.idx_blks_read, s.idx_blks_hit
  FROM pg_catalog.pg_statio_user_indexes s
 ORDER BY 3, 4, 5)",
                              .columns = columns,
                              .max_rows = 50'000}};

}  // namespace

constinit const Collector statio_user_indexes_collector{.name = "statio_user_indexes",
                                                        .runs = Default::off,
                                                        .ttl = std::chrono::seconds(60),
                                                        .queries = queries,
                                                        .scope = Scope::database,
                                                        .reads_stats = true,
                                                        .make_treatment = make_top_indexes};

}  // namespace midst::sources
