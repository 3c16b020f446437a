// pg_stat_user_tables of the connected database. The sizes come from pg_class.relpages: pg_table_size() opens every
// relation, waits behind an AccessExclusiveLock and grew the backend by 55 MB over 5 000 tables.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/top/top_tables.hpp"

namespace midst::sources {
namespace {

constexpr Column counted(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::counter, .name = name, .help = help, .null = NullAs::zero};
}

/// NULL is "never": 0, since alerts compute an age from it.
constexpr Column time(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::gauge, .name = name, .help = help, .null = NullAs::zero};
}

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    counted("seq_scan", "pg_stat_user_tables_seq_scan", "Sequential scans begun on the table."),
    counted("seq_tup_read", "pg_stat_user_tables_seq_tup_read", "Live rows read by sequential scans."),
    counted("idx_scan", "pg_stat_user_tables_idx_scan", "Index scans begun on the table."),
    counted("idx_tup_fetch", "pg_stat_user_tables_idx_tup_fetch", "Live rows fetched by index scans."),
    counted("n_tup_ins", "pg_stat_user_tables_n_tup_ins", "Rows inserted."),
    counted("n_tup_upd", "pg_stat_user_tables_n_tup_upd", "Rows updated."),
    counted("n_tup_del", "pg_stat_user_tables_n_tup_del", "Rows deleted."),
    counted("n_tup_hot_upd", "pg_stat_user_tables_n_tup_hot_upd", "Rows updated without touching an index (HOT)."),
    {"n_live_tup", Use::gauge, "pg_stat_user_tables_n_live_tup", "Live rows, estimated."},
    {"n_dead_tup", Use::gauge, "pg_stat_user_tables_n_dead_tup", "Dead rows, estimated."},
    {"n_mod_since_analyze", Use::gauge, "pg_stat_user_tables_n_mod_since_analyze",
     "Rows changed since the last ANALYZE, estimated."},
    time("last_vacuum", "pg_stat_user_tables_last_vacuum", "Last manual VACUUM, in Unix time; 0 is never."),
    time("last_autovacuum", "pg_stat_user_tables_last_autovacuum", "Last autovacuum, in Unix time; 0 is never."),
    time("last_analyze", "pg_stat_user_tables_last_analyze", "Last manual ANALYZE, in Unix time; 0 is never."),
    time("last_autoanalyze", "pg_stat_user_tables_last_autoanalyze",
         "Last automatic ANALYZE, in Unix time; 0 is never."),
    counted("vacuum_count", "pg_stat_user_tables_vacuum_count", "Manual VACUUMs, without VACUUM FULL."),
    counted("autovacuum_count", "pg_stat_user_tables_autovacuum_count", "VACUUMs by autovacuum."),
    counted("analyze_count", "pg_stat_user_tables_analyze_count", "Manual ANALYZEs."),
    counted("autoanalyze_count", "pg_stat_user_tables_autoanalyze_count", "ANALYZEs by autovacuum."),
    {"index_size", Use::gauge, "pg_stat_user_tables_index_size_bytes",
     "Size of the table's indexes at its last VACUUM or ANALYZE; left out before the first."},
    {"table_size", Use::gauge, "pg_stat_user_tables_table_size_bytes",
     "Size of the table and its TOAST at its last VACUUM or ANALYZE; left out before the first."},
};

constexpr Query queries[] = {{.name = "stat_user_tables",
                              .sql = R"(
WITH indexes AS (
  SELECT i.indrelid, pg_catalog.sum(x.relpages) AS pages
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
   GROUP BY i.indrelid)
SELECT pg_catalog.current_database() AS datname, s.schemaname, s.relname, s.seq_scan, s.seq_tup_read, s.idx_scan,
       s.idx_tup_fetch, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd, s.n_live_tup, s.n_dead_tup,
       s.n_mod_since_analyze,
       EXTRACT(EPOCH FROM s.last_vacuum) AS last_vacuum, EXTRACT(EPOCH FROM s.last_autovacuum) AS last_autovacuum,
       EXTRACT(EPOCH FROM s.last_analyze) AS last_analyze, EXTRACT(EPOCH FROM s.last_autoanalyze) AS last_autoanalyze,
       s.vacuum_count, s.autovacuum_count, s.analyze_count, s.autoanalyze_count,
       CASE WHEN c.reltuples >= 0 THEN coalesce(i.pages, 0) * b.size END AS index_size,
       CASE WHEN c.reltuples >= 0
            THEN (c.relpages + coalesce(t.relpages, 0) + coalesce(ti.pages, 0)) * b.size END AS table_size
  FROM pg_catalog.pg_stat_user_tables s
  JOIN pg_catalog.pg_class c ON c.oid = s.relid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN indexes i ON i.indrelid = c.oid
  LEFT JOIN indexes ti ON ti.indrelid = t.oid
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
 ORDER BY s.schemaname, s.relname)",
                              .columns = columns,
                              .max_rows = 50'000}};

}  // namespace

constinit const Collector stat_user_tables_collector{.name = "stat_user_tables",
                                                     .queries = queries,
                                                     .scope = Scope::database,
                                                     .reads_stats = true,
                                                     .make_treatment = make_top_tables};

}  // namespace midst::sources
