// The families with labels, and those that do not come from one INFO field. The rest is in info_catalog.cpp.
#pragma once

#include "lib/metrics/spec.hpp"

namespace midst::sources::redis_info::family {

using metrics::MetricSpec;
using metrics::MetricType;

// Names, labels and units are those that dashboards already use; also where a unit is unusual.
// clang-format off
/// Labels role, redis_version, redis_build_id, redis_mode, os, maxmemory_policy, tcp_port, run_id, process_id, …
inline constexpr MetricSpec instance_info{"redis_instance_info", MetricType::gauge, "", "What the server is: version, role, mode, eviction policy, identity. Always 1.", "master_replid,maxmemory_policy,os,process_id,redis_build_id,redis_mode,redis_version,role,run_id,tcp_port,valkey_release_stage?,valkey_version?"};
/// Labels master_host, master_port, read_only.
inline constexpr MetricSpec slave_info{"redis_slave_info", MetricType::gauge, "", "Which master this replica follows and whether it refuses writes. Always 1.", "master_host,master_port,read_only"};
inline constexpr MetricSpec start_time{"redis_start_time_seconds", MetricType::gauge, "seconds", "Unix time of the server's start, the same value for as long as the server runs."};

/// Label cmd.
inline constexpr MetricSpec commands{"redis_commands_total", MetricType::counter, "", "Calls by command; subcommands as container|name.", "cmd"};
inline constexpr MetricSpec commands_duration{"redis_commands_duration_seconds_total", MetricType::counter, "seconds", "Time spent inside each command.", "cmd"};
inline constexpr MetricSpec commands_rejected{"redis_commands_rejected_calls_total", MetricType::counter, "", "Calls refused before they ran: wrong arguments, no permission, out of memory.", "cmd"};
inline constexpr MetricSpec commands_failed{"redis_commands_failed_calls_total", MetricType::counter, "", "Calls that ran and ended in an error.", "cmd"};
/// Labels cmd, quantile; the quantile is a percentage ("99.9").
inline constexpr MetricSpec latency_percentiles{"redis_latency_percentiles_usec", MetricType::summary, "", "Microseconds within which so many percent of the calls of a command ended, since the start.", "cmd"};
/// Label err: the first word of the error.
inline constexpr MetricSpec errors{"redis_errors_total", MetricType::counter, "", "Errors replied, by the first word of the error.", "err"};
/// Label thread.
inline constexpr MetricSpec io_thread_active{"redis_active_time_io_thread_seconds_total", MetricType::counter, "seconds", "Time each I/O thread was busy.", "thread"};

/// Label db.
inline constexpr MetricSpec db_keys{"redis_db_keys", MetricType::gauge, "", "Keys in the database.", "db"};
inline constexpr MetricSpec db_keys_expiring{"redis_db_keys_expiring", MetricType::gauge, "", "Keys in the database that have a time to live.", "db"};
inline constexpr MetricSpec db_avg_ttl{"redis_db_avg_ttl_seconds", MetricType::gauge, "seconds", "Estimated mean time to live of the keys that have one.", "db"};
inline constexpr MetricSpec db_keys_cached{"redis_db_keys_cached", MetricType::gauge, "", "Keys of the database held in memory in front of a storage provider.", "db"};
inline constexpr MetricSpec db_keys_with_expiring_items{"redis_db_keys_with_expiring_items", MetricType::gauge, "", "Keys in the database with fields that have their own time to live.", "db"};

/// Labels slave_ip, slave_port, slave_state.
inline constexpr MetricSpec slave_offset{"redis_connected_slave_offset_bytes", MetricType::gauge, "bytes", "Replication offset the replica has acknowledged.", "slave_index?,slave_ip,slave_port,slave_state"};
inline constexpr MetricSpec slave_lag{"redis_connected_slave_lag_seconds", MetricType::gauge, "seconds", "Time since the replica's last acknowledgement.", "slave_index?,slave_ip,slave_port,slave_state"};
/// Labels master_host, master_port.
inline constexpr MetricSpec master_link_up{"redis_master_link_up", MetricType::gauge, "", "1 while the link to the master stands.", "master_host,master_port"};
inline constexpr MetricSpec master_last_io{"redis_master_last_io_seconds_ago", MetricType::gauge, "", "Seconds since the master last said anything; -1 while the link is down.", "master_host,master_port"};
inline constexpr MetricSpec master_sync_in_progress{"redis_master_sync_in_progress", MetricType::gauge, "", "1 while the replica fetches a full copy.", "master_host,master_port"};
inline constexpr MetricSpec slave_repl_offset{"redis_slave_repl_offset", MetricType::gauge, "", "Replication offset this replica has processed.", "master_host,master_port"};
inline constexpr MetricSpec slave_read_repl_offset{"redis_slave_read_repl_offset", MetricType::gauge, "", "Replication offset this replica has read, processed or not.", "master_host,master_port"};
inline constexpr MetricSpec master_link_down_since{"redis_master_link_down_since_seconds", MetricType::gauge, "seconds", "How long the link to the master has been down.", "master_host,master_port"};
inline constexpr MetricSpec master_sync_total{"redis_master_sync_total_bytes", MetricType::gauge, "bytes", "Size of the full copy being fetched; 0 while it is not known.", "master_host,master_port"};
inline constexpr MetricSpec master_sync_read{"redis_master_sync_read_bytes", MetricType::gauge, "bytes", "Bytes of the full copy fetched so far.", "master_host,master_port"};
inline constexpr MetricSpec master_sync_left{"redis_master_sync_left_bytes", MetricType::gauge, "bytes", "Bytes of the full copy still to be fetched.", "master_host,master_port"};
inline constexpr MetricSpec master_sync_last_io{"redis_master_sync_last_io_seconds_ago", MetricType::gauge, "", "Seconds since bytes of the full copy last came.", "master_host,master_port"};




/// Label collector: info, or a name under [redis.collectors].
inline constexpr MetricSpec collector_success{"redis_exporter_collector_success", MetricType::gauge, "", "1 when the server answered what this collector asks; 0 when it refused or does not know it.", "collector"};
/// Label metric: the family whose rarer labels were folded or left out to bound it.
inline constexpr MetricSpec folded_series{"redis_exporter_folded_series", MetricType::gauge, "", "Series of a family that were folded into \"other\", or left out, at its limit.", "metric"};
inline constexpr MetricSpec up{"redis_up", MetricType::gauge, "", "1 when the server could be reached and answered INFO."};
/// Label err: empty, or a bounded word.
inline constexpr MetricSpec last_scrape_error{"redis_exporter_last_scrape_error", MetricType::gauge, "", "1 with the kind of failure when the last scrape failed, 0 with an empty kind when it did not.", "err"};
inline constexpr MetricSpec last_scrape_duration{"redis_exporter_last_scrape_duration_seconds", MetricType::gauge, "seconds", "How long the last scrape of the server took."};
inline constexpr MetricSpec last_connect_time{"redis_exporter_last_scrape_connect_time_seconds", MetricType::gauge, "seconds", "How long the last connect took; the connection is kept, so it may be some time ago."};
inline constexpr MetricSpec last_ping_time{"redis_exporter_last_scrape_ping_time_seconds", MetricType::gauge, "seconds", "How long the server took to answer the last PING."};
inline constexpr MetricSpec connects{"redis_exporter_connects_total", MetricType::counter, "", "Connections opened to the server."};
/// Label cmd: as ACL rules write it ("config|get").
inline constexpr MetricSpec commands_sent{"redis_exporter_commands_sent_total", MetricType::counter, "", "Commands sent to the server by this agent: its own share of redis_commands_total.", "cmd"};
inline constexpr MetricSpec server_time{"redis_exporter_server_time_seconds_total", MetricType::counter, "seconds", "Estimated time the server spent on this agent's commands: each counted at the server's own mean for it."};
inline constexpr MetricSpec sent_bytes{"redis_exporter_sent_bytes_total", MetricType::counter, "bytes", "Bytes of commands sent to the server by this agent."};
inline constexpr MetricSpec received_bytes{"redis_exporter_received_bytes_total", MetricType::counter, "bytes", "Bytes of replies received from the server by this agent."};
inline constexpr MetricSpec scrapes{"redis_exporter_scrapes_total", MetricType::counter, "", "Scrapes of the server begun."};
inline constexpr MetricSpec scrape_duration{"redis_exporter_scrape_duration_seconds", MetricType::summary, "seconds", "Durations of the finished scrapes of the server."};
inline constexpr MetricSpec request_errors{"redis_target_scrape_request_errors_total", MetricType::counter, "", "Requests for a target of the caller's choice that were refused."};
/// Labels version, commit_sha, build_date, golang_version.
inline constexpr MetricSpec build_info{"redis_exporter_build_info", MetricType::gauge, "", "Version of this agent. Always 1.", "build_date,commit_sha,golang_version,version"};
// clang-format on

inline constexpr const MetricSpec* all[] = {&instance_info,
                                            &slave_info,
                                            &start_time,
                                            &commands,
                                            &commands_duration,
                                            &commands_rejected,
                                            &commands_failed,
                                            &latency_percentiles,
                                            &errors,
                                            &io_thread_active,
                                            &db_keys,
                                            &db_keys_expiring,
                                            &db_avg_ttl,
                                            &db_keys_cached,
                                            &db_keys_with_expiring_items,
                                            &slave_offset,
                                            &slave_lag,
                                            &master_link_up,
                                            &master_last_io,
                                            &master_sync_in_progress,
                                            &slave_repl_offset,
                                            &slave_read_repl_offset,
                                            &master_link_down_since,
                                            &master_sync_total,
                                            &master_sync_read,
                                            &master_sync_left,
                                            &master_sync_last_io,
                                            &collector_success,
                                            &folded_series,
                                            &up,
                                            &last_scrape_error,
                                            &last_scrape_duration,
                                            &last_connect_time,
                                            &last_ping_time,
                                            &connects,
                                            &commands_sent,
                                            &server_time,
                                            &sent_bytes,
                                            &received_bytes,
                                            &scrapes,
                                            &scrape_duration,
                                            &request_errors,
                                            &build_info};

}  // namespace midst::sources::redis_info::family
