// Indexes that only cost: never scanned, invalid, the same as another, or the beginning of another. Sizes are those of
// the last VACUUM or ANALYZE (relpages). What upholds a constraint, uniqueness or a replica identity is never "unused".
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_index = 1;
constexpr LabelGroups by_kind = 2;
constexpr LabelGroups by_database = 4;

constexpr Column columns[] = {
    {.column = "datname", .use = Use::label},
    {.column = "kind", .use = Use::label, .groups = by_kind | by_index},
    {.column = "schemaname", .use = Use::label, .groups = by_index},
    {.column = "relname", .use = Use::label, .groups = by_index},
    {.column = "indexrelname", .use = Use::label, .groups = by_index},
    {.column = "indexes",
     .use = Use::gauge,
     .name = "pg_index_health_indexes",
     .help = "Indexes that are unused (no scan since the statistics began), invalid, duplicate (the same as another) "
             "or redundant (the beginning of another).",
     .groups = by_kind},
    {.column = "bytes",
     .use = Use::gauge,
     .name = "pg_index_health_bytes",
     .help = "Size of these indexes at the last VACUUM or ANALYZE.",
     .groups = by_kind},
    {.column = "index_bytes",
     .use = Use::gauge,
     .name = "pg_index_health_index_bytes",
     .help = "Size of an index that is invalid, or unused and of at least 10 MB; the 50 largest of each.",
     .groups = by_index},
    {.column = "stats_age",
     .use = Use::gauge,
     .name = "pg_index_health_stats_age_seconds",
     .help = "Time over which unused indexes were not used: since the database's statistics were reset or, where that "
             "is not known, since the server was started.",
     .groups = by_database},
};

// The array below: the key columns among all columns (11 and later), whether the index is being built (12 and later).
constexpr OptionalColumn newer[] = {
    {"pg_index", "indnkeyatts", "i.indnkeyatts::integer"},
    {"pg_stat_progress_create_index", "index_relid",
     "EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)::integer"},
};

// Trees of expressions and predicates hold the place in the text they were parsed from, which is not compared.
constexpr Query queries[] = {{.name = "indexes",
                              .sql = R"(
WITH read AS (
  SELECT i.indexrelid, i.indrelid, x.relname, x.relpages, x.relam, i.indisvalid, i.indisunique, i.indnatts,
         ARRAY[0{optional}] AS newer, i.indkey::text || ' ' AS keys, i.indclass::text || ' ' AS classes,
         i.indcollation::text || ' ' AS collations, i.indoption::text || ' ' AS options,
         pg_catalog.regexp_replace(coalesce(i.indexprs::text, ''), ':location -?[0-9]+', '', 'g') AS expressions,
         pg_catalog.regexp_replace(coalesce(i.indpred::text, ''), ':location -?[0-9]+', '', 'g') AS predicate,
         i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident
           OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) AS is_needed
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
   WHERE x.relkind = 'i' AND r.relkind IN ('r', 'm') AND r.relpersistence <> 't'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')),
indexes AS (
  SELECT indexrelid, indrelid, relname, relpages, relam, indisvalid, indisunique, indnatts, keys, classes, collations,
         options, expressions, predicate, is_needed, least(indnatts, newer[2]) AS key_count,
         coalesce(newer[3], 0) = 1 AS is_being_built
    FROM read),
problems AS (
  SELECT indexrelid, indrelid, relname, relpages, 'unused' AS kind
    FROM indexes
   WHERE indisvalid AND NOT is_needed AND pg_catalog.pg_stat_get_numscans(indexrelid) = 0
   UNION ALL
  SELECT indexrelid, indrelid, relname, relpages, 'invalid' FROM indexes WHERE NOT indisvalid AND NOT is_being_built
   UNION ALL
  SELECT i.indexrelid, i.indrelid, i.relname, i.relpages, 'duplicate'
    FROM indexes i
   WHERE i.indisvalid AND EXISTS (
     SELECT FROM indexes o
      WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND o.indisvalid AND o.relam = i.relam
        AND o.keys = i.keys AND o.key_count = i.key_count AND o.classes = i.classes AND o.collations = i.collations
        AND o.options = i.options AND o.expressions = i.expressions AND o.predicate = i.predicate
        AND (CASE WHEN o.is_needed = i.is_needed THEN o.indexrelid < i.indexrelid ELSE o.is_needed END))
   UNION ALL
  SELECT i.indexrelid, i.indrelid, i.relname, i.relpages, 'redundant'
    FROM indexes i
    JOIN pg_catalog.pg_am m ON m.oid = i.relam
   WHERE m.amname = 'btree' AND i.indisvalid AND NOT i.is_needed AND i.expressions = '' AND i.key_count = i.indnatts
     AND EXISTS (
     SELECT FROM indexes o
      WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid AND o.indisvalid AND o.relam = i.relam
        AND o.key_count > i.key_count AND o.predicate = i.predicate
        AND pg_catalog.left(o.keys, pg_catalog.length(i.keys)) = i.keys
        AND pg_catalog.left(o.classes, pg_catalog.length(i.classes)) = i.classes
        AND pg_catalog.left(o.collations, pg_catalog.length(i.collations)) = i.collations
        AND pg_catalog.left(o.options, pg_catalog.length(i.options)) = i.options)),
large AS (
  SELECT kind, indrelid, relname, relpages,
         pg_catalog.row_number() OVER (PARTITION BY kind ORDER BY relpages DESC, indexrelid) AS place
    FROM problems
   WHERE kind = 'invalid'
      OR (kind = 'unused'
          AND relpages >= 10485760 / pg_catalog.current_setting('block_size')::integer))
SELECT pg_catalog.current_database() AS datname, k.kind, NULL::name AS schemaname, NULL::name AS relname,
       NULL::name AS indexrelname, pg_catalog.count(p.indexrelid) AS indexes,
       coalesce(pg_catalog.sum(p.relpages::bigint), 0) * pg_catalog.current_setting('block_size')::integer AS bytes,
       NULL::bigint AS index_bytes, NULL::float8 AS stats_age
  FROM (VALUES ('unused'), ('invalid'), ('duplicate'), ('redundant')) AS k(kind)
  LEFT JOIN problems p ON p.kind = k.kind
 GROUP BY k.kind
 UNION ALL
SELECT pg_catalog.current_database(), l.kind, n.nspname, r.relname, l.relname, NULL, NULL,
       l.relpages::bigint * pg_catalog.current_setting('block_size')::integer, NULL
  FROM large l
  JOIN pg_catalog.pg_class r ON r.oid = l.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 WHERE l.place <= 50
 UNION ALL
SELECT d.datname, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       EXTRACT(EPOCH FROM pg_catalog.now() - coalesce(pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
                                                      pg_catalog.pg_postmaster_start_time()))
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())",
                              .columns = columns,
                              .optional = newer}};

}  // namespace

constinit const Collector indexes_collector{.name = "indexes",
                                            .ttl = std::chrono::seconds(300),
                                            .queries = queries,
                                            .scope = Scope::database,
                                            .timeout = std::chrono::seconds(5),
                                            .reads_stats = true};

}  // namespace midst::sources
