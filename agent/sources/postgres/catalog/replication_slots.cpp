// pg_replication_slots, read once for the three label sets in which the exporter reports it.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups by_database = 1;
constexpr LabelGroups by_type = 2;
constexpr LabelGroups by_status = 4;

constexpr Column columns[] = {
    {.column = "slot_name", .use = Use::label},
    {.column = "database", .use = Use::label, .groups = by_database},
    {.column = "slot_type", .use = Use::label, .groups = by_type | by_status},
    {.column = "wal_status", .use = Use::label, .groups = by_status},
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
};

constexpr Query queries[] = {{.name = "replication_slots",
                              .before_version = 130'000,
                              .sql = R"(
SELECT s.slot_name, s.slot_type, s.database, s.active,
       pg_catalog.pg_wal_lsn_diff(p.current_lsn, s.restart_lsn) AS wal_lsn_diff,
       pg_catalog.pg_wal_lsn_diff(p.current_lsn, '0/0') AS current_wal_lsn,
       CASE WHEN s.active THEN pg_catalog.pg_wal_lsn_diff(coalesce(s.confirmed_flush_lsn, '0/0'), '0/0')
       END AS confirmed_flush_lsn
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
                         ELSE pg_catalog.pg_current_wal_lsn() END AS current_lsn) AS p)",
                              .columns = columns},
                             {.name = "replication_slots",
                              .from_version = 130'000,
                              .sql = R"(
SELECT s.slot_name, s.slot_type, s.database, s.active, s.safe_wal_size, s.wal_status,
       pg_catalog.pg_wal_lsn_diff(p.current_lsn, s.restart_lsn) AS wal_lsn_diff,
       pg_catalog.pg_wal_lsn_diff(p.current_lsn, '0/0') AS current_wal_lsn,
       CASE WHEN s.active THEN pg_catalog.pg_wal_lsn_diff(coalesce(s.confirmed_flush_lsn, '0/0'), '0/0')
       END AS confirmed_flush_lsn
  FROM pg_catalog.pg_replication_slots s
 CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_receive_lsn()
                         ELSE pg_catalog.pg_current_wal_lsn() END AS current_lsn) AS p)",
                              .columns = columns}};

}  // namespace

constinit const Collector replication_slots_collector{.name = "replication_slots", .queries = queries};

}  // namespace midst::sources
