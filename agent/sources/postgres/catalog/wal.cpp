// The WAL directory. Needs pg_monitor; before PostgreSQL 10 a superuser.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"segments", Use::gauge, "pg_wal_segments", "WAL segment files in pg_wal."},
    {"size_bytes", Use::gauge, "pg_wal_size_bytes", "Size of the WAL segment files in pg_wal."},
};

constexpr Query queries[] = {{.name = "wal",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT pg_catalog.count(*) AS segments, pg_catalog.sum(s.size) AS size_bytes
  FROM (SELECT (pg_catalog.pg_stat_file('pg_xlog/' || f.name, true)).size
          FROM pg_catalog.pg_ls_dir('pg_xlog') AS f(name)
         WHERE f.name ~ '^[0-9A-F]{24}$') AS s)",
                              .columns = columns},
                             {.name = "wal",
                              .sql = R"(
SELECT pg_catalog.count(*) AS segments, pg_catalog.sum(w.size) AS size_bytes
  FROM pg_catalog.pg_ls_waldir() w
 WHERE w.name ~ '^[0-9A-F]{24}$')",
                              .columns = columns}};

}  // namespace

constinit const Collector wal_collector{.name = "wal", .queries = queries};

}  // namespace midst::sources
