// Rows that servers give on odd days, through the tables of their collectors: NULL, infinity, nothing at all.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/metrics/encode.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace midst::sources {
namespace {

struct Edge {
  const char* name;
  const Collector* collector;
  std::vector<std::string> columns;
  std::vector<std::optional<std::string>> row;
  std::string page;  ///< Without comments.
};

std::string without_comments(const std::string& page) {
  std::istringstream lines(page);
  std::string samples, line;
  while (std::getline(lines, line))
    if (!line.starts_with('#')) samples += line + '\n';
  return samples;
}

class EdgeRowsTest : public testing::TestWithParam<Edge> {};

TEST_P(EdgeRowsTest, BecomeTheSamplesThatAreKnown) {
  const auto& edge = GetParam();
  const test::RecordedRows rows(edge.columns, {edge.row});
  metrics::SnapshotBuilder builder;
  const auto read = interpret(edge.collector->queries.back(), rows.view(), {}, builder);
  EXPECT_EQ(read.unreadable, 0U);
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
  snapshots.push_back(std::make_shared<const metrics::Snapshot>(builder.freeze()));
  EXPECT_EQ(without_comments(metrics::encode(metrics::merge(std::move(snapshots)), metrics::Format::text)), edge.page);
}

const Edge edges[] = {
    {"EmptyWalFolder", &wal_collector, {"segments", "size_bytes"}, {"0", std::nullopt}, "pg_wal_segments 0\n"},
    {"FreshStandby",
     &replication_collector,
     {"lag", "is_replica", "last_replay", "is_receiving", "receive_lsn", "replay_lsn"},
     {std::nullopt, "t", std::nullopt, "f", std::nullopt, "50331648"},
     "pg_replication_is_replica 1\npg_replication_receiver_up 0\npg_replication_replay_lsn_bytes 50331648\n"},
    {"ArchiverWithoutHistory",
     &stat_archiver_collector,
     {"archived_count", "failed_count", "last_archive_age", "last_archived", "last_failed", "is_failing"},
     {"0", "0", std::nullopt, std::nullopt, std::nullopt, "f"},
     "pg_stat_archiver_archived_count 0\npg_stat_archiver_failed_count 0\npg_stat_archiver_failing 0\n"},
    {"SlotThatLostItsWal",
     &replication_slots_collector,
     {"slot_name", "slot_type", "database", "active", "wal_lsn_diff", "current_wal_lsn", "confirmed_flush_lsn",
      "confirmed_flush_lag", "safe_wal_size", "wal_status", "invalidation_reason"},
     {"s", "physical", std::nullopt, "f", std::nullopt, "1", std::nullopt, std::nullopt, "-4000", "lost",
      "wal_removed"},
     "pg_replication_slots_active{database=\"\",slot_name=\"s\"} 0\n"
     "pg_replication_slots_slot_current_wal_lsn{slot_name=\"s\",slot_type=\"physical\"} 1\n"
     "pg_replication_slots_slot_is_active{slot_name=\"s\",slot_type=\"physical\"} 0\n"
     "pg_replication_slots_safe_wal_size_bytes{slot_name=\"s\",slot_type=\"physical\"} -4000\n"
     "pg_replication_slots_wal_status{slot_name=\"s\",slot_type=\"physical\",wal_status=\"lost\"} 1\n"
     "pg_replication_slots_invalidation_reason{invalidation_reason=\"wal_removed\",slot_name=\"s\","
     "slot_type=\"physical\"} 1\n"
     "pg_replication_slot_slot_current_wal_lsn{slot_name=\"s\",slot_type=\"physical\"} 1\n"
     "pg_replication_slot_slot_is_active{slot_name=\"s\",slot_type=\"physical\"} 0\n"
     "pg_replication_slot_safe_wal_size_bytes{slot_name=\"s\",slot_type=\"physical\"} -4000\n"
     "pg_replication_slot_wal_status{slot_name=\"s\",slot_type=\"physical\",wal_status=\"lost\"} 1\n"},
    {"InfiniteTimes",
     &stat_wal_receiver_collector,
     {"upstream_host", "slot_name", "status", "last_msg_send_time", "latest_end_time", "upstream_node"},
     {std::nullopt, std::nullopt, "streaming", "-Infinity", "Infinity", std::nullopt},
     "pg_stat_wal_receiver_last_msg_send_time{slot_name=\"\",status=\"streaming\",upstream_host=\"\"} -Inf\n"
     "pg_stat_wal_receiver_latest_end_time{slot_name=\"\",status=\"streaming\",upstream_host=\"\"} +Inf\n"
     "pg_stat_wal_receiver_upstream_node{slot_name=\"\",status=\"streaming\",upstream_host=\"\"} 0\n"},
    {"NoTransaction",
     &long_running_transactions_collector,
     {"transactions", "oldest"},
     {"0", std::nullopt},
     "pg_long_running_transactions 0\npg_long_running_transactions_oldest_timestamp_seconds 0\n"},
    {"EmptyBufferCache",
     &buffercache_summary_collector,
     {"buffers_used", "buffers_unused", "buffers_dirty", "buffers_pinned", "usagecount_avg"},
     {"0", "16384", "0", "0", std::nullopt},
     "pg_buffercache_summary_buffers_used 0\npg_buffercache_summary_buffers_unused 16384\n"
     "pg_buffercache_summary_buffers_dirty 0\npg_buffercache_summary_buffers_pinned 0\n"
     "pg_buffercache_summary_usagecount_avg 0\n"},
    {"DatabaseWithNulls",
     &stat_database_collector,
     {"datid", "datname", "xact_commit", "stats_reset", "active_time", "checksum_failures"},
     {"5", "a\nb\\\"", "9223372036854775807", std::nullopt, "1500.5", std::nullopt},
     "pg_stat_database_xact_commit{datid=\"5\",datname=\"a\\nb\\\\\\\"\"} 9223372036854775808\n"
     "pg_stat_database_active_time_seconds_total{datid=\"5\",datname=\"a\\nb\\\\\\\"\"} 1.5005\n"
     "pg_stat_database_active_time{datid=\"5\",datname=\"a\\nb\\\\\\\"\"} 1500.5\n"},
};

INSTANTIATE_TEST_SUITE_P(Of, EdgeRowsTest, testing::ValuesIn(edges),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace midst::sources
