// pg_stat_progress_vacuum, by the view's named columns: since 17 the raw parameters mean bytes. A table of another
// database has its OID for a name, since its catalogue cannot be read from here.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column phase_columns[] = {
    {"datname", Use::label},
    {"relname", Use::label},
    {"phase", Use::label},
    {"is_current", Use::gauge, "pg_stat_progress_vacuum_phase", "Whether the vacuum is in this phase."},
};

constexpr Column columns[] = {
    {"datname", Use::label},
    {"relname", Use::label},
    {"heap_blks_total", Use::gauge, "pg_stat_progress_vacuum_heap_blks", "Blocks of the table."},
    {"heap_blks_scanned", Use::gauge, "pg_stat_progress_vacuum_heap_blks_scanned", "Blocks scanned so far."},
    {"heap_blks_vacuumed", Use::gauge, "pg_stat_progress_vacuum_heap_blks_vacuumed", "Blocks vacuumed so far."},
    {"index_vacuum_count", Use::gauge, "pg_stat_progress_vacuum_index_vacuums", "Rounds over the indexes so far."},
    {"max_dead_tuples", Use::gauge, "pg_stat_progress_vacuum_max_dead_tuples",
     "Dead rows that fit into memory before the indexes must be vacuumed (up to 16)."},
    {"num_dead_tuples", Use::gauge, "pg_stat_progress_vacuum_num_dead_tuples",
     "Dead rows collected since the last round over the indexes."},
    {"num_dead_item_ids", Use::gauge, "pg_stat_progress_vacuum_num_dead_tuples",
     "Dead rows collected since the last round over the indexes."},
    {"max_dead_tuple_bytes", Use::gauge, "pg_stat_progress_vacuum_max_dead_tuple_bytes",
     "Memory for dead rows before the indexes must be vacuumed (17 and later)."},
    {"dead_tuple_bytes", Use::gauge, "pg_stat_progress_vacuum_dead_tuple_bytes",
     "Memory used for dead rows since the last round over the indexes (17 and later)."},
    {"indexes_total", Use::gauge, "pg_stat_progress_vacuum_indexes", "Indexes of this round (17 and later)."},
    {"indexes_processed", Use::gauge, "pg_stat_progress_vacuum_indexes_processed",
     "Indexes done in this round (17 and later)."},
};

constexpr Query queries[] = {{.name = "stat_progress_vacuum_phase",
                              .sql = R"(
SELECT v.datname,
       coalesce(CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
                  || pg_catalog.quote_ident(c.relname), v.relid::text) AS relname,
       p.phase, coalesce(v.phase = p.phase, false) AS is_current
  FROM pg_catalog.pg_stat_progress_vacuum v
  LEFT JOIN pg_catalog.pg_class c ON c.oid = v.relid AND v.datname = pg_catalog.current_database()
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (VALUES ('initializing'), ('scanning heap'), ('vacuuming indexes'), ('vacuuming heap'),
                    ('cleaning up indexes'), ('truncating heap'), ('performing final cleanup')) AS p(phase))",
                              .columns = phase_columns},
                             {.name = "stat_progress_vacuum",
                              .before_version = 170'000,
                              .sql = R"(
SELECT v.datname,
       coalesce(CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
                  || pg_catalog.quote_ident(c.relname), v.relid::text) AS relname,
       v.heap_blks_total, v.heap_blks_scanned, v.heap_blks_vacuumed, v.index_vacuum_count, v.max_dead_tuples,
       v.num_dead_tuples
  FROM pg_catalog.pg_stat_progress_vacuum v
  LEFT JOIN pg_catalog.pg_class c ON c.oid = v.relid AND v.datname = pg_catalog.current_database()
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)",
                              .columns = columns},
                             {.name = "stat_progress_vacuum",
                              .from_version = 170'000,
                              .sql = R"(
SELECT v.datname,
       coalesce(CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
                  || pg_catalog.quote_ident(c.relname), v.relid::text) AS relname,
       v.heap_blks_total, v.heap_blks_scanned, v.heap_blks_vacuumed, v.index_vacuum_count, v.max_dead_tuple_bytes,
       v.dead_tuple_bytes, v.num_dead_item_ids, v.indexes_total, v.indexes_processed
  FROM pg_catalog.pg_stat_progress_vacuum v
  LEFT JOIN pg_catalog.pg_class c ON c.oid = v.relid AND v.datname = pg_catalog.current_database()
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_progress_vacuum_collector{.name = "stat_progress_vacuum", .queries = queries};

}  // namespace midst::sources
