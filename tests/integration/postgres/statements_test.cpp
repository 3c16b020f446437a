// stat_statements against a real server: what it evicts, resets and hides, and where the extension is.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/plan.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "agent/sources/postgres/rows_view.hpp"
#include "agent/sources/postgres/top/statement_texts.hpp"
#include "lib/metrics/snapshot.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/postgres/increases.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::Labels;
using test::value_of;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(std::chrono::steady_clock::now() + 10s));
  co_return result;
}

class StatementsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<test::PostgresServer>(
        std::vector<std::string>{"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=100",
                                 "pg_stat_statements.track=all", "compute_query_id=on"});
    server_->sql("CREATE SCHEMA \"odd Schema\"");
    server_->sql("CREATE EXTENSION pg_stat_statements SCHEMA \"odd Schema\"");
    server_->sql("CREATE DATABASE bare");
    server_->sql("CREATE ROLE plain LOGIN");
    server_->sql(
        "CREATE FUNCTION nested() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'SELECT upper(''x'')'; END$$");
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override { server_->sql("SELECT \"odd Schema\".pg_stat_statements_reset()"); }

  [[nodiscard]] static PostgresOptions options(const std::string& dsn, std::size_t statements) {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(dsn).value();
    options.collectors = {{"stat_statements", true}};
    options.pace.ttl["stat_statements"] = 0ms;
    options.pace.max_share = 0;
    options.limits.statements = statements;
    return options;
  }

  [[nodiscard]] Snapshot page_of(PostgresSource& source) {
    return std::move(test::run(io_, collected(source)).front().value());
  }

  /// Runs a statement. @return the id that the server gives to its normalized text.
  [[nodiscard]] static std::string id_of(const std::string& statement, const std::string& normalized) {
    server_->sql(statement);
    auto id = server_->sql("SELECT queryid FROM \"odd Schema\".pg_stat_statements WHERE query = '" + normalized +
                           "' AND toplevel");
    if (!id.empty()) id.pop_back();
    return id;
  }
  [[nodiscard]] static Labels labels(const std::string& id) {
    return {{"user", "postgres"}, {"datname", "postgres"}, {"queryid", id}};
  }

  asio::io_context io_;
  static inline std::unique_ptr<test::PostgresServer> server_;
  static inline const Labels rest_{{"user", "_other"}, {"datname", "_other"}, {"queryid", "_other"}};
};

TEST_F(StatementsTest, CountsOfAStatementAreTheServersAndOutliveAReset) {
  PostgresSource source(io_.get_executor(), options(server_->dsn(), 50));
  const auto id = id_of("SELECT abs(1)", "SELECT abs($1)");
  server_->sql("SELECT abs(2); SELECT abs(3)");
  const auto first = page_of(source);
  EXPECT_EQ(value_of(first, "pg_stat_statements_calls_total", labels(id)), 3);
  EXPECT_EQ(value_of(first, "pg_stat_statements_rows_total", labels(id)), 3);
  EXPECT_GT(value_of(first, "pg_stat_statements_seconds_total", labels(id)).value_or(0), 0);
  EXPECT_EQ(value_of(first, "pg_stat_statements_wal_bytes_total", labels(id)), 0);
  EXPECT_EQ(value_of(first, "pg_stat_statements_plans_total", labels(id)), 0);
  EXPECT_EQ(value_of(first, "pg_stat_statements_jit_seconds_total", labels(id)), 0);
  EXPECT_EQ(value_of(first, "pg_stat_statements_max_entries", {}), 100);
  EXPECT_EQ(value_of(first, "pg_scrape_collector_success", {{"collector", "stat_statements"}}), 1);

  server_->sql("SELECT abs(4); SELECT abs(5)");
  EXPECT_EQ(value_of(page_of(source), "pg_stat_statements_calls_total", labels(id)), 5);

  // More calls than before the reset: by the counts alone this is one call more.
  server_->sql("SELECT \"odd Schema\".pg_stat_statements_reset()");
  for (int i = 0; i < 6; ++i) server_->sql("SELECT abs(6)");
  const auto after = page_of(source);
  EXPECT_EQ(value_of(after, "pg_stat_statements_calls_total", labels(id)), 11);
  EXPECT_GT(value_of(after, "pg_stat_statements_stats_reset_timestamp_seconds", {}),
            value_of(first, "pg_stat_statements_stats_reset_timestamp_seconds", {}));
}

TEST_F(StatementsTest, AStatementRunByAClientAndByAFunctionIsOneSeries) {
  PostgresSource source(io_.get_executor(), options(server_->dsn(), 50));
  server_->sql("SELECT nested(); SELECT nested()");
  const auto id = id_of("SELECT upper('x')", "SELECT upper($1)");
  EXPECT_EQ(server_->sql("SELECT toplevel, calls FROM \"odd Schema\".pg_stat_statements WHERE queryid = " + id +
                         " ORDER BY 1"),
            "f|2\nt|1\n");
  const auto page = page_of(source);
  EXPECT_EQ(page.duplicate_count(), 0U);
  EXPECT_EQ(value_of(page, "pg_stat_statements_calls_total", labels(id)), 3);
}

TEST_F(StatementsTest, EvictionsNeitherLowerASeriesNorJump) {
  PostgresSource source(io_.get_executor(), options(server_->dsn(), 5));
  test::Increases calls("pg_stat_statements_calls_total");
  for (int i = 0; i < 10; ++i) server_->sql("SELECT lower('x')");
  (void)calls.scrape(page_of(source));
  for (int look = 0; look < 6; ++look) {
    // Eighty statements of other shapes each time, so that the server drops most of them soon.
    std::string many;
    std::string columns(static_cast<std::size_t>(look) * 2, ' ');
    for (std::size_t i = 0; i < columns.size(); i += 2) columns.replace(i, 2, "2,");
    for (int i = 0; i < 80; ++i) {
      columns += "'x',";
      many += "SELECT " + columns + "1; ";
    }
    server_->sql(many);
    for (int i = 0; i < 10; ++i) server_->sql("SELECT lower('x')");
    const auto step = calls.scrape(page_of(source));
    EXPECT_EQ(step.fallen, 0U);
    EXPECT_EQ(step.begun, 0);
    // The agent's own statements count too, a few of them at each look; some are evicted before they are seen.
    EXPECT_GE(step.increase, 10);
    EXPECT_LE(step.increase, 80 + 10 + 60);
  }
  const auto page = page_of(source);
  EXPECT_GT(value_of(page, "pg_stat_statements_dealloc_total", {}).value_or(0), 0);
  EXPECT_LE(value_of(page, "pg_stat_statements_entries", {}).value_or(1000), 100);
  EXPECT_EQ(test::label_values(page, "pg_stat_statements_calls_total", "queryid").size(), 6U);
}

TEST_F(StatementsTest, ARoleThatMaySeeMoreThanBeforeIsNoBurst) {
  server_->sql("REVOKE pg_read_all_stats FROM plain");
  server_->sql("GRANT USAGE ON SCHEMA \"odd Schema\" TO plain");
  for (int i = 0; i < 30; ++i) server_->sql("SELECT sqrt(2)");
  PostgresSource source(io_.get_executor(), options(server_->dsn("postgres", "plain"), 3));
  test::Increases calls("pg_stat_statements_calls_total");
  const auto blind = page_of(source);
  EXPECT_GE(value_of(blind, "pg_stat_statements_calls_total", rest_).value_or(0), 30);
  (void)calls.scrape(blind);
  server_->sql("GRANT pg_read_all_stats TO plain");
  const auto step = calls.scrape(page_of(source));
  EXPECT_EQ(step.increase, 0);
  EXPECT_EQ(step.fallen, 0U);
  for (int i = 0; i < 7; ++i) server_->sql("SELECT sqrt(2)");
  const auto next = calls.scrape(page_of(source));
  EXPECT_GE(next.increase + next.begun, 7);
  EXPECT_LE(next.increase + next.begun, 7 + 60);  // And the agent's own statements.
}

TEST_F(StatementsTest, TextsOfTheIdsOnAPageAreThereAfterTheNextOne) {
  const auto id = id_of("SELECT abs(1)", "SELECT abs($1)");
  auto chosen = options(server_->dsn(), 50);
  chosen.texts = std::make_shared<StatementTexts>(chosen.limits);
  PostgresSource source(io_.get_executor(), chosen);
  EXPECT_EQ(chosen.texts->json(), "[]");
  ASSERT_EQ(value_of(page_of(source), "pg_stat_statements_calls_total", labels(id)), 1);
  (void)page_of(source);
  EXPECT_THAT(chosen.texts->json(),
              testing::HasSubstr(R"({"queryid":")" + id + R"json(","query":"SELECT abs($1)"})json"));
}

TEST_F(StatementsTest, TextsAreReadThroughAPoolerToo) {
  const auto id = id_of("SELECT abs(1)", "SELECT abs($1)");
  const test::PgBouncerServer pooler(*server_, {});
  auto chosen = options(pooler.dsn("postgres"), 50);
  chosen.texts = std::make_shared<StatementTexts>(chosen.limits);
  PostgresSource source(io_.get_executor(), chosen);
  (void)page_of(source);
  (void)page_of(source);
  EXPECT_THAT(chosen.texts->json(),
              testing::HasSubstr(R"({"queryid":")" + id + R"json(","query":"SELECT abs($1)"})json"));
}

TEST_F(StatementsTest, TextsOfAServerWithoutTheExtensionCostThePageNothing) {
  auto chosen = options(server_->dsn("bare"), 50);
  chosen.texts = std::make_shared<StatementTexts>(chosen.limits);
  metrics::SnapshotBuilder builder;
  builder.add({"pg_stat_statements_calls_total", metrics::MetricType::counter, "", "C."}, {{"queryid", "1"}}, 1);
  chosen.texts->want(builder.freeze());
  PostgresSource source(io_.get_executor(), chosen);
  EXPECT_EQ(value_of(page_of(source), "pg_up", {}), 1);
  EXPECT_EQ(chosen.texts->json(), "[]");
}

TEST_F(StatementsTest, WithoutTheExtensionTheCollectorIsUnsupportedAndSaysWhatToDo) {
  PostgresSource source(io_.get_executor(), options(server_->dsn("bare"), 50));
  const auto page = page_of(source);
  EXPECT_EQ(value_of(page, "pg_scrape_collector_success", {{"collector", "stat_statements"}}), 0);
  EXPECT_EQ(
      value_of(page, "midst_pg_collector_errors_total", {{"collector", "stat_statements"}, {"reason", "unsupported"}}),
      1);
  EXPECT_EQ(page.find("pg_stat_statements_calls_total"), nullptr);
}

TEST_F(StatementsTest, AnExtensionThatIsNotPreloadedIsUnsupported) {
  const test::PostgresServer other;
  other.sql("CREATE EXTENSION pg_stat_statements");
  PostgresSource source(io_.get_executor(), options(other.dsn(), 50));
  const auto page = page_of(source);
  EXPECT_EQ(value_of(page, "pg_scrape_collector_success", {{"collector", "stat_statements"}}), 0);
  EXPECT_EQ(
      value_of(page, "midst_pg_collector_errors_total", {{"collector", "stat_statements"}, {"reason", "unsupported"}}),
      1);
  EXPECT_EQ(value_of(page, "pg_up", {}), 1);
}

}  // namespace
}  // namespace midst::sources
