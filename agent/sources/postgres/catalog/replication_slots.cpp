// pg_replication_slots, read once for the three label sets in which the exporter reports it.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_database = 1;
constexpr LabelGroups by_type = 2;
constexpr LabelGroups by_status = 4;
constexpr LabelGroups by_reason = 8;

constexpr Column columns[] = {
    {.column = "slot_name", .use = Use::label},
    {.column = "database", .use = Use::label, .groups = by_database},
    {.column = "slot_type", .use = Use::label, .groups = by_type | by_status | by_reason},
    {.column = "wal_status", .use = Use::label, .groups = by_status},
    {.column = "invalidation_reason", .use = Use::label, .groups = by_reason},
    {.column = "active",
     .use = Use::gauge,
     .name = "pg_replication_slots_active",
     .help = "Whether a client is connected to the slot.",
     .groups = by_database},
    {.column = "wal_lsn_diff",
     .use = Use::gauge,
     .name = "pg_replication_slots_pg_wal_lsn_diff",
     .help = "Bytes of WAL the slot holds back.",
     .groups = by_database},
    {.column = "current_wal_lsn",
     .use = Use::gauge,
     .name = "pg_replication_slots_slot_current_wal_lsn",
     .help = "WAL position of the server, in bytes.",
     .groups = by_type},
    {.column = "confirmed_flush_lsn",
     .use = Use::gauge,
     .name = "pg_replication_slots_slot_confirmed_flush_lsn",
     .help = "WAL position up to which the slot's client has confirmed, in bytes; active slots only.",
     .groups = by_type},
    {.column = "active",
     .use = Use::gauge,
     .name = "pg_replication_slots_slot_is_active",
     .help = "Whether a client is connected to the slot.",
     .groups = by_type},
    {.column = "safe_wal_size",
     .use = Use::gauge,
     .name = "pg_replication_slots_safe_wal_size_bytes",
     .help = "Bytes of WAL that can be written before the slot may be lost; negative: it already may.",
     .groups = by_type},
    {.column = "wal_status",
     .use = Use::presence,
     .name = "pg_replication_slots_wal_status",
     .help = "Availability of the WAL the slot needs, as a label.",
     .groups = by_status},
    {.column = "xlog_location_diff",
     .use = Use::unknown,
     .name = "pg_replication_slots_pg_xlog_location_diff",
     .help = "Bytes of WAL the slot holds back, under the name of servers before 10.",
     .groups = by_database},
    {.column = "confirmed_flush_lag",
     .use = Use::gauge,
     .name = "pg_replication_slots_confirmed_flush_lag_bytes",
     .help = "Bytes of WAL that the client of a logical slot has not confirmed.",
     .groups = by_type},
    {.column = "is_conflicting",
     .use = Use::gauge,
     .name = "pg_replication_slots_conflicting",
     .help = "Whether recovery made the logical slot useless (16 and later).",
     .groups = by_type},
    {.column = "inactive_since",
     .use = Use::gauge,
     .name = "pg_replication_slots_inactive_since_timestamp_seconds",
     .help = "Since when nobody is connected to the slot, in Unix time (17 and later).",
     .groups = by_type},
    {.column = "invalidation_reason",
     .use = Use::presence,
     .name = "pg_replication_slots_invalidation_reason",
     .help = "Why the slot can no longer be used, as a label (17 and later).",
     .groups = by_reason},
    {.column = "is_failover",
     .use = Use::gauge,
     .name = "pg_replication_slots_failover",
     .help = "Whether the slot is to be kept on standbys too (17 and later).",
     .groups = by_type},
    {.column = "is_synced",
     .use = Use::gauge,
     .name = "pg_replication_slots_synced",
     .help = "Whether the slot was copied from the primary (17 and later).",
     .groups = by_type},
    {.column = "current_wal_lsn",
     .use = Use::gauge,
     .name = "pg_replication_slot_slot_current_wal_lsn",
     .help = "WAL position of the server, in bytes; the name of 0.14 to 0.19.",
     .groups = by_type},
    {.column = "confirmed_flush_lsn",
     .use = Use::gauge,
     .name = "pg_replication_slot_slot_confirmed_flush_lsn",
     .help = "WAL position that the slot's client has confirmed, in bytes; the name of 0.14 to 0.19.",
     .groups = by_type},
    {.column = "active",
     .use = Use::gauge,
     .name = "pg_replication_slot_slot_is_active",
     .help = "Whether a client is connected to the slot; the name of 0.14 to 0.19.",
     .groups = by_type},
    {.column = "safe_wal_size",
     .use = Use::gauge,
     .name = "pg_replication_slot_safe_wal_size_bytes",
     .help = "Bytes of WAL that can be written before the slot may be lost; the name of 0.14 to 0.19.",
     .groups = by_type},
    {.column = "wal_status",
     .use = Use::presence,
     .name = "pg_replication_slot_wal_status",
     .help = "Availability of the WAL the slot needs, as a label; the name of 0.14 to 0.19.",
     .groups = by_status},
};

constexpr OptionalColumn optional[] = {
    {"pg_replication_slots", "safe_wal_size", "s.safe_wal_size"},
    {"pg_replication_slots", "wal_status", "s.wal_status"},
    {"pg_replication_slots", "conflicting", "s.conflicting AS is_conflicting"},
    {"pg_replication_slots", "inactive_since", "EXTRACT(EPOCH FROM s.inactive_since) AS inactive_since"},
    {"pg_replication_slots", "invalidation_reason", "s.invalidation_reason"},
    {"pg_replication_slots", "failover", "s.failover AS is_failover"},
    {"pg_replication_slots", "synced", "s.synced AS is_synced"},
};

constexpr Query queries[] = {{.name = "replication_slots",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT s.slot_name, s.slot_type, s.database, s.active, p.current_lsn - s.restart_lsn AS wal_lsn_diff,
       p.current_lsn - s.restart_lsn AS xlog_location_diff, p.current_lsn - '0/0' AS current_wal_lsn,
       CASE WHEN s.active THEN coalesce(s.confirmed_flush_lsn, '0/0') - '0/0' END AS confirmed_flush_lsn,
       p.current_lsn - s.confirmed_flush_lsn AS confirmed_flush_lag
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                         THEN coalesce(pg_catalog.pg_last_xlog_receive_location(),
                                       pg_catalog.pg_last_xlog_replay_location())
                         ELSE pg_catalog.pg_current_xlog_location() END AS current_lsn) AS p)",
                              .columns = columns},
                             {.name = "replication_slots",
                              .sql = R"(
SELECT s.slot_name, s.slot_type, s.database, s.active, p.current_lsn - s.restart_lsn AS wal_lsn_diff,
       p.current_lsn - '0/0' AS current_wal_lsn,
       CASE WHEN s.active THEN coalesce(s.confirmed_flush_lsn, '0/0') - '0/0' END AS confirmed_flush_lsn,
       p.current_lsn - s.confirmed_flush_lsn AS confirmed_flush_lag{optional}
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                         THEN coalesce(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
                         ELSE pg_catalog.pg_current_wal_lsn() END AS current_lsn) AS p)",
                              .columns = columns,
                              .optional = optional}};

}  // namespace

constinit const Collector replication_slots_collector{.name = "replication_slots", .queries = queries};

}  // namespace midst::sources
