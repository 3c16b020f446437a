// Progress of all long commands under one set of names, so that one rule tells when each of them will be done; VACUUM
// has its own, older names as well. Of several commands of a kind on one table the one that began first is shown.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_command = 1;
constexpr LabelGroups by_phase = 2;
constexpr LabelGroups by_unit = 4;

constexpr Column columns[] = {
    {.column = "command", .use = Use::label},
    {.column = "datname", .use = Use::label},
    {.column = "relname", .use = Use::label},
    {.column = "phase", .use = Use::label, .groups = by_phase},
    {.column = "unit", .use = Use::label, .groups = by_unit},
    {.column = "phase",
     .use = Use::presence,
     .name = "pg_progress_phase",
     .help = "The phase the command is in, as a label.",
     .groups = by_phase},
    {.column = "commands",
     .use = Use::gauge,
     .name = "pg_progress_commands",
     .help = "Commands of this kind that run on the table.",
     .groups = by_command},
    {.column = "done",
     .use = Use::gauge,
     .name = "pg_progress_done",
     .help = "Units of the phase that are done.",
     .groups = by_unit},
    {.column = "total",
     .use = Use::gauge,
     .name = "pg_progress_total",
     .help = "Units of the phase; left out where the server does not know.",
     .groups = by_unit},
    {.column = "ratio",
     .use = Use::gauge,
     .name = "pg_progress_ratio",
     .help = "The part of the phase that is done, 0 to 1.",
     .groups = by_command},
    {.column = "running",
     .use = Use::gauge,
     .name = "pg_progress_running_seconds",
     .help = "How long the command has been running.",
     .groups = by_command},
};

constexpr std::size_t most_commands = 50;

constexpr Query queries[] = {{.name = "stat_progress",
                              .before_version = 120'000,
                              .sql = R"(
SELECT DISTINCT ON (p.command, p.datname, p.relid) p.command, p.datname,
       CASE WHEN p.datname = pg_catalog.current_database()
            THEN pg_catalog.regexp_replace(p.relid::pg_catalog.regclass::text, '^public[.]', '')
            ELSE p.relid::text END AS relname,
       p.phase, p.unit, p.done, p.total, p.done / p.total::float8 AS ratio,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.query_start) AS running,
       pg_catalog.count(*) OVER (PARTITION BY p.command, p.datname, p.relid) AS commands
  FROM (SELECT 'vacuum' AS command, pid, datname, relid, phase, 'blocks' AS unit, heap_blks_scanned AS done,
               nullif(heap_blks_total, 0) AS total
          FROM pg_catalog.pg_stat_progress_vacuum) AS p
  LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a ON true
 ORDER BY p.command, p.datname, p.relid, a.query_start)",
                              .columns = columns,
                              .max_rows = most_commands},
                             {.name = "stat_progress",
                              .from_version = 120'000,
                              .before_version = 130'000,
                              .sql = R"(
SELECT DISTINCT ON (p.command, p.datname, p.relid) p.command, p.datname,
       CASE WHEN p.datname = pg_catalog.current_database()
            THEN pg_catalog.regexp_replace(p.relid::pg_catalog.regclass::text, '^public[.]', '')
            ELSE p.relid::text END AS relname,
       p.phase, p.unit, p.done, p.total, p.done / p.total::float8 AS ratio,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.query_start) AS running,
       pg_catalog.count(*) OVER (PARTITION BY p.command, p.datname, p.relid) AS commands
  FROM (SELECT 'vacuum' AS command, pid, datname, relid, phase, 'blocks' AS unit, heap_blks_scanned AS done,
               nullif(heap_blks_total, 0) AS total
          FROM pg_catalog.pg_stat_progress_vacuum
         UNION ALL
        SELECT 'create_index', pid, datname, relid, phase, u.unit,
               CASE u.unit WHEN 'lockers' THEN lockers_done WHEN 'tuples' THEN tuples_done ELSE blocks_done END,
               nullif(CASE u.unit WHEN 'lockers' THEN lockers_total WHEN 'tuples' THEN tuples_total
                                  ELSE blocks_total END, 0)
          FROM pg_catalog.pg_stat_progress_create_index
         CROSS JOIN LATERAL (SELECT CASE WHEN phase LIKE 'waiting%' THEN 'lockers'
                                         WHEN phase LIKE '%loading tuples%' THEN 'tuples' ELSE 'blocks' END) AS u(unit)
         UNION ALL
        SELECT 'cluster', pid, datname, relid, phase, 'blocks', heap_blks_scanned, nullif(heap_blks_total, 0)
          FROM pg_catalog.pg_stat_progress_cluster) AS p
  LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a ON true
 ORDER BY p.command, p.datname, p.relid, a.query_start)",
                              .columns = columns,
                              .max_rows = most_commands},
                             {.name = "stat_progress",
                              .from_version = 130'000,
                              .before_version = 140'000,
                              .sql = R"(
SELECT DISTINCT ON (p.command, p.datname, p.relid) p.command, p.datname,
       CASE WHEN p.datname = pg_catalog.current_database()
            THEN pg_catalog.regexp_replace(p.relid::pg_catalog.regclass::text, '^public[.]', '')
            ELSE p.relid::text END AS relname,
       p.phase, p.unit, p.done, p.total, p.done / p.total::float8 AS ratio,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.query_start) AS running,
       pg_catalog.count(*) OVER (PARTITION BY p.command, p.datname, p.relid) AS commands
  FROM (SELECT 'vacuum' AS command, pid, datname, relid, phase, 'blocks' AS unit, heap_blks_scanned AS done,
               nullif(heap_blks_total, 0) AS total
          FROM pg_catalog.pg_stat_progress_vacuum
         UNION ALL
        SELECT 'create_index', pid, datname, relid, phase, u.unit,
               CASE u.unit WHEN 'lockers' THEN lockers_done WHEN 'tuples' THEN tuples_done ELSE blocks_done END,
               nullif(CASE u.unit WHEN 'lockers' THEN lockers_total WHEN 'tuples' THEN tuples_total
                                  ELSE blocks_total END, 0)
          FROM pg_catalog.pg_stat_progress_create_index
         CROSS JOIN LATERAL (SELECT CASE WHEN phase LIKE 'waiting%' THEN 'lockers'
                                         WHEN phase LIKE '%loading tuples%' THEN 'tuples' ELSE 'blocks' END) AS u(unit)
         UNION ALL
        SELECT 'cluster', pid, datname, relid, phase, 'blocks', heap_blks_scanned, nullif(heap_blks_total, 0)
          FROM pg_catalog.pg_stat_progress_cluster
         UNION ALL
        SELECT 'analyze', pid, datname, relid, phase, 'blocks', sample_blks_scanned, nullif(sample_blks_total, 0)
          FROM pg_catalog.pg_stat_progress_analyze
         UNION ALL
        SELECT 'basebackup', pid, NULL, NULL, phase, 'bytes', backup_streamed, nullif(backup_total, 0)
          FROM pg_catalog.pg_stat_progress_basebackup) AS p
  LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a ON true
 ORDER BY p.command, p.datname, p.relid, a.query_start)",
                              .columns = columns,
                              .max_rows = most_commands},
                             {.name = "stat_progress",
                              .from_version = 140'000,
                              .sql = R"(
SELECT DISTINCT ON (p.command, p.datname, p.relid) p.command, p.datname,
       CASE WHEN p.datname = pg_catalog.current_database()
            THEN pg_catalog.regexp_replace(p.relid::pg_catalog.regclass::text, '^public[.]', '')
            ELSE p.relid::text END AS relname,
       p.phase, p.unit, p.done, p.total, p.done / p.total::float8 AS ratio,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.query_start) AS running,
       pg_catalog.count(*) OVER (PARTITION BY p.command, p.datname, p.relid) AS commands
  FROM (SELECT 'vacuum' AS command, pid, datname, relid, phase, 'blocks' AS unit, heap_blks_scanned AS done,
               nullif(heap_blks_total, 0) AS total
          FROM pg_catalog.pg_stat_progress_vacuum
         UNION ALL
        SELECT 'create_index', pid, datname, relid, phase, u.unit,
               CASE u.unit WHEN 'lockers' THEN lockers_done WHEN 'tuples' THEN tuples_done ELSE blocks_done END,
               nullif(CASE u.unit WHEN 'lockers' THEN lockers_total WHEN 'tuples' THEN tuples_total
                                  ELSE blocks_total END, 0)
          FROM pg_catalog.pg_stat_progress_create_index
         CROSS JOIN LATERAL (SELECT CASE WHEN phase LIKE 'waiting%' THEN 'lockers'
                                         WHEN phase LIKE '%loading tuples%' THEN 'tuples' ELSE 'blocks' END) AS u(unit)
         UNION ALL
        SELECT 'cluster', pid, datname, relid, phase, 'blocks', heap_blks_scanned, nullif(heap_blks_total, 0)
          FROM pg_catalog.pg_stat_progress_cluster
         UNION ALL
        SELECT 'analyze', pid, datname, relid, phase, 'blocks', sample_blks_scanned, nullif(sample_blks_total, 0)
          FROM pg_catalog.pg_stat_progress_analyze
         UNION ALL
        SELECT 'basebackup', pid, NULL, NULL, phase, 'bytes', backup_streamed, nullif(backup_total, 0)
          FROM pg_catalog.pg_stat_progress_basebackup
         UNION ALL
        SELECT 'copy', pid, datname, relid, pg_catalog.lower(command), 'bytes', bytes_processed,
               nullif(bytes_total, 0)
          FROM pg_catalog.pg_stat_progress_copy) AS p
  LEFT JOIN LATERAL pg_catalog.pg_stat_get_activity(p.pid) a ON true
 ORDER BY p.command, p.datname, p.relid, a.query_start)",
                              .columns = columns,
                              .max_rows = most_commands}};

}  // namespace

constinit const Collector stat_progress_collector{.name = "stat_progress", .queries = queries};

}  // namespace midst::sources
