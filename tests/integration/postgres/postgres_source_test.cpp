// The Postgres source against real servers: names, isolation, locks, roles, restarts, round trips.
#include "agent/sources/postgres/postgres_source.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/plan.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/counting_proxy.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <filesystem>
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
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

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

/// The collectors that are on by default and have something to ask such a server, in catalogue order.
std::vector<std::string> offered_collectors(int version = 150'000, bool is_standby = false) {
  ServerFacts facts;
  facts.version = version;
  facts.is_standby = is_standby;
  std::vector<std::string> names;
  for (const auto& collector : postgres_catalog()) {
    const auto planned = plan(collector, facts);
    if (collector.runs == Default::on && !(planned && planned->empty())) names.emplace_back(collector.name);
  }
  return names;
}

/// Polls until `is_true`; for effects of other processes.
template <class Predicate>
void await_true(Predicate is_true) {
  const auto end = in(30s);
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the wait did not end");
    std::this_thread::sleep_for(20ms);
  }
}

/// A psql that runs until it is destroyed, and its backend with it: that one would otherwise keep its locks.
class Session {
 public:
  Session(const test::PostgresServer& server, std::vector<std::string> statements) : server_(server) {
    std::vector<std::string> arguments{"psql", "-X"};
    for (auto& statement : statements) arguments.insert(arguments.end(), {"-c", std::move(statement)});
    arguments.push_back(server.dsn() + " application_name=session");
    process_ = std::make_unique<test::Process>(std::move(arguments), server.directory() / "session.log", false);
  }
  ~Session() {
    process_.reset();
    await_true([&] {
      return server_.sql(
                 "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                 "WHERE application_name = 'session'") == "0\n";
    });
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  const test::PostgresServer& server_;
  std::unique_ptr<test::Process> process_;
};

/// A streaming standby of a server, on its socket folder alone.
class Standby {
 public:
  explicit Standby(const test::PostgresServer& primary) : port_(test::free_port()) {
    // The service user makes its data folder itself.
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    const auto data = (directory_.path() / "data").string();
    const auto copied = test::run_command(
        {"pg_basebackup", "-d", primary.dsn(), "-D", data, "-R", "-C", "-S", "standby", "-c", "fast", "--no-sync"},
        true);
    if (copied.exit_code != 0) throw std::runtime_error(copied.output);
    const auto folder = directory_.path().string();
    process_ = std::make_unique<test::Process>(
        std::vector<std::string>{"/usr/lib/postgresql/15/bin/postgres", "-D", data, "-p", std::to_string(port_), "-k",
                                 folder, "-c", "archive_mode=off"},
        directory_.path() / "log", true);
  }
  [[nodiscard]] std::string dsn() const {
    return "host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(port_);
  }

 private:
  test::TempDir directory_;
  std::uint16_t port_;
  std::unique_ptr<test::Process> process_;
};

class PostgresSourceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<test::PostgresServer>(std::vector<std::string>{
        "archive_mode=on", "archive_command=/bin/true", "max_slot_wal_keep_size=64MB", "wal_level=replica"});
    server_->sql("CREATE TABLE account (id int PRIMARY KEY, note text)");
    server_->sql("INSERT INTO account SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i");
    server_->sql("VACUUM ANALYZE account");
    server_->sql("CREATE ROLE plain LOGIN");
  }
  static void TearDownTestSuite() { server_.reset(); }

  [[nodiscard]] PostgresOptions options(std::string dsn) const {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(dsn).value();
    return options;
  }
  [[nodiscard]] PostgresOptions options() const { return options(server_->dsn()); }

  [[nodiscard]] Result<Snapshot> collect(PostgresSource& source, std::chrono::milliseconds limit = 5s) {
    return std::move(test::run(io_, collected(source, in(limit))).front());
  }

  static std::unique_ptr<test::PostgresServer> server_;
  boost::asio::io_context io_;
};

std::unique_ptr<test::PostgresServer> PostgresSourceTest::server_;

TEST_F(PostgresSourceTest, HasEveryDefaultMetricOfTheExporterWithItsTypeAndLabels) {
  server_->sql("SELECT pg_stat_reset()");
  server_->sql("SELECT pg_switch_wal()");
  server_->sql("UPDATE account SET note = note || 'y'");
  {
    const Standby standby(*server_);
    const Session vacuum(*server_, {"SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1", "VACUUM account"});
    await_true([&] { return server_->sql("SELECT count(*) FROM pg_stat_progress_vacuum") == "1\n"; });
    await_true(
        [&] { return server_->sql("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL") == "1\n"; });
    await_true([&] { return server_->sql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t\n"; });
    PostgresSource source(io_.get_executor(), options());
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_THAT(test::differences_from_list(*page, test::read_file(golden / "exporter_0_20.txt")), IsEmpty());
    EXPECT_EQ(page->duplicate_count(), 0U);
  }
  await_true([&] { return server_->sql("SELECT active FROM pg_replication_slots") == "f\n"; });
  server_->sql("SELECT pg_drop_replication_slot('standby')");
}

TEST_F(PostgresSourceTest, AStandbyHasNoLagWhileItReplaysAllItReceivesAndLagOnceTheLinkIsDead) {
  test::PostgresServer primary;
  const Standby standby(primary);
  PostgresSource source(io_.get_executor(), options(standby.dsn()));
  Result<Snapshot> page = Error{};
  await_true([&] {
    page = collect(source);
    return page && value_of(*page, "pg_replication_lag_seconds", {}) == 0;
  });
  EXPECT_EQ(value_of(*page, "pg_replication_is_replica", {}), 1);
  for (const auto& name : offered_collectors(150'000, true))
    EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", name}}), 1) << name;
  primary.sql("CREATE TABLE replayed ()");
  await_true([&] {
    page = collect(source);
    return page && value_of(*page, "pg_replication_last_replay_seconds", {}).has_value();
  });
  primary.kill();
  await_true([&] {
    page = collect(source);
    return page && value_of(*page, "pg_replication_lag_seconds", {}).value_or(0) > 0;
  });
  EXPECT_EQ(value_of(*page, "pg_replication_lag_seconds", {}),
            value_of(*page, "pg_replication_last_replay_seconds", {}));
}

TEST_F(PostgresSourceTest, EveryCollectorSucceedsAndIsTimed) {
  PostgresSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pg_up", {}), 1);
  EXPECT_EQ(value_of(*page, "pg_exporter_last_scrape_error", {}), 0);
  EXPECT_EQ(value_of(*page, "pg_exporter_scrapes_total", {}), 1);
  EXPECT_EQ(page->find("midst_pg_collector_errors_total"), nullptr);
  EXPECT_EQ(page->find("midst_pg_values_skipped_total"), nullptr);
  double in_pipeline = 0;
  EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", "stat_checkpointer"}}), std::nullopt);  // 17
  for (const auto& name : offered_collectors()) {
    EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", name}}), 1) << name;
    const auto took = value_of(*page, "pg_scrape_collector_duration_seconds", {{"collector", name}});
    EXPECT_TRUE(took.has_value()) << name;
    in_pipeline += took.value_or(0);
  }
  EXPECT_GT(in_pipeline, 0);
  EXPECT_LE(in_pipeline, value_of(*page, "pg_exporter_last_scrape_duration_seconds", {}).value());
}

TEST_F(PostgresSourceTest, SpecsNameEveryFamilyOfThePageButTheSettings) {
  PostgresSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  std::vector<std::string> named;
  for (const auto& spec : source.specs()) named.emplace_back(spec.name);
  for (const auto& family : page->families()) {
    if (family.name.starts_with("pg_settings_")) continue;
    EXPECT_THAT(named, Contains(std::string(family.name)));
  }
}

TEST_F(PostgresSourceTest, OddDatabaseNamesArriveAsTheyAre) {
  server_->sql("CREATE DATABASE \"we\"\"ird db\"");
  server_->sql("CREATE DATABASE \"базаβ\"");
  PostgresSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_THAT(label_values(*page, "pg_database_size_bytes", "datname"),
              ElementsAre("postgres", "template0", "template1", "we\"ird db", "базаβ"));
  EXPECT_THAT(label_values(*page, "pg_locks_count", "datname"), Contains("we\"ird db"));
  EXPECT_EQ(value_of(*page, "pg_stat_activity_count",
                     {{"datname", "базаβ"},
                      {"state", "active"},
                      {"usename", ""},
                      {"application_name", ""},
                      {"backend_type", ""},
                      {"wait_event_type", ""},
                      {"wait_event", ""}}),
            0);
  server_->sql("DROP DATABASE \"we\"\"ird db\"");
  server_->sql("DROP DATABASE \"базаβ\"");
}

TEST_F(PostgresSourceTest, ItsOwnBackendIsNotOnThePage) {
  auto with_name = options();
  with_name.conninfo.set("application_name", "the agent itself");
  PostgresSource source(io_.get_executor(), with_name);
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_THAT(label_values(*page, "pg_stat_activity_count", "application_name"), Not(Contains("the agent itself")));
  EXPECT_EQ(value_of(*page, "pg_locks_count", {{"datname", "postgres"}, {"mode", "accesssharelock"}}), 0);
}

TEST_F(PostgresSourceTest, SettingsAreTheServersNotThoseOfThisSession) {
  PostgresSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pg_settings_statement_timeout_seconds", {}), 0);
  EXPECT_EQ(value_of(*page, "pg_settings_lock_timeout_seconds", {}), 0);
  EXPECT_EQ(value_of(*page, "pg_settings_jit", {}), 1);
  EXPECT_EQ(value_of(*page, "pg_settings_default_transaction_read_only", {}), 0);
  EXPECT_EQ(value_of(*page, "pg_settings_transaction_read_only", {}), 0);
  EXPECT_EQ(value_of(*page, "pg_settings_log_min_duration_statement_seconds", {}), -1);
}

TEST_F(PostgresSourceTest, SettingsAreReadAgainAfterAReload) {
  PostgresSource source(io_.get_executor(), options());
  auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pg_settings_work_mem_bytes", {}), 4 << 20);
  server_->sql("ALTER SYSTEM SET work_mem = '5MB'");
  server_->sql("SELECT pg_reload_conf()");
  await_true([&] {
    page = collect(source);
    return page && value_of(*page, "pg_settings_work_mem_bytes", {}) == 5 << 20;
  });
  server_->sql("ALTER SYSTEM RESET work_mem");
  server_->sql("SELECT pg_reload_conf()");
}

TEST_F(PostgresSourceTest, AHeldAccessExclusiveLockBlocksNothing) {
  const Session holder(*server_, {"BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"});
  await_true([&] {
    return server_->sql(
               "SELECT count(*) FROM pg_locks WHERE relation = 'account'::regclass "
               "AND mode = 'AccessExclusiveLock' AND granted") == "1\n";
  });
  PostgresSource source(io_.get_executor(), options());
  const auto began = std::chrono::steady_clock::now();
  const auto page = collect(source);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  ASSERT_TRUE(page) << describe(page.error());
  for (const std::string collector : {"stat_user_tables", "statio_user_tables", "database"})
    EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", collector}}), 1) << collector;
  const test::Labels table{{"datname", "postgres"}, {"schemaname", "public"}, {"relname", "account"}};
  EXPECT_GT(value_of(*page, "pg_stat_user_tables_table_size_bytes", table).value_or(0), 0);
  EXPECT_EQ(value_of(*page, "pg_locks_count", {{"datname", "postgres"}, {"mode", "accessexclusivelock"}}), 1);
}

TEST_F(PostgresSourceTest, ABlockedCollectorFailsAloneAndComesBack) {
  PostgresSource source(io_.get_executor(), options());
  {
    const Session holder(
        *server_, {"BEGIN; LOCK TABLE pg_catalog.pg_stat_archiver IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"});
    await_true([&] {
      return server_->sql(
                 "SELECT count(*) FROM pg_locks WHERE relation = 'pg_catalog.pg_stat_archiver'::regclass "
                 "AND mode = 'AccessExclusiveLock' AND granted") == "1\n";
    });
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", "stat_archiver"}}), 0);
    EXPECT_EQ(page->find("pg_stat_archiver_archived_count"), nullptr);
    EXPECT_EQ(
        value_of(*page, "midst_pg_collector_errors_total", {{"collector", "stat_archiver"}, {"reason", "timeout"}}), 1);
    EXPECT_GE(value_of(*page, "pg_scrape_collector_duration_seconds", {{"collector", "stat_archiver"}}), 0.1);
    for (const auto& name : offered_collectors())
      EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", name}}), name == "stat_archiver" ? 0 : 1)
          << name;
  }
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", "stat_archiver"}}), 1);
  EXPECT_NE(page->find("pg_stat_archiver_archived_count"), nullptr);
}

TEST_F(PostgresSourceTest, APlainRoleLosesWhatNeedsPgMonitorAloneAndIsNotAskedForItAgain) {
  PostgresSource source(io_.get_executor(), options(server_->dsn("postgres", "plain")));
  for (int scrape = 0; scrape < 3; ++scrape) {
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(value_of(*page, "pg_up", {}), 1);
    for (const std::string lost : {"backend_memory", "wal"})
      EXPECT_EQ(value_of(*page, "midst_pg_collector_errors_total", {{"collector", lost}, {"reason", "noperm"}}), 1);
    for (const auto& name : offered_collectors())
      EXPECT_EQ(value_of(*page, "pg_scrape_collector_success", {{"collector", name}}),
                name == "wal" || name == "backend_memory" ? 0 : 1)
          << name;
    EXPECT_THAT(label_values(*page, "midst_pg_privilege", "privilege"), ElementsAre("pg_monitor"));
    EXPECT_EQ(page->find("midst_pg_privilege")->values.front(), 0);
  }
}

TEST_F(PostgresSourceTest, ADatabaseTheRoleMayNotEnterIsLeftOutAlone) {
  server_->sql("CREATE DATABASE closed");
  server_->sql("REVOKE CONNECT ON DATABASE closed FROM public");
  PostgresSource source(io_.get_executor(), options(server_->dsn("postgres", "plain")));
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_THAT(label_values(*page, "pg_database_size_bytes", "datname"), Not(Contains("closed")));
  EXPECT_THAT(label_values(*page, "pg_database_size_bytes", "datname"), Contains("postgres"));
  EXPECT_EQ(value_of(*page, "pg_database_connection_limit", {{"datname", "closed"}}), -1);
  server_->sql("DROP DATABASE closed");
}

TEST_F(PostgresSourceTest, ASwitchedOffCollectorIsNeitherAskedNorReported) {
  auto without = options();
  without.collectors = {{"settings", false}, {"wal", false}};
  PostgresSource source(io_.get_executor(), without);
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(page->find("pg_settings_work_mem_bytes"), nullptr);
  EXPECT_EQ(page->find("pg_wal_segments"), nullptr);
  EXPECT_THAT(label_values(*page, "pg_scrape_collector_success", "collector"), Not(Contains("wal")));
}

TEST_F(PostgresSourceTest, ConstantLabelsStandOnEverySample) {
  auto labelled = options();
  labelled.constant_labels = {{"target", "main"}};
  PostgresSource source(io_.get_executor(), labelled);
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  for (const auto& family : page->families())
    EXPECT_THAT(label_values(*page, family.name, "target"), ElementsAre("main")) << family.name;
}

TEST_F(PostgresSourceTest, TheOlderEditionHasTheServerLabelAndActivityByState) {
  auto older = options();
  older.compat = Compat::v0_11;
  PostgresSource source(io_.get_executor(), older);
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  const auto server = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_EQ(
      value_of(*page, "pg_stat_activity_count", {{"datname", "template0"}, {"state", "active"}, {"server", server}}),
      0);
  EXPECT_TRUE(value_of(*page, "pg_settings_work_mem_bytes", {{"server", server}}).has_value());
}

TEST_F(PostgresSourceTest, ASteadyScrapeIsOneRoundTrip) {
  test::CountingProxy proxy(io_, server_->port());
  auto through = options();
  through.conninfo.set("port", std::to_string(proxy.port()));
  PostgresSource source(io_.get_executor(), through);
  ASSERT_TRUE(collect(source));
  for (int scrape = 0; scrape < 3; ++scrape) {
    proxy.reset_counts();
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(proxy.turns(), 1U);
    EXPECT_EQ(proxy.connection_count(), 0U);
  }
}

TEST_F(PostgresSourceTest, AHungServerCostsItsDeadlineAndNoMore) {
  test::CountingProxy proxy(io_, server_->port());
  auto through = options();
  through.conninfo.set("port", std::to_string(proxy.port()));
  PostgresSource source(io_.get_executor(), through);
  ASSERT_TRUE(collect(source));
  proxy.freeze();
  const auto began = std::chrono::steady_clock::now();
  const auto late = collect(source, 300ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  proxy.thaw();
  await_true([&] { return collect(source).has_value(); });
}

TEST_F(PostgresSourceTest, ALineCutBetweenTwoScrapesCostsNone) {
  PostgresSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  server_->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'midst-agent'");
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pg_up", {}), 1);
}

TEST_F(PostgresSourceTest, AKilledServerIsDownAndComesBackByItself) {
  test::PostgresServer server;
  PostgresSource source(io_.get_executor(), options(server.dsn()));
  ASSERT_TRUE(collect(source));
  server.kill();
  const auto failed = collect(source);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, testing::StartsWith("postgres main: "));
  const auto down = source.down(failed.error());
  EXPECT_EQ(value_of(down, "pg_up", {}), 0);
  EXPECT_EQ(value_of(down, "pg_exporter_last_scrape_error", {}), 1);
  EXPECT_EQ(value_of(down, "pg_exporter_scrapes_total", {}), 2);
  EXPECT_EQ(value_of(down, "pg_scrape_collector_success", {{"collector", "stat_database"}}), 0);
  EXPECT_EQ(down.find("pg_static"), nullptr);
  server.start();
  await_true([&] { return collect(source).has_value(); });
}

TEST_F(PostgresSourceTest, AServerThatWasNeverThereIsDownForEveryCollector) {
  auto nowhere = options();
  nowhere.conninfo.set("port", std::to_string(test::free_port()));
  PostgresSource source(io_.get_executor(), nowhere);
  const auto failed = collect(source);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::connect_refused);
  const auto down = source.down(failed.error());
  for (const auto& name : offered_collectors())
    EXPECT_EQ(value_of(down, "pg_scrape_collector_success", {{"collector", name}}), 0) << name;
}

}  // namespace
}  // namespace midst::sources
