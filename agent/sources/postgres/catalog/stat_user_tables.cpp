// pg_stat_user_tables of each database. The sizes come from pg_class.relpages: pg_table_size() opens every relation,
// waits behind an AccessExclusiveLock and grew the backend by 55 MB over 5 000 tables. The statement calls the
// functions that the view calls, because indexes are then summed once for both; with 5 000 tables it costs half of a
// join with the view.
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
     "Size of the table's indexes as of its last VACUUM or ANALYZE, or exact where table_sizes runs."},
    {"table_size", Use::gauge, "pg_stat_user_tables_table_size_bytes",
     "Size of the table and its TOAST as of its last VACUUM or ANALYZE, or exact where table_sizes runs."},
    {"n_ins_since_vacuum", Use::gauge, "pg_stat_user_tables_n_ins_since_vacuum",
     "Rows inserted since the last VACUUM, estimated (13 and later)."},
    {"n_tup_newpage_upd", Use::counter, "pg_stat_user_tables_n_tup_newpage_upd_total",
     "Rows updated whose new version went to another page (16 and later)."},
    {"last_seq_scan", Use::gauge, "pg_stat_user_tables_last_seq_scan_timestamp_seconds",
     "Last sequential scan, in Unix time; left out before the first (16 and later)."},
    {"last_idx_scan", Use::gauge, "pg_stat_user_tables_last_idx_scan_timestamp_seconds",
     "Last index scan, in Unix time; left out before the first (16 and later)."},
    {"total_vacuum_time", Use::counter, "pg_stat_user_tables_vacuum_seconds_total",
     "Time spent in manual VACUUMs (18 and later).", 1e-3},
    {"total_autovacuum_time", Use::counter, "pg_stat_user_tables_autovacuum_seconds_total",
     "Time spent in VACUUMs by autovacuum (18 and later).", 1e-3},
    {"total_analyze_time", Use::counter, "pg_stat_user_tables_analyze_seconds_total",
     "Time spent in manual ANALYZEs (18 and later).", 1e-3},
    {"total_autoanalyze_time", Use::counter, "pg_stat_user_tables_autoanalyze_seconds_total",
     "Time spent in ANALYZEs by autovacuum (18 and later).", 1e-3},
};

constexpr OptionalColumn optional[] = {
    {"pg_stat_all_tables", "n_ins_since_vacuum",
     "pg_catalog.pg_stat_get_ins_since_vacuum(c.oid) AS n_ins_since_vacuum"},
    {"pg_stat_all_tables", "n_tup_newpage_upd",
     "pg_catalog.pg_stat_get_tuples_newpage_updated(c.oid) AS n_tup_newpage_upd"},
    {"pg_stat_all_tables", "last_seq_scan",
     "EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_lastscan(c.oid)) AS last_seq_scan"},
    {"pg_stat_all_tables", "total_vacuum_time", "pg_catalog.pg_stat_get_total_vacuum_time(c.oid) AS total_vacuum_time"},
    {"pg_stat_all_tables", "total_autovacuum_time",
     "pg_catalog.pg_stat_get_total_autovacuum_time(c.oid) AS total_autovacuum_time"},
    {"pg_stat_all_tables", "total_analyze_time",
     "pg_catalog.pg_stat_get_total_analyze_time(c.oid) AS total_analyze_time"},
    {"pg_stat_all_tables", "total_autoanalyze_time",
     "pg_catalog.pg_stat_get_total_autoanalyze_time(c.oid) AS total_autoanalyze_time"},
};

// Nothing keeps the pages of a TOAST index up to date, so they are estimated: 20 bytes for each row, nine tenths full,
// a root and a first page; 1 where the TOAST is empty. Variants: the view has partitioned tables since 14, and indexes
// know their last scan since 16.
constexpr Query queries[] = {{.name = "stat_user_tables",
                              .from_version = 90'600,
                              .before_version = 140'000,
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, n.nspname AS schemaname, c.relname, c.oid AS relid,
       pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scan, pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_tup_read,
       i.scans AS idx_scan, i.fetched + pg_catalog.pg_stat_get_tuples_fetched(c.oid) AS idx_tup_fetch,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins,
       pg_catalog.pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS n_tup_del,
       pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
       pg_catalog.pg_stat_get_live_tuples(c.oid) AS n_live_tup,
       pg_catalog.pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
       pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) AS last_vacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) AS last_autovacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_analyze_time(c.oid)) AS last_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS last_autoanalyze,
       pg_catalog.pg_stat_get_vacuum_count(c.oid) AS vacuum_count,
       pg_catalog.pg_stat_get_autovacuum_count(c.oid) AS autovacuum_count,
       pg_catalog.pg_stat_get_analyze_count(c.oid) AS analyze_count,
       pg_catalog.pg_stat_get_autoanalyze_count(c.oid) AS autoanalyze_count,
       CASE WHEN c.reltuples >= 0 THEN coalesce(i.pages, 0) * b.size END AS index_size,
       CASE WHEN c.reltuples >= 0
            THEN (c.relpages + CASE WHEN t.oid IS NOT NULL
                                    THEN t.relpages + 2 + pg_catalog.ceil(t.reltuples / (b.size * 0.045))::bigint
                                    WHEN c.reltoastrelid <> 0 THEN 1 ELSE 0 END) * b.size
       END AS table_size{optional}
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT x.indrelid, pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) AS scans,
                    pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,
                    pg_catalog.sum(xc.relpages) AS pages
               FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class xc ON xc.oid = x.indexrelid
              WHERE xc.relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, 'pg_toast'::pg_catalog.regnamespace)
              GROUP BY x.indrelid) AS i ON i.indrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid AND t.relkind = 't' AND t.relpages > 0
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
 WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_toast%')",
                              .columns = columns,
                              .max_rows = 50'000,
                              .optional = optional},
                             {.name = "stat_user_tables",
                              .from_version = 140'000,
                              .before_version = 160'000,
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, n.nspname AS schemaname, c.relname, c.oid AS relid,
       pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scan, pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_tup_read,
       i.scans AS idx_scan, i.fetched + pg_catalog.pg_stat_get_tuples_fetched(c.oid) AS idx_tup_fetch,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins,
       pg_catalog.pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS n_tup_del,
       pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
       pg_catalog.pg_stat_get_live_tuples(c.oid) AS n_live_tup,
       pg_catalog.pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
       pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) AS last_vacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) AS last_autovacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_analyze_time(c.oid)) AS last_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS last_autoanalyze,
       pg_catalog.pg_stat_get_vacuum_count(c.oid) AS vacuum_count,
       pg_catalog.pg_stat_get_autovacuum_count(c.oid) AS autovacuum_count,
       pg_catalog.pg_stat_get_analyze_count(c.oid) AS analyze_count,
       pg_catalog.pg_stat_get_autoanalyze_count(c.oid) AS autoanalyze_count,
       CASE WHEN c.reltuples >= 0 THEN coalesce(i.pages, 0) * b.size END AS index_size,
       CASE WHEN c.reltuples >= 0
            THEN (c.relpages + CASE WHEN t.oid IS NOT NULL
                                    THEN t.relpages + 2 + pg_catalog.ceil(t.reltuples / (b.size * 0.045))::bigint
                                    WHEN c.reltoastrelid <> 0 THEN 1 ELSE 0 END) * b.size
       END AS table_size{optional}
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT x.indrelid, pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) AS scans,
                    pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,
                    pg_catalog.sum(xc.relpages) AS pages
               FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class xc ON xc.oid = x.indexrelid
              WHERE xc.relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, 'pg_toast'::pg_catalog.regnamespace)
              GROUP BY x.indrelid) AS i ON i.indrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid AND t.relkind = 't' AND t.relpages > 0
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
 WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_toast%')",
                              .columns = columns,
                              .max_rows = 50'000,
                              .optional = optional},
                             {.name = "stat_user_tables",
                              .from_version = 160'000,
                              .sql = R"(
SELECT pg_catalog.current_database() AS datname, n.nspname AS schemaname, c.relname, c.oid AS relid,
       pg_catalog.pg_stat_get_numscans(c.oid) AS seq_scan, pg_catalog.pg_stat_get_tuples_returned(c.oid) AS seq_tup_read,
       i.scans AS idx_scan, i.fetched + pg_catalog.pg_stat_get_tuples_fetched(c.oid) AS idx_tup_fetch,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS n_tup_ins,
       pg_catalog.pg_stat_get_tuples_updated(c.oid) AS n_tup_upd,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS n_tup_del,
       pg_catalog.pg_stat_get_tuples_hot_updated(c.oid) AS n_tup_hot_upd,
       pg_catalog.pg_stat_get_live_tuples(c.oid) AS n_live_tup,
       pg_catalog.pg_stat_get_dead_tuples(c.oid) AS n_dead_tup,
       pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS n_mod_since_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) AS last_vacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) AS last_autovacuum,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_analyze_time(c.oid)) AS last_analyze,
       EXTRACT(EPOCH FROM pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) AS last_autoanalyze,
       pg_catalog.pg_stat_get_vacuum_count(c.oid) AS vacuum_count,
       pg_catalog.pg_stat_get_autovacuum_count(c.oid) AS autovacuum_count,
       pg_catalog.pg_stat_get_analyze_count(c.oid) AS analyze_count,
       pg_catalog.pg_stat_get_autoanalyze_count(c.oid) AS autoanalyze_count,
       CASE WHEN c.reltuples >= 0 THEN coalesce(i.pages, 0) * b.size END AS index_size,
       CASE WHEN c.reltuples >= 0
            THEN (c.relpages + CASE WHEN t.oid IS NOT NULL
                                    THEN t.relpages + 2 + pg_catalog.ceil(t.reltuples / (b.size * 0.045))::bigint
                                    WHEN c.reltoastrelid <> 0 THEN 1 ELSE 0 END) * b.size
       END AS table_size, EXTRACT(EPOCH FROM i.last_scan) AS last_idx_scan{optional}
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT x.indrelid, pg_catalog.sum(pg_catalog.pg_stat_get_numscans(x.indexrelid)) AS scans,
                    pg_catalog.sum(pg_catalog.pg_stat_get_tuples_fetched(x.indexrelid)) AS fetched,
                    pg_catalog.sum(xc.relpages) AS pages,
                    pg_catalog.max(pg_catalog.pg_stat_get_lastscan(x.indexrelid)) AS last_scan
               FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class xc ON xc.oid = x.indexrelid
              WHERE xc.relnamespace NOT IN ('pg_catalog'::pg_catalog.regnamespace, 'pg_toast'::pg_catalog.regnamespace)
              GROUP BY x.indrelid) AS i ON i.indrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid AND t.relkind = 't' AND t.relpages > 0
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
 WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_toast%')",
                              .columns = columns,
                              .max_rows = 50'000,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_user_tables_collector{.name = "stat_user_tables",
                                                     .ttl = std::chrono::seconds(30),
                                                     .queries = queries,
                                                     .scope = Scope::database,
                                                     .reads_stats = true,
                                                     .make_treatment = make_top_tables};

}  // namespace midst::sources
