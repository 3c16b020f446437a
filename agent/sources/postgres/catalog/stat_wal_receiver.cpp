// pg_stat_wal_receiver: what a standby receives, from where. Asked on standbys alone; a standby without a slot has its
// row too, unlike in the exporter. Positions are cut to 52 bits, as there, so that a double holds them.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"upstream_host", Use::label},
    {"slot_name", Use::label},
    {"status", Use::label},
    {"receive_start_lsn", Use::counter, "pg_stat_wal_receiver_receive_start_lsn",
     "WAL position at which the receiver started, in bytes."},
    {"receive_start_tli", Use::gauge, "pg_stat_wal_receiver_receive_start_tli",
     "Timeline on which the receiver started."},
    {"flushed_lsn", Use::counter, "pg_stat_wal_receiver_flushed_lsn",
     "WAL position received and flushed to disk, in bytes."},
    {"written_lsn", Use::counter, "pg_stat_wal_receiver_written_lsn",
     "WAL position received and written, not necessarily flushed, in bytes (13 and later)."},
    {"received_tli", Use::gauge, "pg_stat_wal_receiver_received_tli", "Timeline of the WAL flushed last."},
    {"last_msg_send_time", Use::counter, "pg_stat_wal_receiver_last_msg_send_time",
     "When the sender sent its last message, in Unix time."},
    {"last_msg_receipt_time", Use::counter, "pg_stat_wal_receiver_last_msg_receipt_time",
     "When the last message of the sender was received, in Unix time."},
    {"latest_end_lsn", Use::counter, "pg_stat_wal_receiver_latest_end_lsn",
     "WAL position that was reported to the sender last, in bytes."},
    {"latest_end_time", Use::counter, "pg_stat_wal_receiver_latest_end_time",
     "When a WAL position was reported to the sender last, in Unix time."},
    {"upstream_node", Use::gauge, "pg_stat_wal_receiver_upstream_node",
     "Number of the upstream node where the slot is named as repmgr names it; else 0.", 1, NullAs::zero},
};

constexpr OptionalColumn optional[] = {
    {"pg_stat_wal_receiver", "flushed_lsn", "(r.flushed_lsn - '0/0') % (2 ^ 52)::bigint AS flushed_lsn"},
    {"pg_stat_wal_receiver", "received_lsn", "(r.received_lsn - '0/0') % (2 ^ 52)::bigint AS flushed_lsn"},
    {"pg_stat_wal_receiver", "written_lsn", "(r.written_lsn - '0/0') % (2 ^ 52)::bigint AS written_lsn"},
};

constexpr Query queries[] = {{.name = "stat_wal_receiver",
                              .from_version = 90'600,
                              .sql = R"(
SELECT pg_catalog.btrim(pg_catalog."substring"(r.conninfo, 'host=([^ ]*)'), '''') AS upstream_host, r.slot_name,
       r.status, (r.receive_start_lsn - '0/0') % (2 ^ 52)::bigint AS receive_start_lsn, r.receive_start_tli,
       r.received_tli, EXTRACT(EPOCH FROM r.last_msg_send_time) AS last_msg_send_time,
       EXTRACT(EPOCH FROM r.last_msg_receipt_time) AS last_msg_receipt_time,
       (r.latest_end_lsn - '0/0') % (2 ^ 52)::bigint AS latest_end_lsn,
       EXTRACT(EPOCH FROM r.latest_end_time) AS latest_end_time,
       pg_catalog."substring"(r.slot_name, 'repmgr_slot_([0-9]*)') AS upstream_node{optional}
  FROM pg_catalog.pg_stat_wal_receiver r
 WHERE r.pid IS NOT NULL)",
                              .columns = columns,
                              .role = Role::standby,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_wal_receiver_collector{.name = "stat_wal_receiver", .queries = queries};

}  // namespace midst::sources
