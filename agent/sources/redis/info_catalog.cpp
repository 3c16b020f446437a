// INFO field → metric: one row per field whose value is the sample. Names and types are those that dashboards and
// alerts for Redis already use. Fields that become labels or whole families are read in info.cpp.
#include "agent/sources/redis/info.hpp"

#include <unordered_map>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricType;

constexpr std::string_view unit_of(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  if (name.ends_with("_bytes")) return "bytes";
  if (name.ends_with("_seconds")) return "seconds";
  return "";
}

constexpr Row gauge(std::string_view field, std::string_view name, std::string_view help) {
  return {field, {name, MetricType::gauge, unit_of(name), help}, 1};
}

constexpr Row counter(std::string_view field, std::string_view name, std::string_view help) {
  return {field, {name, MetricType::counter, unit_of(name), help}, 1};
}

constexpr double microseconds = 1e-6;

constexpr Row rows[] = {
    // Server
    gauge("uptime_in_seconds", "redis_uptime_in_seconds", "How long the server has been running."),
    gauge("process_id", "redis_process_id", "PID of the server on its own machine."),
    gauge("io_threads_active", "redis_io_threads_active", "1 while I/O threads share the load of sockets."),
    gauge("hz", "redis_hz", "How often a second the server runs its background work at present."),
    gauge("configured_hz", "redis_configured_hz", "The configured hz, which dynamic-hz may exceed."),

    // Clients
    gauge("connected_clients", "redis_connected_clients", "Client connections, replicas not counted."),
    gauge("blocked_clients", "redis_blocked_clients", "Clients waiting in a blocking call such as BLPOP or WAIT."),
    gauge("maxclients", "redis_max_clients", "The limit at which new connections are rejected."),
    gauge("cluster_connections", "redis_cluster_connections", "Sockets used by the cluster bus."),
    gauge("tracking_clients", "redis_tracking_clients", "Clients that use server-assisted client-side caching."),
    gauge("clients_in_timeout_table", "redis_clients_in_timeout_table", "Blocked clients that wait with a time-out."),
    gauge("pubsub_clients", "redis_pubsub_clients", "Clients in subscription mode."),
    gauge("watching_clients", "redis_watching_clients", "Clients with at least one WATCHed key."),
    gauge("total_watched_keys", "redis_total_watched_keys", "Keys under WATCH."),
    gauge("total_blocking_keys", "redis_total_blocking_keys", "Keys that at least one client is blocked on."),
    gauge("total_blocking_keys_on_nokey", "redis_total_blocking_keys_on_nokey",
          "Blocking keys whose clients also want to be woken when the key is deleted."),
    gauge("client_longest_output_list", "redis_client_longest_output_list",
          "Longest queue of replies that a client has not fetched (servers before 5.0)."),
    gauge("client_biggest_input_buf", "redis_client_biggest_input_buf",
          "Biggest query buffer of any client, in bytes (servers before 5.0)."),
    gauge("client_recent_max_output_buffer", "redis_client_recent_max_output_buffer_bytes",
          "Biggest output buffer seen among clients lately."),
    gauge("client_recent_max_input_buffer", "redis_client_recent_max_input_buffer_bytes",
          "Biggest query buffer seen among clients lately."),

    // Memory: the allocator
    gauge("allocator_active", "redis_allocator_active_bytes", "Bytes in pages the allocator uses, with inner waste."),
    gauge("allocator_allocated", "redis_allocator_allocated_bytes", "Bytes the server asked the allocator for."),
    gauge("allocator_resident", "redis_allocator_resident_bytes",
          "Bytes of physical memory the allocator holds, including pages it could give back."),
    gauge("allocator_muzzy", "redis_allocator_muzzy_bytes", "Bytes given back to the kernel that it may still hold."),
    gauge("allocator_frag_ratio", "redis_allocator_frag_ratio",
          "Active over allocated bytes: outside fragmentation, which active defragmentation can cure."),
    gauge("allocator_frag_bytes", "redis_allocator_frag_bytes", "Active minus allocated bytes."),
    gauge("allocator_rss_ratio", "redis_allocator_rss_ratio",
          "Resident over active bytes: pages the allocator could release soon."),
    gauge("allocator_rss_bytes", "redis_allocator_rss_bytes", "Resident minus active bytes."),

    // Memory: what is used
    gauge("used_memory", "redis_memory_used_bytes", "Bytes allocated by the server; what maxmemory is compared with."),
    gauge("used_memory_rss", "redis_memory_used_rss_bytes", "Physical memory of the process as the kernel sees it."),
    gauge("used_memory_peak", "redis_memory_used_peak_bytes", "Highest used memory since the start."),
    gauge("used_memory_overhead", "redis_memory_used_overhead_bytes",
          "Bytes for everything but the data: buffers, tables, bookkeeping."),
    gauge("used_memory_startup", "redis_memory_used_startup_bytes", "Bytes the empty server took at its start."),
    gauge("used_memory_dataset", "redis_memory_used_dataset_bytes", "Used memory minus overhead: the data itself."),
    gauge("used_memory_lua", "redis_memory_used_lua_bytes", "Bytes of the interpreter behind EVAL."),
    gauge("used_memory_vm_eval", "redis_memory_used_vm_eval_bytes", "Bytes of the EVAL virtual machine."),
    gauge("used_memory_vm_functions", "redis_memory_used_vm_functions_bytes",
          "Bytes of the virtual machines that run functions."),
    gauge("used_memory_vm_total", "redis_memory_used_vm_total", "Bytes of all script virtual machines together."),
    gauge("used_memory_scripts", "redis_memory_used_scripts_bytes",
          "Bytes of cached scripts and functions, without their virtual machines."),
    gauge("used_memory_scripts_eval", "redis_memory_used_scripts_eval_bytes", "Bytes of scripts cached by EVAL."),
    gauge("used_memory_functions", "redis_memory_used_functions_bytes", "Bytes of function libraries."),
    gauge("number_of_cached_scripts", "redis_number_of_cached_scripts", "Scripts in the EVAL cache."),
    gauge("number_of_functions", "redis_number_of_functions", "Functions in the loaded libraries."),
    gauge("number_of_libraries", "redis_number_of_libraries", "Loaded function libraries."),
    gauge("total_system_memory", "redis_total_system_memory_bytes", "Memory of the machine the server runs on."),

    // Memory: limits
    gauge("maxmemory", "redis_memory_max_bytes", "The maxmemory limit; 0 means that there is none."),
    gauge("maxmemory_reservation", "redis_memory_max_reservation_bytes",
          "Memory a managed service keeps free for other than data."),
    gauge("maxmemory_desired_reservation", "redis_memory_max_reservation_desired_bytes",
          "Reservation for other than data that was asked of a managed service."),
    gauge("maxfragmentationmemory_reservation", "redis_memory_max_fragmentation_reservation_bytes",
          "Memory a managed service keeps free for fragmentation."),
    gauge("maxfragmentationmemory_desired_reservation", "redis_memory_max_fragmentation_reservation_desired_bytes",
          "Reservation for fragmentation that was asked of a managed service."),

    // Memory: the rest
    gauge("mem_fragmentation_ratio", "redis_mem_fragmentation_ratio",
          "RSS over used memory; far above 1 is waste, below 1 means that the server swaps."),
    gauge("mem_fragmentation_bytes", "redis_mem_fragmentation_bytes", "RSS minus used memory."),
    gauge("mem_clients_slaves", "redis_mem_clients_slaves", "Bytes of the buffers of replicas."),
    gauge("mem_clients_normal", "redis_mem_clients_normal", "Bytes of the buffers of ordinary clients."),
    gauge("mem_cluster_links", "redis_mem_cluster_links_bytes", "Bytes of the links to the cluster's other nodes."),
    gauge("mem_aof_buffer", "redis_mem_aof_buffer_bytes", "Bytes that wait to be written to the AOF."),
    gauge("mem_replication_backlog", "redis_mem_replication_backlog_bytes", "Bytes of the replication backlog."),
    gauge("mem_total_replication_buffers", "redis_mem_total_replication_buffers_bytes",
          "Bytes of the backlog and the replicas' buffers, which share blocks."),
    gauge("mem_overhead_db_hashtable_rehashing", "redis_mem_overhead_db_hashtable_rehashing_bytes",
          "Bytes of key tables that are being resized now."),
    gauge("mem_not_counted_for_evict", "redis_mem_not_counted_for_eviction_bytes",
          "Used bytes that do not push keys out: replica and AOF buffers."),
    gauge("lazyfree_pending_objects", "redis_lazyfree_pending_objects", "Objects that wait to be freed in background."),
    gauge("lazyfreed_objects", "redis_lazyfreed_objects", "Objects freed in background since the start."),
    gauge("active_defrag_running", "redis_active_defrag_running",
          "CPU share in percent that active defragmentation takes; 0 when it rests."),

    // Persistence
    gauge("loading", "redis_loading_dump_file", "1 while the server loads its data and refuses most commands."),
    gauge("async_loading", "redis_async_loading", "1 while a replica loads a new data set and serves the old one."),
    gauge("rdb_changes_since_last_save", "redis_rdb_changes_since_last_save",
          "Writes that the next crash would lose if only the dump is used."),
    gauge("rdb_bgsave_in_progress", "redis_rdb_bgsave_in_progress", "1 while a dump is written in background."),
    gauge("rdb_last_save_time", "redis_rdb_last_save_timestamp_seconds", "Unix time of the last good dump."),
    gauge("rdb_last_bgsave_status", "redis_rdb_last_bgsave_status", "1 when the last background dump went well."),
    gauge("rdb_last_bgsave_time_sec", "redis_rdb_last_bgsave_duration_sec",
          "Seconds the last background dump took; -1 before the first."),
    gauge("rdb_current_bgsave_time_sec", "redis_rdb_current_bgsave_duration_sec",
          "Seconds the running background dump has taken; -1 when none runs."),
    gauge("rdb_saves", "redis_rdb_saves_total", "Dumps written since the start."),
    gauge("rdb_last_cow_size", "redis_rdb_last_cow_size_bytes", "Memory copied on write during the last dump."),
    gauge("rdb_last_load_keys_expired", "redis_rdb_last_load_expired_keys", "Expired keys skipped by the last load."),
    gauge("rdb_last_load_keys_loaded", "redis_rdb_last_load_loaded_keys", "Keys read by the last load of a dump."),
    gauge("aof_enabled", "redis_aof_enabled", "1 when the append-only file is on."),
    gauge("aof_rewrite_in_progress", "redis_aof_rewrite_in_progress", "1 while the AOF is rewritten in background."),
    gauge("aof_rewrite_scheduled", "redis_aof_rewrite_scheduled", "1 when an AOF rewrite waits for a dump to end."),
    gauge("aof_last_rewrite_time_sec", "redis_aof_last_rewrite_duration_sec",
          "Seconds the last AOF rewrite took; -1 before the first."),
    gauge("aof_current_rewrite_time_sec", "redis_aof_current_rewrite_duration_sec",
          "Seconds the running AOF rewrite has taken; -1 when none runs."),
    gauge("aof_last_cow_size", "redis_aof_last_cow_size_bytes", "Memory copied on write during the last AOF rewrite."),
    gauge("aof_current_size", "redis_aof_current_size_bytes", "Size of the append-only file."),
    gauge("aof_base_size", "redis_aof_base_size_bytes", "Size of the AOF after its last rewrite or load."),
    gauge("aof_pending_rewrite", "redis_aof_pending_rewrite", "1 when a rewrite is due as soon as a dump has ended."),
    gauge("aof_buffer_length", "redis_aof_buffer_length", "Bytes in the AOF buffer."),
    gauge("aof_rewrite_buffer_length", "redis_aof_rewrite_buffer_length",
          "Bytes written beside a running AOF rewrite (servers before 7.0)."),
    gauge("aof_pending_bio_fsync", "redis_aof_pending_bio_fsync", "Fsync jobs of the AOF that wait in background."),
    gauge("aof_delayed_fsync", "redis_aof_delayed_fsync",
          "Writes that had to wait for an fsync since the start; growth means that the disk is too slow."),
    gauge("aof_last_bgrewrite_status", "redis_aof_last_bgrewrite_status", "1 when the last AOF rewrite went well."),
    gauge("aof_last_write_status", "redis_aof_last_write_status", "1 when the last write to the AOF went well."),
    gauge("module_fork_in_progress", "redis_module_fork_in_progress", "1 while a module's child process runs."),
    gauge("module_fork_last_cow_size", "redis_module_fork_last_cow_size",
          "Bytes copied on write during the last fork of a module."),

    // Stats: gauges
    gauge("expired_stale_perc", "redis_expired_stale_percentage",
          "Estimated share of keys that are expired but still in memory, in percent."),
    gauge("migrate_cached_sockets", "redis_migrate_cached_sockets_total", "Sockets kept open for MIGRATE."),
    gauge("active_defrag_hits", "redis_defrag_hits", "Allocations moved by active defragmentation."),
    gauge("active_defrag_misses", "redis_defrag_misses", "Moves that active defragmentation gave up."),
    gauge("active_defrag_key_hits", "redis_defrag_key_hits", "Keys that active defragmentation improved."),
    gauge("active_defrag_key_misses", "redis_defrag_key_misses", "Keys that active defragmentation left as they are."),
    gauge("current_eviction_exceeded_time", "redis_current_eviction_exceeded_time_ms",
          "Milliseconds since used memory rose above maxmemory; 0 when it is below."),
    gauge("pubsub_channels", "redis_pubsub_channels", "Channels with at least one subscriber."),
    gauge("pubsub_patterns", "redis_pubsub_patterns", "Patterns with at least one subscriber."),
    gauge("pubsubshard_channels", "redis_pubsubshard_channels", "Shard channels with at least one subscriber."),
    {"latest_fork_usec",
     {"redis_latest_fork_seconds", MetricType::gauge, "seconds",
      "How long the last fork took; the server answers nobody during it."},
     microseconds},
    gauge("tracking_total_keys", "redis_tracking_total_keys", "Keys remembered for client-side caching."),
    gauge("tracking_total_items", "redis_tracking_total_items",
          "Pairs of key and client remembered for client-side caching."),
    gauge("tracking_total_prefixes", "redis_tracking_total_prefixes", "Prefixes that clients track by broadcasting."),
    gauge("instantaneous_eventloop_cycles_per_sec", "redis_instantaneous_eventloop_cycles_per_sec",
          "Turns of the event loop a second, lately."),
    gauge("instantaneous_eventloop_duration_usec", "redis_instantaneous_eventloop_duration_usec",
          "Microseconds of a turn of the event loop, lately."),

    // Replication: gauges
    gauge("connected_slaves", "redis_connected_slaves", "Replicas connected to this server."),
    gauge("repl_backlog_size", "redis_replication_backlog_bytes", "Configured size of the replication backlog."),
    gauge("repl_backlog_active", "redis_repl_backlog_is_active", "1 when the backlog is kept."),
    gauge("repl_backlog_first_byte_offset", "redis_repl_backlog_first_byte_offset",
          "Replication offset of the oldest byte in the backlog."),
    gauge("repl_backlog_histlen", "redis_repl_backlog_history_bytes",
          "Bytes in the backlog: how far a replica may fall behind and still catch up without a full copy."),
    gauge("master_repl_offset", "redis_master_repl_offset", "Replication offset of this server."),
    gauge("second_repl_offset", "redis_second_repl_offset",
          "Offset up to which the former master's replication ID is accepted; -1 when there is none."),
    gauge("slave_expires_tracked_keys", "redis_slave_expires_tracked_keys",
          "Keys with a time-out written on a writable replica."),
    gauge("slave_priority", "redis_slave_priority",
          "Rank of this replica in a failover; the lowest is preferred, 0 is never promoted."),
    gauge("sync_full", "redis_replica_resyncs_full", "Full copies sent to replicas."),
    gauge("sync_partial_ok", "redis_replica_partial_resync_accepted", "Replicas that could catch up from the backlog."),
    gauge("sync_partial_err", "redis_replica_partial_resync_denied",
          "Replicas that had to be sent a full copy because the backlog was too short."),

    // Cluster
    gauge("cluster_enabled", "redis_cluster_enabled", "1 when the server runs in cluster mode."),

    // KeyDB
    gauge("server_threads", "redis_server_threads_total", "Threads that serve clients."),
    gauge("long_lock_waits", "redis_long_lock_waits_total", "Long waits for the global lock."),
    gauge("current_client_thread", "redis_current_client_thread", "Number of the thread that answered INFO."),

    // Connections and network
    counter("total_connections_received", "redis_connections_received_total", "Connections accepted."),
    counter("rejected_connections", "redis_rejected_connections_total", "Connections refused because of maxclients."),
    counter("total_net_input_bytes", "redis_net_input_bytes_total", "Bytes read from the network."),
    counter("total_net_output_bytes", "redis_net_output_bytes_total", "Bytes written to the network."),
    counter("total_net_repl_input_bytes", "redis_net_repl_input_bytes_total", "Bytes read for replication."),
    counter("total_net_repl_output_bytes", "redis_net_repl_output_bytes_total", "Bytes written for replication."),

    // Commands
    counter("total_commands_processed", "redis_commands_processed_total", "Commands processed."),
    counter("total_reads_processed", "redis_total_reads_processed", "Reads from client sockets."),
    counter("total_writes_processed", "redis_total_writes_processed", "Writes to client sockets."),
    counter("io_threaded_reads_processed", "redis_io_threaded_reads_processed", "Socket reads done by I/O threads."),
    counter("io_threaded_writes_processed", "redis_io_threaded_writes_processed", "Socket writes done by I/O threads."),
    counter("total_error_replies", "redis_total_error_replies",
            "Errors replied: commands rejected before they ran and commands that failed."),
    counter("unexpected_error_replies", "redis_unexpected_error_replies",
            "Errors a replica or the AOF loader had for a command that its master had accepted."),
    counter("dump_payload_sanitizations", "redis_dump_payload_sanitizations",
            "Payloads checked in depth on RESTORE or load."),

    // Keyspace
    counter("keyspace_hits", "redis_keyspace_hits_total", "Lookups that found their key."),
    counter("keyspace_misses", "redis_keyspace_misses_total", "Lookups that did not find their key."),
    counter("expired_keys", "redis_expired_keys_total", "Keys removed because their time was over."),
    counter("expired_subkeys", "redis_expired_subkeys_total", "Hash fields removed because their time was over."),
    counter("expired_time_cap_reached_count", "redis_expired_time_cap_reached_total",
            "Expire cycles that stopped early because their share of time was used up."),
    counter("expire_cycle_cpu_milliseconds", "redis_expire_cycle_cpu_time_ms_total",
            "Milliseconds spent on removing expired keys."),
    counter("evicted_keys", "redis_evicted_keys_total", "Keys removed because of maxmemory."),
    counter("evicted_clients", "redis_evicted_clients_total", "Clients disconnected because of maxmemory-clients."),
    counter("evicted_scripts", "redis_evicted_scripts_total", "Scripts dropped from the EVAL cache to bound it."),
    counter("total_eviction_exceeded_time", "redis_eviction_exceeded_time_ms_total",
            "Milliseconds that used memory has been above maxmemory."),

    // CPU
    counter("used_cpu_sys", "redis_cpu_sys_seconds_total", "CPU time of the server in the kernel."),
    counter("used_cpu_user", "redis_cpu_user_seconds_total", "CPU time of the server outside the kernel."),
    counter("used_cpu_sys_children", "redis_cpu_sys_children_seconds_total", "CPU time of its children in the kernel."),
    counter("used_cpu_user_children", "redis_cpu_user_children_seconds_total",
            "CPU time of its children outside the kernel."),
    counter("used_cpu_sys_main_thread", "redis_cpu_sys_main_thread_seconds_total",
            "CPU time of the main thread in the kernel."),
    counter("used_cpu_user_main_thread", "redis_cpu_user_main_thread_seconds_total",
            "CPU time of the main thread outside the kernel."),
    counter("used_active_time_main_thread", "redis_active_time_main_thread_seconds_total",
            "Time the main thread was busy."),

    // Event loop
    counter("eventloop_cycles", "redis_eventloop_cycles_total", "Turns of the event loop."),
    counter("eventloop_duration_sum", "redis_eventloop_duration_sum_usec_total",
            "Microseconds spent in the event loop, waiting not counted."),
    counter("eventloop_duration_cmd_sum", "redis_eventloop_duration_cmd_sum_usec_total",
            "Microseconds of the event loop that went into commands."),

    // Buffers
    counter("client_query_buffer_limit_disconnections", "redis_client_query_buffer_limit_disconnections_total",
            "Clients disconnected because their query buffer grew too big."),
    counter("client_output_buffer_limit_disconnections", "redis_client_output_buffer_limit_disconnections_total",
            "Clients disconnected because their output buffer grew too big."),
    counter("reply_buffer_shrinks", "redis_reply_buffer_shrinks_total", "Reply buffers made smaller."),
    counter("reply_buffer_expands", "redis_reply_buffer_expands_total", "Reply buffers made bigger."),

    // ACL
    counter("acl_access_denied_auth", "redis_acl_access_denied_auth_total",
            "Logins refused: no such user or a wrong password."),
    counter("acl_access_denied_cmd", "redis_acl_access_denied_cmd_total",
            "Commands refused because the user may not run them."),
    counter("acl_access_denied_key", "redis_acl_access_denied_key_total",
            "Commands refused because the user may not touch the key."),
    counter("acl_access_denied_channel", "redis_acl_access_denied_channel_total",
            "Commands refused because the user may not use the channel."),

    // KeyDB
    counter("cached_keys", "redis_cached_keys_total", "Keys held in memory in front of the storage provider."),
    counter("storage_provider_read_hits", "redis_storage_provider_read_hits",
            "Reads that the storage provider could answer."),
    counter("storage_provider_read_misses", "redis_storage_provider_read_misses",
            "Reads that the storage provider could not answer."),
};

}  // namespace

std::span<const Row> catalog() noexcept {
  return rows;
}

const Row* find_row(std::string_view field) noexcept {
  static const auto by_field = [] {
    std::unordered_map<std::string_view, const Row*> map;
    for (const auto& row : rows) map.emplace(row.field, &row);
    return map;
  }();
  const auto found = by_field.find(field);
  return found == by_field.end() ? nullptr : found->second;
}

}  // namespace midst::sources::redis_info
