// pg_stat_database_conflicts: queries cancelled on a standby, by cause. Carries the server label, as in the exporter.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datid", Use::label},
    {"datname", Use::label},
    {"confl_tablespace", Use::counter, "pg_stat_database_conflicts_confl_tablespace",
     "Queries cancelled because a tablespace was dropped."},
    {"confl_lock", Use::counter, "pg_stat_database_conflicts_confl_lock",
     "Queries cancelled because of lock time-outs."},
    {"confl_snapshot", Use::counter, "pg_stat_database_conflicts_confl_snapshot",
     "Queries cancelled because their snapshot was too old."},
    {"confl_bufferpin", Use::counter, "pg_stat_database_conflicts_confl_bufferpin",
     "Queries cancelled because they pinned a buffer."},
    {"confl_deadlock", Use::counter, "pg_stat_database_conflicts_confl_deadlock",
     "Queries cancelled because of deadlocks."},
    {"confl_active_logicalslot", Use::counter, "pg_stat_database_conflicts_confl_active_logicalslot",
     "Logical slots invalidated by recovery (16 and later)."},
};

constexpr Query queries[] = {{.name = "stat_database_conflicts",
                              .before_version = 160'000,
                              .sql = R"(
SELECT datid, datname, confl_tablespace, confl_lock, confl_snapshot, confl_bufferpin, confl_deadlock
  FROM pg_catalog.pg_stat_database_conflicts
 ORDER BY datid)",
                              .columns = columns},
                             {.name = "stat_database_conflicts",
                              .from_version = 160'000,
                              .sql = R"(
SELECT datid, datname, confl_tablespace, confl_lock, confl_snapshot, confl_bufferpin, confl_deadlock,
       confl_active_logicalslot
  FROM pg_catalog.pg_stat_database_conflicts
 ORDER BY datid)",
                              .columns = columns}};

}  // namespace

constinit const Collector stat_database_conflicts_collector{
    .name = "stat_database_conflicts", .queries = queries, .has_server_label = true};

}  // namespace midst::sources
