// The WAL directory. Needs pg_monitor.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"segments", Use::gauge, "pg_wal_segments", "WAL segment files in pg_wal."},
    {"size_bytes", Use::gauge, "pg_wal_size_bytes", "Size of the WAL segment files in pg_wal."},
};

constexpr Query queries[] = {{.name = "wal",
                              .sql = R"(
SELECT pg_catalog.count(*) AS segments, pg_catalog.sum(size) AS size_bytes
  FROM pg_catalog.pg_ls_waldir()
 WHERE name ~ '^[0-9A-F]{24}$')",
                              .columns = columns}};

}  // namespace

constinit const Collector wal_collector{.name = "wal", .queries = queries};

}  // namespace midst::sources
