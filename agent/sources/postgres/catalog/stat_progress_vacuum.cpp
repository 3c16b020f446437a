// pg_stat_progress_vacuum, by the view's named columns: since 17 the raw parameters mean bytes. A table of another
// database has its OID for a name, since its catalogue cannot be read from here. There is a row for each phase, of
// which the first alone has the numbers.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_table = 1;
constexpr LabelGroups by_phase = 2;

constexpr Column number(std::string_view column, std::string_view name, std::string_view help, double scale = 1) {
  return {.column = column, .name = name, .help = help, .scale = scale, .groups = by_table};
}

constexpr Column columns[] = {
    {"datname", Use::label},
    {"relname", Use::label},
    {.column = "phase", .use = Use::label, .groups = by_phase},
    {.column = "is_current",
     .name = "pg_stat_progress_vacuum_phase",
     .help = "Whether the vacuum is in this phase.",
     .groups = by_phase},
    number("heap_blks_total", "pg_stat_progress_vacuum_heap_blks", "Blocks of the table."),
    number("heap_blks_scanned", "pg_stat_progress_vacuum_heap_blks_scanned", "Blocks scanned so far."),
    number("heap_blks_vacuumed", "pg_stat_progress_vacuum_heap_blks_vacuumed", "Blocks vacuumed so far."),
    number("index_vacuum_count", "pg_stat_progress_vacuum_index_vacuums", "Rounds over the indexes so far."),
    number("max_dead_tuples", "pg_stat_progress_vacuum_max_dead_tuples",
           "Dead rows that fit into memory before the indexes must be vacuumed (up to 16)."),
    number("num_dead_tuples", "pg_stat_progress_vacuum_num_dead_tuples",
           "Dead rows collected since the last round over the indexes."),
    number("num_dead_item_ids", "pg_stat_progress_vacuum_num_dead_tuples",
           "Dead rows collected since the last round over the indexes."),
    number("max_dead_tuple_bytes", "pg_stat_progress_vacuum_max_dead_tuple_bytes",
           "Memory for dead rows before the indexes must be vacuumed (17 and later)."),
    number("dead_tuple_bytes", "pg_stat_progress_vacuum_dead_tuple_bytes",
           "Memory used for dead rows since the last round over the indexes (17 and later)."),
    number("indexes_total", "pg_stat_progress_vacuum_indexes", "Indexes of this round (17 and later)."),
    number("indexes_processed", "pg_stat_progress_vacuum_indexes_processed",
           "Indexes done in this round (17 and later)."),
    number("delay_time", "pg_stat_progress_vacuum_delay_seconds",
           "Time slept because of the cost delay; 0 unless track_cost_delay_timing is on (18 and later).", 1e-3),
};

constexpr OptionalColumn optional[] = {
    {"pg_stat_progress_vacuum", "max_dead_tuples", "CASE WHEN p.nr = 1 THEN v.max_dead_tuples END AS max_dead_tuples"},
    {"pg_stat_progress_vacuum", "num_dead_tuples", "CASE WHEN p.nr = 1 THEN v.num_dead_tuples END AS num_dead_tuples"},
    {"pg_stat_progress_vacuum", "num_dead_item_ids",
     "CASE WHEN p.nr = 1 THEN v.num_dead_item_ids END AS num_dead_item_ids"},
    {"pg_stat_progress_vacuum", "max_dead_tuple_bytes",
     "CASE WHEN p.nr = 1 THEN v.max_dead_tuple_bytes END AS max_dead_tuple_bytes"},
    {"pg_stat_progress_vacuum", "dead_tuple_bytes",
     "CASE WHEN p.nr = 1 THEN v.dead_tuple_bytes END AS dead_tuple_bytes"},
    {"pg_stat_progress_vacuum", "indexes_total", "CASE WHEN p.nr = 1 THEN v.indexes_total END AS indexes_total"},
    {"pg_stat_progress_vacuum", "indexes_processed",
     "CASE WHEN p.nr = 1 THEN v.indexes_processed END AS indexes_processed"},
    {"pg_stat_progress_vacuum", "delay_time", "CASE WHEN p.nr = 1 THEN v.delay_time END AS delay_time"},
};

constexpr Query queries[] = {{.name = "stat_progress_vacuum",
                              .from_version = 90'600,
                              .sql = R"(
SELECT v.datname,
       coalesce(CASE n.nspname WHEN 'public' THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END
                  || pg_catalog.quote_ident(c.relname), v.relid::text) AS relname,
       p.phase, coalesce(v.phase = p.phase, false) AS is_current,
       CASE WHEN p.nr = 1 THEN v.heap_blks_total END AS heap_blks_total,
       CASE WHEN p.nr = 1 THEN v.heap_blks_scanned END AS heap_blks_scanned,
       CASE WHEN p.nr = 1 THEN v.heap_blks_vacuumed END AS heap_blks_vacuumed,
       CASE WHEN p.nr = 1 THEN v.index_vacuum_count END AS index_vacuum_count{optional}
  FROM pg_catalog.pg_stat_progress_vacuum v
  LEFT JOIN pg_catalog.pg_class c ON c.oid = v.relid AND v.datname = pg_catalog.current_database()
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN (VALUES (1, 'initializing'::text), (2, 'scanning heap'), (3, 'vacuuming indexes'), (4, 'vacuuming heap'),
                    (5, 'cleaning up indexes'), (6, 'truncating heap'), (7, 'performing final cleanup')) AS p(nr, phase)
 ORDER BY v.pid, p.nr)",
                              .columns = columns,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_progress_vacuum_collector{.name = "stat_progress_vacuum", .queries = queries};

}  // namespace midst::sources
