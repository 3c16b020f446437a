#include "agent/sources/postgres/catalog.hpp"

#include <vector>

namespace midst::sources {

std::span<const Collector> postgres_catalog() noexcept {
  static const std::vector<Collector> collectors{database_collector,
                                                 locks_collector,
                                                 postmaster_collector,
                                                 replication_collector,
                                                 replication_slots_collector,
                                                 roles_collector,
                                                 settings_collector,
                                                 stat_activity_collector,
                                                 stat_archiver_collector,
                                                 stat_bgwriter_collector,
                                                 stat_checkpointer_collector,
                                                 stat_database_collector,
                                                 stat_database_conflicts_collector,
                                                 stat_progress_vacuum_collector,
                                                 stat_replication_collector,
                                                 stat_statements_collector,
                                                 stat_user_tables_collector,
                                                 statio_user_tables_collector,
                                                 wal_collector};
  return collectors;
}

}  // namespace midst::sources
