// pg_database: size and connection limit of each database. The size walks the database's files (about 40 ms for 5 000
// tables) and takes no lock, so the answer is kept for five minutes. A database this role may not look into, or that
// was dropped while the others were measured, is left out instead of failing the rest.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"size_bytes", Use::gauge, "pg_database_size_bytes", "Disk space of the database."},
    {"datconnlimit", Use::gauge, "pg_database_connection_limit",
     "Connections the database allows; -1 is no limit, -2 an interrupted DROP DATABASE."},
    {"is_invalid", Use::gauge, "pg_database_invalid",
     "Whether a DROP DATABASE was interrupted and the database can only be dropped."},
};

// has_database_privilege() of an OID is NULL once the database is gone, where pg_database_size() would fail.
constexpr Query queries[] = {{.name = "database",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT d.datname, d.datconnlimit, (d.datconnlimit = -2) AS is_invalid,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid)
       END AS size_bytes
  FROM pg_catalog.pg_database d
 ORDER BY d.datname)",
                              .columns = columns},
                             {.name = "database",
                              .sql = R"(
SELECT d.datname, d.datconnlimit, (d.datconnlimit = -2) AS is_invalid,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
              OR (NOT pg_catalog.has_database_privilege(d.oid, 'CONNECT') AND m.is_granted)
            THEN pg_catalog.pg_database_size(d.oid) END AS size_bytes
  FROM pg_catalog.pg_database d
 CROSS JOIN (SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS is_granted) AS m
 ORDER BY d.datname)",
                              .columns = columns}};

}  // namespace

constinit const Collector database_collector{.name = "database", .ttl = std::chrono::seconds(300), .queries = queries};

}  // namespace midst::sources
