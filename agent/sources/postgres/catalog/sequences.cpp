// Sequences that come to their end, and columns too small for what their sequence counts. Where a sequence stands is
// told only by opening it, which waits behind an AccessExclusiveLock and made the server's process grow by 4 kB for
// each: hence locked ones are passed over, and of more than 100 those with the most rows for their range are opened.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_sequence = 1;
constexpr LabelGroups by_column = 2;
constexpr LabelGroups by_reason = 4;

constexpr Column columns[] = {
    {.column = "datname", .use = Use::label},
    {.column = "schemaname", .use = Use::label, .groups = by_sequence | by_column},
    {.column = "sequencename", .use = Use::label, .groups = by_sequence},
    {.column = "relname", .use = Use::label, .groups = by_column},
    {.column = "attname", .use = Use::label, .groups = by_column},
    {.column = "used",
     .use = Use::gauge,
     .name = "pg_sequence_used_ratio",
     .help = "The part of a sequence's values that is used up; sequences from 0.5 that do not cycle.",
     .groups = by_sequence},
    {.column = "column_used",
     .use = Use::gauge,
     .name = "pg_sequence_column_used_ratio",
     .help = "Where the sequence of an integer or smallint column stands, as part of what the column can hold; from "
             "0.5.",
     .groups = by_column},
    {.column = "reason", .use = Use::label, .groups = by_reason},
    {.column = "skipped",
     .use = Use::gauge,
     .name = "pg_sequences_skipped",
     .help = "Sequences that were not looked at: the role may not (noperm), locked exclusively, or over the limit of "
             "100.",
     .groups = by_reason},
};

constexpr Query queries[] = {{.name = "sequences",
                              .sql = R"(
WITH locked AS (
  SELECT l.relation
    FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
   WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND d.datname = pg_catalog.current_database()),
owned AS (
  SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum
    FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')),
ranked AS (
  SELECT s.seqrelid AS oid, n.nspname, c.relname, s.seqincrement > 0 AS rises, s.seqmin::float8 AS seqmin,
         s.seqmax::float8 AS seqmax, s.seqcycle,
         pg_catalog.row_number() OVER (ORDER BY coalesce(
           greatest(t.reltuples, pg_catalog.pg_stat_get_tuples_inserted(t.oid)), 'Infinity')
             / (s.seqmax::float8 - s.seqmin + 1) DESC, s.seqrelid) AS place
    FROM pg_catalog.pg_sequence s
    JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN owned o ON o.sequence = s.seqrelid
    LEFT JOIN pg_catalog.pg_class t ON t.oid = o.relation
   WHERE c.relpersistence = 'p' OR (c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery())),
sequences AS (
  SELECT oid, nspname, relname, rises, seqmin, seqmax, seqcycle,
         CASE WHEN place > 100 THEN 'limit'
              WHEN oid IN (SELECT relation FROM locked) THEN 'locked'
              WHEN NOT coalesce(pg_catalog.has_sequence_privilege(oid, 'SELECT,USAGE'), false) THEN 'noperm'
         END AS skipped
    FROM ranked),
positions AS (
  SELECT oid, nspname, relname, rises, seqmin, seqmax, seqcycle,
         CASE WHEN skipped IS NULL THEN pg_catalog.pg_sequence_last_value(oid) END::float8 AS position
    FROM sequences),
used AS (
  SELECT nspname, relname, CASE WHEN rises THEN position - seqmin + 1 ELSE seqmax - position + 1 END
                             / (seqmax - seqmin + 1) AS ratio
    FROM positions WHERE NOT seqcycle AND position IS NOT NULL),
links AS (
  SELECT sequence, relation, attnum FROM owned
   UNION
  SELECT d.refobjid, v.adrelid, v.adnum
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attrdef v ON v.oid = d.objid
   WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'n'),
columns AS (
  SELECT n.nspname, c.relname, a.attname,
         pg_catalog.max(CASE WHEN p.rises THEN p.position ELSE -p.position END
                          / CASE a.atttypid WHEN 'pg_catalog.int2'::pg_catalog.regtype THEN 32767 ELSE 2147483647 END)
           AS ratio
    FROM positions p
    JOIN links k ON k.sequence = p.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.relation AND a.attnum = k.attnum
    JOIN pg_catalog.pg_class c ON c.oid = k.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE pg_catalog.abs(p.position) >= 16383 AND NOT a.attisdropped
     AND a.atttypid IN ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype)
   GROUP BY 1, 2, 3)
SELECT pg_catalog.current_database() AS datname, NULL::name AS schemaname, NULL::name AS sequencename,
       NULL::name AS relname, NULL::name AS attname, NULL::float8 AS used, NULL::float8 AS column_used, r.reason,
       pg_catalog.count(s.oid) AS skipped
  FROM (VALUES ('limit'), ('locked'), ('noperm')) AS r(reason) LEFT JOIN sequences s ON s.skipped = r.reason
 GROUP BY r.reason
 UNION ALL
(SELECT pg_catalog.current_database(), nspname, relname, NULL, NULL, ratio, NULL, NULL, NULL
   FROM used WHERE ratio >= 0.5 ORDER BY ratio DESC, nspname, relname LIMIT 100)
 UNION ALL
(SELECT pg_catalog.current_database(), nspname, NULL, relname, attname, NULL, ratio, NULL, NULL
   FROM columns WHERE ratio >= 0.5 ORDER BY ratio DESC, nspname, relname, attname LIMIT 100))",
                              .columns = columns}};

}  // namespace

constinit const Collector sequences_collector{.name = "sequences",
                                              .ttl = std::chrono::seconds(300),
                                              .queries = queries,
                                              .scope = Scope::database,
                                              .timeout = std::chrono::seconds(5),
                                              .reads_stats = true};

}  // namespace midst::sources
