// What real servers say on bad days, statement by statement: databases that vanish, roles that may not look, times that
// never were.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::label_values;
using test::Labels;
using test::value_of;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr int tested_version = 150'000;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

/// Polls until `is_true`; for effects of other processes.
template <class Predicate>
void await_true(Predicate is_true) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the wait did not end");
    std::this_thread::sleep_for(20ms);
  }
}

std::string sql_of(const Collector& collector) {
  for (const auto& query : collector.queries)
    if (query.fits(tested_version, Edition::current)) return std::string(query.sql);
  throw std::runtime_error("no statement");
}

class PostgresEdgeCasesTest : public testing::Test {
 protected:
  [[nodiscard]] PostgresOptions only(std::initializer_list<std::string_view> collectors,
                                     std::string_view user = "postgres") const {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(server_.dsn("postgres", user)).value();
    for (const auto name : postgres_collectors()) options.collectors[std::string(name)] = false;
    for (const auto name : collectors) options.collectors[std::string(name)] = true;
    return options;
  }

  [[nodiscard]] Snapshot page_of(PostgresOptions options) {
    PostgresSource source(io_.get_executor(), std::move(options));
    auto page = std::move(test::run(io_, collected(source, std::chrono::steady_clock::now() + 5s)).front());
    if (!page) throw std::runtime_error(describe(page.error()));
    EXPECT_THAT(label_values(*page, "midst_pg_collector_errors_total", "collector"), IsEmpty());
    return std::move(*page);
  }

  /// psql with statements on its standard input, ended with this object; its name is that of its application.
  [[nodiscard]] std::unique_ptr<test::Process> session(const std::string& name, const std::string& statements) {
    const auto script = server_.directory() / (name + ".sql");
    std::ofstream(script) << statements << "\\! sleep 600\n";
    return std::make_unique<test::Process>(
        std::vector<std::string>{"psql", "-X", "-f", script.string(), server_.dsn() + " application_name=" + name},
        server_.directory() / (name + ".log"), false);
  }

  test::PostgresServer server_;
  boost::asio::io_context io_;
};

TEST_F(PostgresEdgeCasesTest, ADatabaseDroppedBetweenListAndSizeCostsItselfAlone) {
  server_.sql("CREATE DATABASE gone");
  const auto script = server_.directory() / "drop.sql";
  // The list is read by the snapshot of the transaction, privileges and sizes by what is there now.
  std::ofstream(script) << "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT 1;\n\\! psql -Xq -c 'DROP DATABASE gone' '"
                        << server_.dsn() << "'\n"
                        << sql_of(database_collector) << ";\n";
  const auto done = test::run_command({"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", script.string(), server_.dsn()});
  EXPECT_EQ(done.exit_code, 0) << done.output;
  EXPECT_THAT(done.output, testing::HasSubstr("gone|-2|t|\n"));
  EXPECT_THAT(done.output, testing::ContainsRegex("postgres\\|-1\\|f\\|[0-9]+\n"));
}

TEST_F(PostgresEdgeCasesTest, AHalfDroppedDatabaseIsMarked) {
  server_.sql("CREATE DATABASE half");
  server_.sql("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'");
  const auto page = page_of(only({"database"}));
  EXPECT_EQ(value_of(page, "pg_database_connection_limit", {{"datname", "half"}}), -2);
  EXPECT_EQ(value_of(page, "pg_database_invalid", {{"datname", "half"}}), 1);
  EXPECT_EQ(value_of(page, "pg_database_invalid", {{"datname", "postgres"}}), 0);
  EXPECT_GT(value_of(page, "pg_database_size_bytes", {{"datname", "half"}}).value_or(0), 0);
}

TEST_F(PostgresEdgeCasesTest, ADatabaseClosedToTheRoleLacksItsSizeAlone) {
  server_.sql("CREATE DATABASE closed");
  server_.sql("REVOKE CONNECT ON DATABASE closed FROM public");
  server_.sql("CREATE ROLE plain LOGIN");
  const auto of_plain = page_of(only({"database"}, "plain"));
  EXPECT_THAT(label_values(of_plain, "pg_database_size_bytes", "datname"),
              ElementsAre("postgres", "template0", "template1"));
  EXPECT_EQ(value_of(of_plain, "pg_database_connection_limit", {{"datname", "closed"}}), -1);
  server_.sql("GRANT pg_monitor TO plain");
  EXPECT_THAT(label_values(page_of(only({"database"}, "plain")), "pg_database_size_bytes", "datname"),
              ElementsAre("closed", "postgres", "template0", "template1"));
}

TEST_F(PostgresEdgeCasesTest, ADatabaseWithoutAResetLacksThatTimeAlone) {
  server_.sql("SELECT pg_stat_reset()");
  server_.sql("CREATE DATABASE untouched");
  const auto page = page_of(only({"stat_database"}));
  EXPECT_THAT(label_values(page, "pg_stat_database_stats_reset", "datname"), ElementsAre("postgres"));
  EXPECT_THAT(label_values(page, "pg_stat_database_xact_commit", "datname"),
              ElementsAre("postgres", "template0", "template1", "untouched"));
}

TEST_F(PostgresEdgeCasesTest, SharedObjectsHaveARowForTheOlderExporterAlone) {
  auto options = only({"stat_database"});
  EXPECT_THAT(label_values(page_of(options), "pg_stat_database_xact_commit", "datid"), Not(Contains("0")));
  options.compat = Compat::v0_11;
  const auto page = page_of(options);
  EXPECT_THAT(label_values(page, "pg_stat_database_xact_commit", "datid"), Contains("0"));
  EXPECT_THAT(label_values(page, "pg_stat_database_xact_commit", "datname"), Contains(""));
}

TEST_F(PostgresEdgeCasesTest, AnArchiverThatNeverArchivedHasNoAgeAndOneThatFailsSaysSo) {
  const auto quiet = page_of(only({"stat_archiver"}));
  EXPECT_EQ(value_of(quiet, "pg_stat_archiver_last_archive_age", {}), std::nullopt);
  EXPECT_EQ(value_of(quiet, "pg_stat_archiver_last_failed_timestamp_seconds", {}), std::nullopt);
  EXPECT_EQ(value_of(quiet, "pg_stat_archiver_failing", {}), 0);
  server_.sql("ALTER SYSTEM SET archive_mode = on");
  server_.sql("ALTER SYSTEM SET archive_command = '/bin/false'");
  server_.kill(2);
  server_.start();
  server_.sql("CREATE TABLE written ()");
  server_.sql("SELECT pg_switch_wal()");
  await_true([&] { return server_.sql("SELECT failed_count > 0 FROM pg_stat_archiver") == "t\n"; });
  const auto failing = page_of(only({"stat_archiver"}));
  EXPECT_EQ(value_of(failing, "pg_stat_archiver_failing", {}), 1);
  EXPECT_TRUE(value_of(failing, "pg_stat_archiver_last_failed_timestamp_seconds", {}).has_value());
  EXPECT_EQ(value_of(failing, "pg_stat_archiver_last_archived_timestamp_seconds", {}), std::nullopt);
}

TEST_F(PostgresEdgeCasesTest, WhatAutovacuumShowsAsItsQueryBecomesSchemaAndTable) {
  auto sql = sql_of(stat_activity_autovacuum_collector);
  constexpr std::string_view view = "pg_catalog.pg_stat_activity a";
  sql.replace(sql.find(view), view.size(), R"((VALUES
    ('shop', to_timestamp(5), 'autovacuum: VACUUM ANALYZE one.orders (to prevent wraparound)', 1),
    ('shop', to_timestamp(6), 'autovacuum: VACUUM two.orders', 2),
    ('shop', to_timestamp(4), 'autovacuum: ANALYZE two.orders', 3),
    ('shop', to_timestamp(7), 'autovacuum: BRIN summarize two.with.dots 7', 4),
    ('shop', to_timestamp(8), 'autovacuum: VACUUM pg_toast.pg_toast_16400', 5),
    ('shop', to_timestamp(9), 'SELECT 1 AS "autovacuum: VACUUM one.orders"', 6)) AS a(datname, xact_start, query, pid))");
  EXPECT_EQ(server_.sql("SELECT datname, schemaname, relname, started::int FROM (" + sql + ") AS t"),
            "shop|one|orders|5\nshop|pg_toast|pg_toast_16400|8\nshop|two|orders|4\nshop|two|with.dots|7\n");
}

TEST_F(PostgresEdgeCasesTest, ARealAutovacuumIsSeen) {
  server_.sql("ALTER SYSTEM SET autovacuum_naptime = '1 s'");
  server_.sql("SELECT pg_reload_conf()");
  server_.sql("CREATE SCHEMA shop");
  server_.sql(
      "CREATE TABLE shop.orders (id int) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,"
      " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_analyze_threshold = 1000000)");
  server_.sql("INSERT INTO shop.orders SELECT generate_series(1, 100000)");
  server_.sql("DELETE FROM shop.orders WHERE id % 2 = 0");
  await_true([&] {
    return server_.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: VACUUM% shop.orders'") ==
           "1\n";
  });
  const auto page = page_of(only({"stat_activity_autovacuum"}));
  EXPECT_GT(value_of(page, "pg_stat_activity_autovacuum_timestamp_seconds",
                     {{"datname", "postgres"}, {"schemaname", "shop"}, {"relname", "orders"}})
                .value_or(0),
            1e9);
}

TEST_F(PostgresEdgeCasesTest, IdleSessionsAreAHistogramForEachStateAndApplication) {
  const auto none = page_of(only({"process_idle"}));
  EXPECT_EQ(none.find("pg_process_idle_seconds"), nullptr);
  EXPECT_EQ(value_of(none, "pg_scrape_collector_success", {{"collector", "process_idle"}}), 1);
  const auto shop = session("shop", "SELECT 1;\n");
  const auto open = session("shop_in_transaction", "BEGIN;\nSELECT 1;\n");
  await_true([&] {
    return server_.sql(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'shop%' AND state LIKE 'idle%'"
               " AND now() - state_change > interval '1.2 s'") == "2\n";
  });
  const auto page = page_of(only({"process_idle"}));
  const auto* family = page.find("pg_process_idle_seconds");
  ASSERT_NE(family, nullptr);
  EXPECT_EQ(family->type, metrics::MetricType::histogram);
  EXPECT_THAT(label_values(page, "pg_process_idle_seconds", "state"), ElementsAre("idle", "idle in transaction"));
  EXPECT_THAT(label_values(page, "pg_process_idle_seconds", "application_name"),
              ElementsAre("shop", "shop_in_transaction"));
}

TEST_F(PostgresEdgeCasesTest, OnlySessionsInATransactionAreLongRunning) {
  const auto quiet = page_of(only({"long_running_transactions"}));
  EXPECT_EQ(value_of(quiet, "pg_long_running_transactions", {}), 0);
  EXPECT_EQ(value_of(quiet, "pg_long_running_transactions_oldest_timestamp_seconds", {}), 0);
  const auto idle = session("idle", "SELECT 1;\n");
  const auto open = session("open", "BEGIN;\nSELECT 1;\n");
  await_true([&] {
    return server_.sql(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('idle', 'open')"
               " AND state LIKE 'idle%'") == "2\n";
  });
  const auto page = page_of(only({"long_running_transactions"}));
  EXPECT_EQ(value_of(page, "pg_long_running_transactions", {}), 1);
  EXPECT_GT(value_of(page, "pg_long_running_transactions_oldest_timestamp_seconds", {}).value_or(0), 0);
}

TEST_F(PostgresEdgeCasesTest, AVacuumThatMayNotBeSeenHasItsPhasesAndOneOfAnotherDatabaseItsOid) {
  server_.sql("CREATE ROLE plain LOGIN");
  server_.sql("CREATE DATABASE other");
  for (const auto* database : {"postgres", "other"}) {
    server_.sql("CREATE TABLE wide AS SELECT i, repeat('x', 500) AS x FROM generate_series(1, 20000) i", database);
    server_.sql("DELETE FROM wide WHERE i % 3 = 0", database);
  }
  const auto vacuum = [&](std::string_view database) {
    return test::Process({"psql", "-X", "-c", "SET vacuum_cost_delay = 100", "-c", "SET vacuum_cost_limit = 1", "-c",
                          "VACUUM wide", server_.dsn(database)},
                         server_.directory() / "vacuum.log", false);
  };
  const auto here = vacuum("postgres");
  const auto there = vacuum("other");
  await_true([&] { return server_.sql("SELECT count(*) FROM pg_stat_progress_vacuum") == "2\n"; });
  auto oid = server_.sql("SELECT 'wide'::regclass::oid", "other");
  oid.pop_back();
  const auto page = page_of(only({"stat_progress_vacuum"}));
  EXPECT_EQ(value_of(page, "pg_stat_progress_vacuum_heap_blks", {{"datname", "other"}, {"relname", oid}}),
            value_of(page, "pg_stat_progress_vacuum_heap_blks", {{"datname", "postgres"}, {"relname", "wide"}}));
  EXPECT_EQ(page.find("pg_stat_progress_vacuum_heap_blks")->values.size(), 2U);
  EXPECT_EQ(page.find("pg_stat_progress_vacuum_phase")->values.size(), 14U);
  const auto hidden = page_of(only({"stat_progress_vacuum"}, "plain"));
  const auto* phases = hidden.find("pg_stat_progress_vacuum_phase");
  ASSERT_NE(phases, nullptr);
  EXPECT_THAT(phases->values, testing::Each(0));
  const auto* blocks = hidden.find("pg_stat_progress_vacuum_heap_blks");
  EXPECT_TRUE(blocks == nullptr || blocks->values.empty());
}

TEST_F(PostgresEdgeCasesTest, TheSizeOfATableIsThatOfTheFunctionsUpToItsMaps) {
  server_.sql("CREATE TABLE toasted (id int PRIMARY KEY, a text, b int)");
  server_.sql("CREATE INDEX ON toasted (b)");
  server_.sql("ALTER TABLE toasted ALTER a SET STORAGE EXTERNAL");
  server_.sql("INSERT INTO toasted SELECT i, repeat('x', 20000), i FROM generate_series(1, 300) i");
  server_.sql("CREATE TABLE plain_one (id int PRIMARY KEY, a text)");
  server_.sql("INSERT INTO plain_one SELECT i, 'x' FROM generate_series(1, 5000) i");
  server_.sql("CREATE TABLE never_analyzed (id int)");
  server_.sql("VACUUM ANALYZE toasted");
  server_.sql("VACUUM ANALYZE plain_one");
  const auto page = page_of(only({"stat_user_tables"}));
  const auto exact = [&](const std::string& expression) { return std::stod(server_.sql("SELECT " + expression)); };
  for (const std::string table : {"toasted", "plain_one"}) {
    const Labels labels{{"datname", "postgres"}, {"schemaname", "public"}, {"relname", table}};
    EXPECT_EQ(value_of(page, "pg_stat_user_tables_index_size_bytes", labels),
              exact("pg_indexes_size('" + table + "')"));
    const auto without_maps = exact(
        "(SELECT pg_relation_size(c.oid) + pg_relation_size(c.reltoastrelid) + pg_indexes_size(c.reltoastrelid)"
        " FROM pg_class c WHERE c.oid = '" +
        table + "'::regclass)");
    // The pages of a TOAST index are estimated.
    EXPECT_NEAR(value_of(page, "pg_stat_user_tables_table_size_bytes", labels).value_or(0), without_maps,
                table == "toasted" ? 2 * 8192 : 0)
        << table;
  }
  EXPECT_EQ(label_values(page, "pg_stat_user_tables_n_live_tup", "relname").size(), 3U);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_table_size_bytes", "relname"), Not(Contains("never_analyzed")));
}

TEST_F(PostgresEdgeCasesTest, TheStatementOfTablesSaysWhatTheViewSays) {
  server_.sql("CREATE TABLE used (id int PRIMARY KEY, a text)");
  server_.sql("CREATE INDEX ON used (a)");
  server_.sql("INSERT INTO used SELECT i, 'x' || i FROM generate_series(1, 2000) i");
  server_.sql("CREATE TABLE parted (id int) PARTITION BY RANGE (id)");
  server_.sql("CREATE MATERIALIZED VIEW seen AS SELECT * FROM used");
  server_.sql("CREATE TABLE without_index (id int)");
  server_.sql("VACUUM ANALYZE used");
  for (int i = 0; i < 3; ++i) server_.sql("SELECT * FROM used WHERE id = 7");
  server_.sql("UPDATE used SET a = a || 'y' WHERE id < 100");
  constexpr std::string_view columns =
      "schemaname, relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del, "
      "n_tup_hot_upd, n_live_tup, n_dead_tup, n_mod_since_analyze, EXTRACT(EPOCH FROM last_vacuum), "
      "EXTRACT(EPOCH FROM last_analyze), vacuum_count, autovacuum_count, analyze_count, autoanalyze_count";
  constexpr std::string_view own_columns =
      "schemaname, relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del, "
      "n_tup_hot_upd, n_live_tup, n_dead_tup, n_mod_since_analyze, last_vacuum, last_analyze, vacuum_count, "
      "autovacuum_count, analyze_count, autoanalyze_count";
  auto own = sql_of(stat_user_tables_collector);
  own.replace(own.find("{optional}"), std::string_view("{optional}").size(), "");
  const auto of_view =
      server_.sql("SELECT " + std::string(columns) + " FROM pg_stat_user_tables ORDER BY schemaname, relname");
  const auto of_statement =
      server_.sql("SELECT " + std::string(own_columns) + " FROM (" + own + ") AS t ORDER BY schemaname, relname");
  EXPECT_EQ(of_statement, of_view);
  EXPECT_EQ(std::count(of_view.begin(), of_view.end(), '\n'), 4);
}

}  // namespace
}  // namespace midst::sources
