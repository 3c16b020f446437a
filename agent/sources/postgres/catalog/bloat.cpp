// Estimates of the space that tables and btree indexes have and do not need, from what ANALYZE knows of their rows: the
// pages that so many rows of such a width would take, against the pages there are. Nothing is opened and nothing read
// but the catalogue. Rows of pg_stats are seen by who may read the column: pg_read_all_data (14 and later) or a
// superuser. Page and tuple layout: PostgreSQL 15 docs 73.6 and src/include/access/itup.h; checked 2026-11.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_relation = 1;
constexpr LabelGroups by_database = 2;

constexpr Column table_columns[] = {
    {.column = "datname", .use = Use::label},
    {.column = "schemaname", .use = Use::label, .groups = by_relation},
    {.column = "relname", .use = Use::label, .groups = by_relation},
    {.column = "real_size",
     .use = Use::gauge,
     .name = "pg_bloat_table_real_size",
     .help = "Size of the table in bytes at its last VACUUM or ANALYZE, without TOAST; the 50 with the most bloat.",
     .groups = by_relation},
    {.column = "bloat_size",
     .use = Use::gauge,
     .name = "pg_bloat_table_bloat_size",
     .help = "Estimate: bytes of the table that its rows do not need.",
     .groups = by_relation},
    {.column = "bloat_pct",
     .use = Use::gauge,
     .name = "pg_bloat_table_bloat_pct",
     .help = "Estimate: the part of the table that its rows do not need, in percent.",
     .groups = by_relation},
    {.column = "unknown",
     .use = Use::gauge,
     .name = "pg_bloat_table_unknown",
     .help = "Tables without an estimate: never analyzed, or the role may not read them.",
     .groups = by_database},
};

constexpr Column btree_columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    {"idxname", Use::label},
    {"real_size", Use::gauge, "pg_bloat_btree_real_size",
     "Size of the index in bytes at its last VACUUM or ANALYZE; the 50 with the most bloat."},
    {"bloat_size", Use::gauge, "pg_bloat_btree_bloat_size",
     "Estimate: bytes of the index that its entries do not need."},
    {"bloat_pct", Use::gauge, "pg_bloat_btree_bloat_pct",
     "Estimate: the part of the index that its entries do not need, in percent."},
};

constexpr Query queries[] = {{.name = "bloat_table",
                              .sql = R"(
WITH widths AS (
  SELECT s.schemaname, s.tablename, pg_catalog.count(*) AS known,
         pg_catalog.sum((1 - s.null_frac) * s.avg_width) AS data, pg_catalog.max(s.null_frac) > 0 AS has_nulls
    FROM pg_catalog.pg_stats s
   WHERE NOT s.inherited AND s.schemaname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   GROUP BY 1, 2),
tables AS (
  SELECT n.nspname, c.relname, c.relpages, c.reltuples, b.size AS block,
         coalesce((SELECT o.option_value::float8 FROM pg_catalog.pg_options_to_table(c.reloptions) o
                    WHERE o.option_name = 'fillfactor'), 100) / 100 AS fill,
         CASE WHEN w.known = (
                SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
              THEN pg_catalog.ceil((23 + CASE WHEN w.has_nulls THEN (c.relnatts + 7) / 8 ELSE 0 END) / 8.0) * 8
                     + pg_catalog.ceil(w.data / 8) * 8 + 4 END AS row_bytes
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN widths w ON w.schemaname = n.nspname AND w.tablename = c.relname
   CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
   WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')),
estimates AS (
  SELECT nspname, relname, relpages * block AS real_size, row_bytes IS NULL OR reltuples < 0 AS is_unknown,
         block * greatest(0, relpages
           - pg_catalog.ceil(reltuples / greatest(1, pg_catalog.floor((block - 24) * fill / row_bytes)))) AS bloat_size
    FROM tables)
(SELECT pg_catalog.current_database() AS datname, nspname AS schemaname, relname, real_size, bloat_size,
        100 * bloat_size / real_size AS bloat_pct, NULL::bigint AS unknown
   FROM estimates WHERE NOT is_unknown AND bloat_size > 0 AND real_size > 0
  ORDER BY bloat_size DESC, 2, 3 LIMIT 50)
 UNION ALL
SELECT pg_catalog.current_database(), NULL, NULL, NULL, NULL, NULL, pg_catalog.count(*) FILTER (WHERE is_unknown)
  FROM estimates)",
                              .columns = table_columns},
                             {.name = "bloat_btree",
                              .sql = R"(
WITH indexes AS (
  SELECT i.indexrelid, i.indrelid, n.nspname, r.relname, x.relname AS idxname, x.relpages, x.reltuples, i.indnatts,
         b.size AS block, i.indkey,
         coalesce((SELECT o.option_value::float8 FROM pg_catalog.pg_options_to_table(x.reloptions) o
                    WHERE o.option_name = 'fillfactor'), 90) / 100 AS fill
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
    JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree'
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
   CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b
   WHERE x.relkind = 'i' AND i.indisvalid AND r.relpersistence <> 't' AND x.relpages > 1 AND x.reltuples > 0
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')),
attributes AS (
  SELECT i.indexrelid, i.nspname, CASE WHEN k.attnum = 0 THEN i.idxname ELSE i.relname END AS tablename, a.attname
    FROM indexes i
   CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_catalog.pg_attribute a
      ON a.attrelid = CASE WHEN k.attnum = 0 THEN i.indexrelid ELSE i.indrelid END
     AND a.attnum = CASE WHEN k.attnum = 0 THEN k.place ELSE k.attnum END),
widths AS (
  SELECT a.indexrelid, pg_catalog.count(*) AS known, pg_catalog.sum((1 - s.null_frac) * s.avg_width) AS data,
         pg_catalog.max(s.null_frac) > 0 AS has_nulls
    FROM attributes a
    JOIN pg_catalog.pg_stats s ON s.schemaname = a.nspname AND s.tablename = a.tablename AND s.attname = a.attname
     AND NOT s.inherited
   GROUP BY 1),
estimates AS (
  SELECT i.nspname, i.relname, i.idxname, i.relpages * i.block AS real_size,
         i.block * greatest(0, i.relpages - 1 - pg_catalog.ceil(i.reltuples / greatest(1, pg_catalog.floor(
           (i.block - 40) * i.fill
             / (CASE WHEN w.has_nulls THEN 16 ELSE 8 END + pg_catalog.ceil(w.data / 8) * 8 + 4))))) AS bloat_size
    FROM indexes i JOIN widths w ON w.indexrelid = i.indexrelid AND w.known = i.indnatts)
SELECT pg_catalog.current_database() AS datname, nspname AS schemaname, relname, idxname, real_size, bloat_size,
       100 * bloat_size / real_size AS bloat_pct
  FROM estimates WHERE bloat_size > 0
 ORDER BY bloat_size DESC, 2, 3, 4 LIMIT 50)",
                              .columns = btree_columns}};

}  // namespace

constinit const Collector bloat_collector{.name = "bloat",
                                          .runs = Default::off,
                                          .ttl = std::chrono::seconds(3600),
                                          .queries = queries,
                                          .scope = Scope::database,
                                          .timeout = std::chrono::seconds(5)};

}  // namespace midst::sources
