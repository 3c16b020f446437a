// pg_stat_archiver. The age is left out until something was archived.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"archived_count", Use::counter, "pg_stat_archiver_archived_count", "WAL files archived."},
    {"failed_count", Use::counter, "pg_stat_archiver_failed_count", "Failed attempts to archive a WAL file."},
    {"last_archive_age", Use::gauge, "pg_stat_archiver_last_archive_age",
     "Seconds since a WAL file was archived last."},
};

constexpr Query queries[] = {{.name = "stat_archiver",
                              .sql = R"(
SELECT archived_count, failed_count,
       EXTRACT(EPOCH FROM pg_catalog.now() - last_archived_time) AS last_archive_age
  FROM pg_catalog.pg_stat_archiver)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_archiver_collector{.name = "stat_archiver", .queries = queries};

}  // namespace midst::sources
