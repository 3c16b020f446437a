#include "agent/sources/redis/info/vitals.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

// Sorted: is_vital() searches it by halves. No family here has a label that grows with what clients do.
constexpr std::string_view names[] = {
    "redis_aof_last_write_status",
    "redis_blocked_clients",
    "redis_cluster_slots_fail",
    "redis_cluster_state",
    "redis_commands_processed_total",
    "redis_connected_clients",
    "redis_connected_slave_lag_seconds",
    "redis_connected_slaves",
    "redis_connections_received_total",
    "redis_cpu_sys_seconds_total",
    "redis_cpu_user_seconds_total",
    "redis_db_keys",
    "redis_evicted_keys_total",
    "redis_expired_keys_total",
    "redis_exporter_collector_success",
    "redis_exporter_last_scrape_duration_seconds",
    "redis_exporter_last_scrape_error",
    "redis_instance_info",
    "redis_instance_role",
    "redis_keyspace_hits_total",
    "redis_keyspace_misses_total",
    "redis_latest_fork_seconds",
    "redis_loading_dump_file",
    "redis_master_link_up",
    "redis_max_clients",
    "redis_mem_fragmentation_ratio",
    "redis_memory_max_bytes",
    "redis_memory_used_bytes",
    "redis_memory_used_rss_bytes",
    "redis_net_input_bytes_total",
    "redis_net_output_bytes_total",
    "redis_rdb_last_bgsave_status",
    "redis_rdb_last_save_timestamp_seconds",
    "redis_rejected_connections_total",
    "redis_sentinel_master_status",
    "redis_slowlog_length",
    "redis_start_time_seconds",
    "redis_total_error_replies",
    "redis_total_system_memory_bytes",
    "redis_up",
    "redis_uptime_in_seconds",
};
static_assert(std::is_sorted(std::begin(names), std::end(names)));

}  // namespace

bool is_vital(std::string_view family) noexcept {
  return std::binary_search(std::begin(names), std::end(names), family);
}

std::span<const std::string_view> vital_families() noexcept {
  return names;
}

}  // namespace midst::sources::redis_info
