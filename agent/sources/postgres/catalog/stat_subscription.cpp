// pg_stat_subscription and, since 15, pg_stat_subscription_stats. Names of subscriptions are unique within a database
// only; pg_subscription, which knows the database, may be read by everybody since 14. Before, what subscriptions of one
// name have is told together.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"subname", Use::label},
    {"enabled", Use::gauge, "pg_stat_subscription_enabled", "Whether the subscription is enabled; 14 and later."},
    {"workers", Use::gauge, "pg_stat_subscription_workers",
     "Processes that apply or copy for the subscription; 0 means that it is down."},
    {"received_lsn", Use::gauge, "pg_stat_subscription_received_lsn_bytes", "WAL position received last, in bytes."},
    {"latest_end_lsn", Use::gauge, "pg_stat_subscription_latest_end_lsn_bytes",
     "WAL position reported last to the publisher, in bytes."},
    {"last_msg_send_time", Use::gauge, "pg_stat_subscription_last_msg_send_timestamp_seconds",
     "When the publisher sent its last message, in Unix time of the publisher."},
    {"last_msg_receipt_time", Use::gauge, "pg_stat_subscription_last_msg_receipt_timestamp_seconds",
     "When the publisher's last message was received, in Unix time."},
    {"latest_end_time", Use::gauge, "pg_stat_subscription_latest_end_timestamp_seconds",
     "When a WAL position was reported last to the publisher, in Unix time."},
};

constexpr Column stats_columns[] = {
    {"datname", Use::label},
    {"subname", Use::label},
    {"apply_error_count", Use::counter, "pg_stat_subscription_apply_errors_total",
     "Errors while changes were applied."},
    {"sync_error_count", Use::counter, "pg_stat_subscription_sync_errors_total",
     "Errors while tables were copied at first."},
    {"confl_insert_exists", Use::counter, "pg_stat_subscription_confl_insert_exists_total",
     "Inserted rows that violated a unique constraint; 18 and later, as the other conflicts."},
    {"confl_update_origin_differs", Use::counter, "pg_stat_subscription_confl_update_origin_differs_total",
     "Updates of rows that another source had changed before."},
    {"confl_update_exists", Use::counter, "pg_stat_subscription_confl_update_exists_total",
     "Updated rows that violated a unique constraint."},
    {"confl_update_missing", Use::counter, "pg_stat_subscription_confl_update_missing_total",
     "Updates of rows that were not there."},
    {"confl_delete_origin_differs", Use::counter, "pg_stat_subscription_confl_delete_origin_differs_total",
     "Deletes of rows that another source had changed before."},
    {"confl_delete_missing", Use::counter, "pg_stat_subscription_confl_delete_missing_total",
     "Deletes of rows that were not there."},
    {"confl_multiple_unique_conflicts", Use::counter, "pg_stat_subscription_confl_multiple_unique_conflicts_total",
     "Rows that violated several unique constraints."},
};

constexpr OptionalColumn conflicts[] = {
    {"pg_stat_subscription_stats", "confl_insert_exists", "t.confl_insert_exists"},
    {"pg_stat_subscription_stats", "confl_update_origin_differs", "t.confl_update_origin_differs"},
    {"pg_stat_subscription_stats", "confl_update_exists", "t.confl_update_exists"},
    {"pg_stat_subscription_stats", "confl_update_missing", "t.confl_update_missing"},
    {"pg_stat_subscription_stats", "confl_delete_origin_differs", "t.confl_delete_origin_differs"},
    {"pg_stat_subscription_stats", "confl_delete_missing", "t.confl_delete_missing"},
    {"pg_stat_subscription_stats", "confl_multiple_unique_conflicts", "t.confl_multiple_unique_conflicts"},
};

constexpr Query queries[] = {{.name = "stat_subscription",
                              .before_version = 140'000,
                              .sql = R"(
SELECT s.subname, pg_catalog.count(s.pid) AS workers,
       pg_catalog.max(pg_catalog.pg_wal_lsn_diff(s.received_lsn, '0/0')) AS received_lsn,
       pg_catalog.max(pg_catalog.pg_wal_lsn_diff(s.latest_end_lsn, '0/0')) AS latest_end_lsn,
       EXTRACT(EPOCH FROM pg_catalog.max(s.last_msg_send_time)) AS last_msg_send_time,
       EXTRACT(EPOCH FROM pg_catalog.max(s.last_msg_receipt_time)) AS last_msg_receipt_time,
       EXTRACT(EPOCH FROM pg_catalog.max(s.latest_end_time)) AS latest_end_time
  FROM pg_catalog.pg_stat_subscription s
 GROUP BY s.subname)",
                              .columns = columns,
                              .max_rows = 1'000},
                             {.name = "stat_subscription",
                              .from_version = 140'000,
                              .sql = R"(
SELECT d.datname, u.subname, pg_catalog.bool_or(u.subenabled) AS enabled, pg_catalog.count(s.pid) AS workers,
       pg_catalog.max(pg_catalog.pg_wal_lsn_diff(s.received_lsn, '0/0')) AS received_lsn,
       pg_catalog.max(pg_catalog.pg_wal_lsn_diff(s.latest_end_lsn, '0/0')) AS latest_end_lsn,
       EXTRACT(EPOCH FROM pg_catalog.max(s.last_msg_send_time)) AS last_msg_send_time,
       EXTRACT(EPOCH FROM pg_catalog.max(s.last_msg_receipt_time)) AS last_msg_receipt_time,
       EXTRACT(EPOCH FROM pg_catalog.max(s.latest_end_time)) AS latest_end_time
  FROM pg_catalog.pg_subscription u
  JOIN pg_catalog.pg_database d ON d.oid = u.subdbid
  LEFT JOIN pg_catalog.pg_stat_subscription s ON s.subid = u.oid
 GROUP BY d.datname, u.subname)",
                              .columns = columns,
                              .max_rows = 1'000},
                             {.name = "stat_subscription_stats",
                              .from_version = 150'000,
                              .sql = R"(
SELECT d.datname, u.subname, t.apply_error_count, t.sync_error_count{optional}
  FROM pg_catalog.pg_stat_subscription_stats t
  JOIN pg_catalog.pg_subscription u ON u.oid = t.subid
  JOIN pg_catalog.pg_database d ON d.oid = u.subdbid)",
                              .columns = stats_columns,
                              .max_rows = 1'000,
                              .optional = conflicts}};

}  // namespace

constinit const Collector stat_subscription_collector{
    .name = "stat_subscription", .ttl = std::chrono::seconds(30), .queries = queries, .reads_stats = true};

}  // namespace midst::sources
