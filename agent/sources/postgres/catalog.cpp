#include "agent/sources/postgres/catalog.hpp"

#include <vector>

namespace midst::sources {

std::span<const Collector> postgres_catalog() noexcept {
  static const std::vector<Collector> collectors{autovacuum_queue_collector,
                                                 backend_memory_collector,
                                                 bloat_collector,
                                                 blocking_collector,
                                                 buffercache_summary_collector,
                                                 config_files_collector,
                                                 connections_collector,
                                                 database_collector,
                                                 database_wraparound_collector,
                                                 general_index_info_collector,
                                                 indexes_collector,
                                                 locks_collector,
                                                 long_running_transactions_collector,
                                                 postmaster_collector,
                                                 prepared_transactions_collector,
                                                 process_idle_collector,
                                                 replication_collector,
                                                 replication_slots_collector,
                                                 roles_collector,
                                                 sequences_collector,
                                                 settings_collector,
                                                 settings_pending_collector,
                                                 stat_activity_collector,
                                                 stat_activity_autovacuum_collector,
                                                 stat_archiver_collector,
                                                 stat_bgwriter_collector,
                                                 stat_checkpointer_collector,
                                                 stat_database_collector,
                                                 stat_database_conflicts_collector,
                                                 stat_io_collector,
                                                 stat_progress_collector,
                                                 stat_progress_vacuum_collector,
                                                 stat_recovery_prefetch_collector,
                                                 stat_replication_collector,
                                                 stat_replication_slots_collector,
                                                 stat_slru_collector,
                                                 stat_ssl_collector,
                                                 stat_statements_collector,
                                                 stat_subscription_collector,
                                                 stat_user_tables_collector,
                                                 stat_wal_collector,
                                                 stat_wal_receiver_collector,
                                                 statio_user_indexes_collector,
                                                 statio_user_tables_collector,
                                                 table_sizes_collector,
                                                 wal_collector,
                                                 wraparound_collector,
                                                 wraparound_tables_collector,
                                                 xlog_location_collector,
                                                 xmin_horizon_collector};
  return collectors;
}

}  // namespace midst::sources
