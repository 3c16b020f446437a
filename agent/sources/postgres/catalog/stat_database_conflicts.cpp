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

constexpr OptionalColumn optional[] = {
    {"pg_stat_database_conflicts", "confl_active_logicalslot", "c.confl_active_logicalslot"},
};

constexpr Query queries[] = {{.name = "stat_database_conflicts",
                              .from_version = 90'600,
                              .sql = R"(
SELECT c.datid, c.datname, c.confl_tablespace, c.confl_lock, c.confl_snapshot, c.confl_bufferpin,
       c.confl_deadlock{optional}
  FROM pg_catalog.pg_stat_database_conflicts c
 ORDER BY c.datid)",
                              .columns = columns,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_database_conflicts_collector{
    .name = "stat_database_conflicts", .queries = queries, .has_server_label = true, .reads_stats = true};

}  // namespace midst::sources
