// Use and size of the largest indexes under the names that public alert rules know from a widespread custom query. Off
// by default: the collector "indexes" says the same with fewer series.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    {"indexrelname", Use::label},
    {"idx_scan", Use::counter, "pg_general_index_info_idx_scan", "Scans begun on the index."},
    {"idx_tup_read", Use::counter, "pg_general_index_info_idx_tup_read", "Index entries returned by its scans."},
    {"idx_tup_fetch", Use::counter, "pg_general_index_info_idx_tup_fetch", "Live rows fetched by its simple scans."},
    {"relation_size", Use::gauge, "pg_general_index_info_pg_relation_size",
     "Size of the index in bytes at its last VACUUM or ANALYZE."},
};

constexpr Query queries[] = {{.name = "general_index_info",
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, s.schemaname, s.relname, s.indexrelname, s.idx_scan, s.idx_tup_read,
       s.idx_tup_fetch, c.relpages::bigint * pg_catalog.current_setting('block_size')::integer AS relation_size
  FROM (SELECT c.oid, c.relpages FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'i' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
         ORDER BY c.relpages DESC, c.oid LIMIT 500) AS c
  JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = c.oid)",
                              .columns = columns}};

}  // namespace

constinit const Collector general_index_info_collector{.name = "general_index_info",
                                                       .runs = Default::off,
                                                       .ttl = std::chrono::seconds(300),
                                                       .queries = queries,
                                                       .scope = Scope::database,
                                                       .reads_stats = true};

}  // namespace midst::sources
