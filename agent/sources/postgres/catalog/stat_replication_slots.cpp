// pg_stat_replication_slots (since 14): what logical decoding spilled to disk, streamed and sent for each slot.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"slot_name", Use::label},
    {"spill_txns", Use::counter, "pg_stat_replication_slots_spill_txns_total",
     "Transactions spilled to disk because decoding them exceeded logical_decoding_work_mem."},
    {"spill_count", Use::counter, "pg_stat_replication_slots_spill_count_total", "Times transactions were spilled."},
    {"spill_bytes", Use::counter, "pg_stat_replication_slots_spill_bytes_total", "Bytes of transactions spilled."},
    {"stream_txns", Use::counter, "pg_stat_replication_slots_stream_txns_total",
     "Transactions sent while they were still in progress."},
    {"stream_count", Use::counter, "pg_stat_replication_slots_stream_count_total",
     "Times transactions in progress were sent."},
    {"stream_bytes", Use::counter, "pg_stat_replication_slots_stream_bytes_total",
     "Bytes of transactions in progress that were decoded for sending."},
    {"total_txns", Use::counter, "pg_stat_replication_slots_total_txns_total",
     "Transactions decoded for the slot, without subtransactions."},
    {"total_bytes", Use::counter, "pg_stat_replication_slots_total_bytes_total",
     "Bytes of transactions decoded for the slot."},
};

constexpr Query queries[] = {{.name = "stat_replication_slots",
                              .from_version = 140'000,
                              .sql = R"(
SELECT slot_name, spill_txns, spill_count, spill_bytes, stream_txns, stream_count, stream_bytes,
       total_txns, total_bytes
  FROM pg_catalog.pg_stat_replication_slots)",
                              .columns = columns,
                              .max_rows = 1'000}};

}  // namespace

constinit const Collector stat_replication_slots_collector{
    .name = "stat_replication_slots", .ttl = std::chrono::seconds(30), .queries = queries, .reads_stats = true};

}  // namespace midst::sources
