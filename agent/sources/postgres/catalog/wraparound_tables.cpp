// The one table of each database that holds its datfrozenxid back, and the one that holds its datminmxid back; a TOAST
// table counts as its table.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    {"xid_age", Use::gauge, "pg_wraparound_oldest_table_xid_age",
     "Transactions since the oldest unfrozen one of the database's oldest table."},
    {"mxid_age", Use::gauge, "pg_wraparound_oldest_table_multixact_age",
     "Multixacts since the oldest one of the database's oldest table."},
};

constexpr Query queries[] = {{.name = "wraparound_tables",
                              .sql = R"(
WITH ages AS (
  SELECT c.oid, c.relname, c.relnamespace,
         greatest(pg_catalog.age(c.relfrozenxid), pg_catalog.age(t.relfrozenxid)) AS xid_age,
         greatest(pg_catalog.mxid_age(c.relminmxid), pg_catalog.mxid_age(t.relminmxid)) AS mxid_age
    FROM pg_catalog.pg_class c
    LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
   WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'),
oldest AS (
  (SELECT oid, relname, relnamespace, xid_age, NULL::integer AS mxid_age FROM ages ORDER BY xid_age DESC, oid LIMIT 1)
  UNION ALL
  (SELECT oid, relname, relnamespace, NULL, mxid_age FROM ages ORDER BY mxid_age DESC, oid LIMIT 1))
SELECT pg_catalog.current_database() AS datname, n.nspname AS schemaname, o.relname, o.xid_age, o.mxid_age
  FROM oldest o JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace)",
                              .columns = columns}};

}  // namespace

constinit const Collector wraparound_tables_collector{
    .name = "wraparound_tables", .ttl = std::chrono::seconds(300), .queries = queries, .scope = Scope::database};

}  // namespace midst::sources
