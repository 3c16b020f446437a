// The explicit list of all collectors; its order is the order of execution and of the page.
#pragma once

#include "agent/sources/postgres/query.hpp"

#include <span>

namespace midst::sources {

/// Every Postgres collector, those that are off by default included.
[[nodiscard]] std::span<const Collector> postgres_catalog() noexcept;

/// pg_static, and when the server last read its configuration (column conf_load_time, no metric). Runs with every
/// scrape, before the collectors, and is none itself.
[[nodiscard]] const Query& instance_query() noexcept;

/// The SHOW commands of a PgBouncer console, in the order in which they are sent; `sql` is the command.
[[nodiscard]] std::span<const Collector> pgbouncer_catalog() noexcept;

// One constant per file of catalog/, so that a metric's name is found by one grep and its SQL stands beside it.
extern const Collector autovacuum_queue_collector;
extern const Collector backend_memory_collector;
extern const Collector bloat_collector;
extern const Collector blocking_collector;
extern const Collector buffercache_summary_collector;
extern const Collector config_files_collector;
extern const Collector connections_collector;
extern const Collector database_collector;
extern const Collector database_list_collector;  ///< Not in the list: the source adds it where it is needed.
extern const Collector database_wraparound_collector;
extern const Collector general_index_info_collector;
extern const Collector indexes_collector;
extern const Collector locks_collector;
extern const Collector long_running_transactions_collector;
extern const Collector postmaster_collector;
extern const Collector prepared_transactions_collector;
extern const Collector process_idle_collector;
extern const Collector replication_collector;
extern const Collector replication_slots_collector;
extern const Collector roles_collector;
extern const Collector sequences_collector;
extern const Collector settings_collector;
extern const Collector settings_pending_collector;
extern const Collector stat_activity_collector;
extern const Collector stat_activity_autovacuum_collector;
extern const Collector stat_archiver_collector;
extern const Collector stat_bgwriter_collector;
extern const Collector stat_checkpointer_collector;
extern const Collector stat_database_collector;
extern const Collector stat_database_conflicts_collector;
extern const Collector stat_io_collector;
extern const Collector stat_progress_collector;
extern const Collector stat_progress_vacuum_collector;
extern const Collector stat_recovery_prefetch_collector;
extern const Collector stat_replication_collector;
extern const Collector stat_replication_slots_collector;
extern const Collector stat_slru_collector;
extern const Collector stat_ssl_collector;
extern const Collector stat_statements_collector;
extern const Collector stat_subscription_collector;
extern const Collector stat_user_tables_collector;
extern const Collector stat_wal_collector;
extern const Collector stat_wal_receiver_collector;
extern const Collector statio_user_indexes_collector;
extern const Collector statement_texts_collector;  ///< Not in the list: asked when there is something to ask for.
extern const Collector statio_user_tables_collector;
extern const Collector table_sizes_collector;
extern const Collector wait_samples_collector;  ///< Not in the list: the wait sampler asks it, see WaitSamples.
extern const Collector wal_collector;
extern const Collector wraparound_collector;
extern const Collector wraparound_tables_collector;
extern const Collector xlog_location_collector;
extern const Collector xmin_horizon_collector;

}  // namespace midst::sources
