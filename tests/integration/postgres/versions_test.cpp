// The Postgres source against real servers of every major that can be had: each collector succeeds, each name that the
// exporter has by default is on the page.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/plan.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/other_postgres.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::label_values;
using test::value_of;
using testing::Contains;
using testing::IsEmpty;

const std::filesystem::path golden = std::filesystem::path(MIDST_SOURCE_DIR) / "tests/golden/postgres";

Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// co_spawn wants a result that can be made from nothing, which a Snapshot's Result is not.
asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

/// Polls until `is_true`; for effects of other processes.
template <class Predicate>
void await_true(Predicate is_true) {
  const auto end = in(60s);
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the wait did not end");
    std::this_thread::sleep_for(20ms);
  }
}

/// A name of the exporter's list that a major does not have, and why.
struct Lack {
  std::string_view metric;
  int from_major, before_major;
};

constexpr Lack lacks[] = {
    {"pg_replication_slots_safe_wal_size_bytes", 0, 13},
    {"pg_replication_slots_wal_status", 0, 13},
    {"pg_stat_database_active_time_seconds_total", 0, 14},
    // Bytes since 17, under names that say so.
    {"pg_stat_progress_vacuum_max_dead_tuples", 17, 1000},
};

class PostgresVersionsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    auto programs = test::postgres_programs(GetParam());
    if (programs.bin.empty()) GTEST_SKIP() << programs.absence;
    std::vector<std::string> settings{"shared_preload_libraries=pg_stat_statements", "archive_mode=on",
                                      "archive_command=/bin/true", "track_io_timing=on"};
    if (GetParam() >= 13) settings.emplace_back("max_slot_wal_keep_size=64MB");
    primary_ = std::make_unique<test::OtherPostgresServer>(GetParam(), programs.bin, settings);
    primary_->sql("CREATE EXTENSION pg_stat_statements");
    primary_->sql("CREATE TABLE account (id int PRIMARY KEY, note text)");
    primary_->sql("INSERT INTO account SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i");
    primary_->sql("VACUUM ANALYZE account");
    primary_->sql("SELECT pg_create_physical_replication_slot('repmgr_slot_7', true)");
    primary_->sql("SELECT pg_stat_reset()");
    primary_->sql("SELECT pg_switch_wal()");
  }

  /// Every collector that needs no extension, and pg_stat_statements.
  [[nodiscard]] static PostgresOptions everything(const test::OtherPostgresServer& server) {
    auto options = defaults(server);
    options.limits.has_exact_sizes = true;  // Of the collector table_sizes.
    for (const auto& collector : postgres_catalog())
      if (collector.extension.empty() || collector.extension == "pg_stat_statements")
        options.collectors[std::string(collector.name)] = true;
    return options;
  }
  [[nodiscard]] static PostgresOptions defaults(const test::OtherPostgresServer& server) {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(server.dsn()).value();
    return options;
  }

  [[nodiscard]] Snapshot collect(PostgresSource& source) {
    auto page = std::move(test::run(io_, collected(source, in(20s))).front());
    if (!page) throw std::runtime_error(describe(page.error()));
    return std::move(*page);
  }

  /// Collectors on connections of their own answer some scrapes later.
  [[nodiscard]] Snapshot collect_until_all_succeed(PostgresSource& source, const std::vector<std::string>& expected) {
    std::optional<Snapshot> page;
    const auto end = in(30s);
    do {
      page.emplace(collect(source));
    } while ((!failed_collectors(*page).empty() || !missing_collectors(*page, expected).empty()) &&
             std::chrono::steady_clock::now() < end);
    return std::move(*page);
  }

  [[nodiscard]] static std::vector<std::string> failed_collectors(const Snapshot& page) {
    std::vector<std::string> failed;
    for (const auto& name : label_values(page, "pg_scrape_collector_success", "collector"))
      if (value_of(page, "pg_scrape_collector_success", {{"collector", name}}) != 1) failed.push_back(name);
    return failed;
  }

  [[nodiscard]] static std::vector<std::string> missing_collectors(const Snapshot& page,
                                                                   const std::vector<std::string>& expected) {
    const auto reported = label_values(page, "pg_scrape_collector_success", "collector");
    std::vector<std::string> missing;
    std::set_difference(expected.begin(), expected.end(), reported.begin(), reported.end(),
                        std::back_inserter(missing));
    return missing;
  }

  /// The collectors that have something to ask a server of this major.
  [[nodiscard]] static std::vector<std::string> offered(const PostgresOptions& options, Role role) {
    ServerFacts facts;
    facts.version = GetParam() * 10'000;
    facts.is_standby = role == Role::standby;
    facts.extensions["pg_stat_statements"] = {"public", ""};
    std::vector<std::string> names;
    for (const auto& collector : postgres_catalog()) {
      const auto choice = options.collectors.find(std::string(collector.name));
      if (choice == options.collectors.end() ? collector.runs == Default::off : !choice->second) continue;
      const auto statements = plan(collector, facts);
      if (statements && !statements->empty()) names.emplace_back(collector.name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  static void expect_success(const Snapshot& page, const std::vector<std::string>& expected) {
    EXPECT_EQ(value_of(page, "pg_up", {}), 1);
    EXPECT_THAT(failed_collectors(page), IsEmpty());
    EXPECT_THAT(missing_collectors(page, expected), IsEmpty());
    EXPECT_THAT(label_values(page, "midst_pg_collector_errors_total", "collector"), IsEmpty());
    EXPECT_THAT(label_values(page, "midst_pg_values_skipped_total", "collector"), IsEmpty());
    EXPECT_EQ(page.duplicate_count(), 0U);
  }

  std::unique_ptr<test::OtherPostgresServer> primary_;
  boost::asio::io_context io_;
};

TEST_P(PostgresVersionsTest, EveryCollectorSucceedsOnAPrimary) {
  const auto all = everything(*primary_);
  PostgresSource source(io_.get_executor(), all);
  const auto expected = offered(all, Role::primary);
  const auto page = collect_until_all_succeed(source, expected);
  expect_success(page, expected);
  EXPECT_THAT(label_values(page, "pg_stat_statements_calls_total", "datname"), Contains("postgres"));
  EXPECT_EQ(value_of(page, "pg_replication_is_replica", {}), 0);
  EXPECT_EQ(value_of(page, "pg_settings_max_connections", {}), 100);
}

TEST_P(PostgresVersionsTest, EveryNameThatTheExporterHasByDefaultIsOnThePage) {
  const test::OtherPostgresServer standby(*primary_, "repmgr_slot_7");
  primary_->sql("UPDATE account SET note = note || 'y'");
  test::Process vacuum({"psql", "-X", "-c", "SET vacuum_cost_delay = 100", "-c", "SET vacuum_cost_limit = 1", "-c",
                        "VACUUM account", primary_->dsn()},
                       primary_->directory() / "vacuum.log", false);
  await_true([&] { return primary_->sql("SELECT count(*) FROM pg_stat_progress_vacuum") == "1\n"; });
  await_true(
      [&] { return primary_->sql("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL") == "1\n"; });
  await_true([&] { return primary_->sql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t\n"; });
  PostgresSource source(io_.get_executor(), defaults(*primary_));
  const auto page = collect(source);
  expect_success(page, offered(defaults(*primary_), Role::primary));
  auto differences = test::differences_from_list(page, test::read_file(golden / "exporter_0_20.txt"));
  for (const auto& lack : lacks) {
    const bool is_lacking = GetParam() >= lack.from_major && GetParam() < lack.before_major;
    const auto found = std::find(differences.begin(), differences.end(), "missing " + std::string(lack.metric));
    EXPECT_EQ(found != differences.end(), is_lacking) << lack.metric;
    if (found != differences.end()) differences.erase(found);
  }
  EXPECT_THAT(differences, IsEmpty());
  PostgresSource of_standby(io_.get_executor(), defaults(standby));
  EXPECT_EQ(value_of(collect(of_standby), "pg_stat_wal_receiver_upstream_node",
                     {{"upstream_host", "127.0.0.1"}, {"slot_name", "repmgr_slot_7"}, {"status", "streaming"}}),
            7);
}

TEST_P(PostgresVersionsTest, EveryCollectorSucceedsOnAStandbyWithoutASlot) {
  const test::OtherPostgresServer standby(*primary_, "");
  await_true([&] { return standby.sql("SELECT status FROM pg_stat_wal_receiver") == "streaming\n"; });
  primary_->sql("CREATE TABLE replayed ()");
  await_true([&] { return standby.sql("SELECT pg_last_xact_replay_timestamp() IS NOT NULL") == "t\n"; });
  const auto all = everything(standby);
  PostgresSource source(io_.get_executor(), all);
  const auto expected = offered(all, Role::standby);
  const auto page = collect_until_all_succeed(source, expected);
  expect_success(page, expected);
  EXPECT_EQ(value_of(page, "pg_replication_is_replica", {}), 1);
  EXPECT_EQ(value_of(page, "pg_replication_receiver_up", {}), 1);
  EXPECT_EQ(value_of(page, "pg_replication_replay_paused", {}), 0);
  const test::Labels upstream{{"upstream_host", "127.0.0.1"}, {"slot_name", ""}, {"status", "streaming"}};
  EXPECT_EQ(value_of(page, "pg_stat_wal_receiver_received_tli", upstream), 1);
  EXPECT_GT(value_of(page, "pg_stat_wal_receiver_flushed_lsn", upstream).value_or(0), 0);
  EXPECT_EQ(value_of(page, "pg_stat_wal_receiver_upstream_node", upstream), 0);
  EXPECT_EQ(value_of(page, "pg_stat_wal_receiver_written_lsn", upstream).has_value(), GetParam() >= 13);
}

INSTANTIATE_TEST_SUITE_P(Major, PostgresVersionsTest, testing::Values(10, 11, 12, 13, 14, 15, 16, 17, 18),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace midst::sources
