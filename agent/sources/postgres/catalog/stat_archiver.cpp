// pg_stat_archiver. The age and the times are left out until something was archived, or failed to be.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"archived_count", Use::counter, "pg_stat_archiver_archived_count", "WAL files archived."},
    {"failed_count", Use::counter, "pg_stat_archiver_failed_count", "Failed attempts to archive a WAL file."},
    {"last_archive_age", Use::gauge, "pg_stat_archiver_last_archive_age",
     "Seconds since a WAL file was archived last."},
    {"last_archived", Use::gauge, "pg_stat_archiver_last_archived_timestamp_seconds",
     "When a WAL file was archived last, in Unix time."},
    {"last_failed", Use::gauge, "pg_stat_archiver_last_failed_timestamp_seconds",
     "When archiving a WAL file failed last, in Unix time."},
    {"is_failing", Use::gauge, "pg_stat_archiver_failing", "Whether the last attempt to archive a WAL file failed."},
};

constexpr Query queries[] = {{.name = "stat_archiver",
                              .from_version = 90'600,
                              .sql = R"(
SELECT a.archived_count, a.failed_count,
       EXTRACT(EPOCH FROM pg_catalog.now() - a.last_archived_time) AS last_archive_age,
       EXTRACT(EPOCH FROM a.last_archived_time) AS last_archived,
       EXTRACT(EPOCH FROM a.last_failed_time) AS last_failed,
       coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) AS is_failing
  FROM pg_catalog.pg_stat_archiver a)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_archiver_collector{.name = "stat_archiver", .queries = queries, .reads_stats = true};

}  // namespace midst::sources
