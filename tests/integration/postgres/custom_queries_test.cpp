// SQL of operators on a real server: what becomes of its answers, and that a mistake in it costs only itself.
#include "agent/sources/postgres/custom/statement.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::label_values;
using test::value_of;
using testing::ElementsAre;
using testing::IsEmpty;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

class CustomQueries : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<test::PostgresServer>();
    server_->sql("CREATE TABLE orders (state text, is_open bool, n int, at timestamptz, note text)");
    server_->sql(
        "INSERT INTO orders VALUES ('new', true, 3, '1970-01-01 00:00:10.5+00', 'x'),"
        " (NULL, NULL, NULL, NULL, NULL)");
    server_->sql("CREATE SCHEMA shop");
    server_->sql("CREATE TABLE shop.stock AS SELECT 7 AS n");
    server_->sql("CREATE ROLE shopkeeper LOGIN IN ROLE pg_monitor");
    server_->sql("ALTER ROLE shopkeeper SET search_path = shop");
    server_->sql("ALTER ROLE shopkeeper SET datestyle = 'German'");
    server_->sql("GRANT USAGE ON SCHEMA shop TO shopkeeper");
    server_->sql("GRANT ALL ON ALL TABLES IN SCHEMA shop TO shopkeeper");
  }
  static void TearDownTestSuite() { server_.reset(); }

  static CustomDefinition query(const std::string& name, std::string sql, std::vector<CustomColumn> columns = {}) {
    CustomDefinition own;
    own.name = name;
    own.sql = std::move(sql);
    own.prefix = "pg_" + name;
    own.columns = std::move(columns);
    return own;
  }

  static CustomColumn column(const std::string& name, Use use, const std::string& metric = {}) {
    return {.column = name, .use = use, .metric = use == Use::label && metric.empty() ? name : metric, .help = "Own."};
  }

  PostgresOptions options(std::vector<CustomDefinition> custom, const std::string& dsn = server_->dsn()) {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(dsn).value();
    options.pace.sample_interval = 0s;
    options.pace.max_share = 0;
    options.databases.include = {};
    options.custom = std::move(custom);
    return options;
  }

  Snapshot scrape(PostgresSource& source) {
    auto result = test::run(io_, collected(source, std::chrono::steady_clock::now() + 10s));
    EXPECT_TRUE(result.front()) << (result.front() ? "" : result.front().error().message);
    return std::move(*result.front());
  }

  /// The second page: what is left out of an answer is counted while the first is made.
  Snapshot page_of(std::vector<CustomDefinition> custom, const std::string& dsn = server_->dsn()) {
    PostgresSource source(io_.get_executor(), options(std::move(custom), dsn));
    (void)scrape(source);
    return scrape(source);
  }

  static std::optional<double> success(const Snapshot& page, const std::string& collector) {
    return value_of(page, "pg_scrape_collector_success", {{"collector", collector}});
  }

  /// Reasons of the failed attempts of a collector.
  static std::vector<std::string> reasons(const Snapshot& page, const std::string& collector) {
    std::vector<std::string> found;
    for (const auto& reason : label_values(page, "midst_pg_collector_errors_total", "reason"))
      if (value_of(page, "midst_pg_collector_errors_total", {{"collector", collector}, {"reason", reason}}))
        found.push_back(reason);
    return found;
  }

  static double skipped(const Snapshot& page, const std::string& collector, const std::string& reason) {
    return value_of(page, "midst_pg_values_skipped_total", {{"collector", collector}, {"reason", reason}}).value_or(0);
  }

  asio::io_context io_;
  static std::unique_ptr<test::PostgresServer> server_;
};

std::unique_ptr<test::PostgresServer> CustomQueries::server_;

TEST_F(CustomQueries, BecomeMetricsByTheTypesOfTheirColumns) {
  const auto page =
      page_of({query("orders", "SELECT * FROM orders",
                     {column("state", Use::label), column("is_open", Use::label),
                      column("at", Use::gauge, "pg_orders_at"), column("note", Use::gauge, "pg_orders_note")})});
  EXPECT_EQ(success(page, "orders"), 1);
  EXPECT_EQ(value_of(page, "pg_orders_at", {{"state", "new"}, {"is_open", "true"}}), 10.5);
  EXPECT_EQ(value_of(page, "pg_orders_n", {{"state", "new"}, {"is_open", "true"}}), 3);
  EXPECT_EQ(page.find("pg_orders_n")->type, metrics::MetricType::unknown);
  EXPECT_EQ(value_of(page, "pg_orders_n", {{"state", ""}, {"is_open", ""}}), std::nullopt);
  EXPECT_EQ(page.find("pg_orders_note"), nullptr);
  EXPECT_EQ(skipped(page, "orders", "unreadable"), 1);
}

TEST_F(CustomQueries, OfEqualLabelsTheFirstRowStaysAndTheRestIsCounted) {
  const auto sql = "SELECT 'a' AS k, n FROM generate_series(1, 3) n";
  const auto without = page_of({}).duplicate_count();
  const auto page = page_of({query("twice", sql, {column("k", Use::label), column("n", Use::gauge, "pg_twice_n")})});
  EXPECT_EQ(value_of(page, "pg_twice_n", {{"k", "a"}}), 1);
  EXPECT_EQ(page.duplicate_count() - without, 2U);
}

TEST_F(CustomQueries, RowsOverTheLimitAreCountedAndAFloodOfThemIsNotReceived) {
  auto some = query("some", "SELECT n::text AS k, n FROM generate_series(1, 25) n",
                    {column("k", Use::label), column("n", Use::gauge, "pg_some_n")});
  some.max_rows = 10;
  auto flood = query("flood", "SELECT generate_series(1, 100000000) AS n", {column("n", Use::gauge, "pg_flood_n")});
  flood.max_rows = 1;
  const auto page = page_of({some, flood});
  EXPECT_EQ(page.find("pg_some_n")->values.size(), 10U);
  EXPECT_EQ(skipped(page, "some", "row_limit"), 15);
  EXPECT_EQ(skipped(page, "flood", "row_limit"), 10'000);
}

TEST_F(CustomQueries, AnErrorCostsOnlyItselfAndHasAReason) {
  const auto good = query("good", "SELECT 1 AS n", {column("n", Use::gauge, "pg_good_n")});
  const auto page = page_of({good, query("gone", "SELECT * FROM gone"), query("syntax", "SELECT FROM WHERE"),
                             query("zero", "SELECT 1 / 0 AS n"), query("copy", "COPY orders TO STDOUT"),
                             query("two", "SELECT 1; SELECT 2"), query("parameter", "SELECT $1::int AS n")});
  EXPECT_EQ(value_of(page, "pg_up", {}), 1);
  EXPECT_EQ(success(page, "good"), 1);
  EXPECT_EQ(success(page, "stat_database"), 1);
  EXPECT_EQ(value_of(page, "pg_good_n", {}), 1);
  EXPECT_THAT(reasons(page, "gone"), ElementsAre("unsupported"));
  for (const auto* name : {"syntax", "zero", "copy", "two", "parameter"}) {
    EXPECT_EQ(success(page, name), 0) << name;
    EXPECT_THAT(reasons(page, name), ElementsAre("server")) << name;
  }
  EXPECT_THAT(reasons(page, "good"), IsEmpty());
}

TEST_F(CustomQueries, NeverWrite) {
  server_->sql(
      "CREATE FUNCTION add_order() RETURNS int LANGUAGE sql AS $$ INSERT INTO orders (n) VALUES (1) RETURNING n $$");
  server_->sql("CREATE SEQUENCE numbers");
  const auto before = server_->sql("SELECT count(*) FROM orders");
  const auto page =
      page_of({query("by_function", "SELECT add_order() AS n"), query("by_sequence", "SELECT nextval('numbers') AS n"),
               query("by_with", "WITH new AS (INSERT INTO orders (n) VALUES (1) RETURNING n) SELECT n FROM new"),
               query("by_setting", "SELECT set_config('transaction_read_only', 'off', true), add_order() AS n"),
               query("insert", "INSERT INTO orders (n) VALUES (1) RETURNING n")});
  for (const auto* name : {"by_function", "by_sequence", "by_with", "by_setting", "insert"})
    EXPECT_EQ(success(page, name), 0) << name;
  EXPECT_EQ(server_->sql("SELECT count(*) FROM orders"), before);
  EXPECT_THAT(single_statement("INSERT INTO orders (n) VALUES (1)").error().message, testing::HasSubstr("only read"));
}

TEST_F(CustomQueries, ReadAndOnlyReadThroughAPooler) {
  server_->sql("CREATE SEQUENCE IF NOT EXISTS pooled");
  const test::PgBouncerServer pooler(*server_, {"default_pool_size=1"});
  const auto page =
      page_of({query("open", "SELECT count(*) AS n FROM orders"), query("writes", "SELECT nextval('pooled') AS n"),
               query("path", "SELECT current_setting('search_path') AS k, 1 AS n", {column("k", Use::label)})},
              pooler.dsn("postgres"));
  EXPECT_EQ(value_of(page, "midst_pg_behind_pooler", {}), 1);
  EXPECT_EQ(value_of(page, "pg_open_n", {}), std::stod(server_->sql("SELECT count(*) FROM orders")));
  EXPECT_EQ(success(page, "writes"), 0);
  EXPECT_EQ(value_of(page, "pg_path_n", {{"k", "\"$user\", public"}}), 1);
}

TEST_F(CustomQueries, TakeNoLongerThanTheirTimeout) {
  auto slow = query("slow", "SELECT 1 AS n FROM pg_sleep(20)", {column("n", Use::gauge, "pg_slow_n")});
  slow.timeout = 100ms;
  const auto began = std::chrono::steady_clock::now();
  const auto page = page_of({slow, query("good", "SELECT 1 AS n")});
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  EXPECT_THAT(reasons(page, "slow"), ElementsAre("timeout"));
  EXPECT_EQ(value_of(page, "pg_good_n", {}), 1);
}

TEST_F(CustomQueries, AreAskedByVersionAndRole) {
  auto newer = query("newer", "SELECT 1 AS n"), older = newer, standby = newer, primary = newer;
  newer.versions = {{.from = 160'000}};
  older.name = older.prefix = "older";
  older.versions = {{0, 160'000}};
  standby.name = standby.prefix = "standby";
  standby.role = Role::standby;
  primary.name = primary.prefix = "primary";
  primary.role = Role::primary;
  const auto page = page_of({newer, older, standby, primary});
  EXPECT_EQ(success(page, "newer"), std::nullopt);
  EXPECT_EQ(success(page, "standby"), std::nullopt);
  EXPECT_EQ(success(page, "older"), 1);
  EXPECT_EQ(success(page, "primary"), 1);
  EXPECT_EQ(page.find("pg_newer_n"), nullptr);
  EXPECT_EQ(value_of(page, "older_n", {}), 1);
}

TEST_F(CustomQueries, OfEveryDatabaseCarryItsNameAndTheServersWhereAskedTo) {
  server_->sql("CREATE DATABASE other");
  auto every = query("every", "SELECT current_database() AS datname, 1 AS n",
                     {column("datname", Use::label), column("n", Use::gauge, "pg_every_n")});
  every.scope = Scope::database;
  every.has_server_label = true;
  auto chosen = options({every});
  chosen.databases.include = {"other"};
  PostgresSource source(io_.get_executor(), chosen);
  auto page = scrape(source);
  for (int i = 0; i < 50 && label_values(page, "pg_every_n", "datname").size() < 2; ++i) page = scrape(source);
  EXPECT_THAT(label_values(page, "pg_every_n", "datname"), ElementsAre("other", "postgres"));
  EXPECT_THAT(label_values(page, "pg_every_n", "server"), ElementsAre("127.0.0.1:" + std::to_string(server_->port())));
}

TEST_F(CustomQueries, SeeTheSearchPathOfTheirRoleAndIsoDates) {
  const auto page =
      page_of({query("stock", "SELECT n, '1970-01-02'::date AS day FROM stock"),
               query("path", "SELECT current_setting('search_path') AS k, 1 AS n", {column("k", Use::label)})},
              server_->dsn("postgres", "shopkeeper"));
  EXPECT_EQ(value_of(page, "pg_stock_n", {}), 7);
  EXPECT_EQ(value_of(page, "pg_stock_day", {}), 86'400);
  EXPECT_EQ(value_of(page, "pg_path_n", {{"k", "shop"}}), 1);
}

TEST_F(CustomQueries, LeaveTheSessionOfTheCataloguesOwnAsItWas) {
  auto own = options({query("path", "SELECT 1 AS n")});
  PostgresSource source(io_.get_executor(), own);
  (void)scrape(source);
  const auto page = scrape(source);
  EXPECT_EQ(success(page, "stat_database"), 1);
  server_->sql("CREATE VIEW public.pg_stat_archiver AS SELECT 1 AS nothing");
  const auto again = scrape(source);
  server_->sql("DROP VIEW public.pg_stat_archiver");
  EXPECT_EQ(success(again, "stat_archiver"), 1);
}

TEST_F(CustomQueries, MayHaveNoColumnsTwoOfOneNameAndShow) {
  const auto page = page_of({query("none", "SELECT FROM generate_series(1, 3)"), query("two", "SELECT 1 AS n, 2 AS n"),
                             query("shown", "SHOW max_connections"), query("values", "VALUES (1), (2)")});
  EXPECT_EQ(success(page, "none"), 1);
  EXPECT_EQ(value_of(page, "pg_two_n", {}), 1);
  EXPECT_EQ(skipped(page, "two", "unreadable"), 1);
  EXPECT_EQ(value_of(page, "pg_shown_max_connections", {}), 100);
  EXPECT_EQ(value_of(page, "pg_values_column1", {}), 1);
}

TEST_F(CustomQueries, GoOnAfterTheTableHasOtherColumns) {
  server_->sql("CREATE TABLE changing AS SELECT 1 AS n");
  PostgresSource source(
      io_.get_executor(),
      options({query("changing", "SELECT * FROM changing", {column("n", Use::gauge, "pg_changing_n")})}));
  EXPECT_EQ(value_of(scrape(source), "pg_changing_n", {}), 1);
  server_->sql("ALTER TABLE changing ALTER n TYPE text, ADD m int DEFAULT 5");
  auto page = scrape(source);
  EXPECT_EQ(success(page, "changing"), 1);
  EXPECT_EQ(value_of(page, "pg_changing_n", {}), 1);
  EXPECT_EQ(value_of(page, "pg_changing_m", {}), 5);
  server_->sql("DROP TABLE changing");
  page = scrape(source);
  EXPECT_EQ(success(page, "changing"), 0);
  EXPECT_THAT(reasons(page, "changing"), ElementsAre("unsupported"));
}

TEST_F(CustomQueries, BecomeHistogramsMappingsAndDurations) {
  const auto page = page_of(
      {query("idle",
             "SELECT ARRAY[1, 2.5]::numeric[] AS t, ARRAY[3, 5]::bigint[] AS t_bucket, 12.5 AS t_sum, 6 AS t_count,"
             " 'up' AS state, interval '1 day 00:00:01.5' AS took",
             {column("t", Use::histogram, "pg_idle_t"),
              {.column = "state",
               .use = Use::gauge,
               .metric = "pg_idle_state",
               .help = "S.",
               .mapping = {{"down", 0}, {"up", 2}}},
              column("took", Use::duration, "pg_idle_took_seconds")})});
  const auto* histogram = page.find("pg_idle_t");
  ASSERT_NE(histogram, nullptr);
  EXPECT_THAT(histogram->distributions[0].bounds, ElementsAre(1, 2.5));
  EXPECT_THAT(histogram->distributions[0].cumulative, ElementsAre(3, 5));
  EXPECT_EQ(histogram->distributions[0].sum, 12.5);
  EXPECT_EQ(histogram->distributions[0].count, 6U);
  EXPECT_EQ(value_of(page, "pg_idle_state", {}), 2);
  EXPECT_EQ(value_of(page, "pg_idle_took_seconds", {}), 86'401.5);
  EXPECT_EQ(skipped(page, "idle", "unreadable"), 0);
}

TEST_F(CustomQueries, AreAskedAgainWhenTheirTtlHasPassed) {
  auto kept = query("kept", "SELECT EXTRACT(EPOCH FROM clock_timestamp()) AS n"), fresh = kept;
  kept.ttl = 60s;
  fresh.name = "fresh";
  fresh.prefix = "pg_fresh";
  PostgresSource source(io_.get_executor(), options({kept, fresh}));
  const auto first = scrape(source), second = scrape(source);
  EXPECT_EQ(value_of(first, "pg_kept_n", {}), value_of(second, "pg_kept_n", {}));
  EXPECT_LT(value_of(first, "pg_fresh_n", {}), value_of(second, "pg_fresh_n", {}));
}

}  // namespace
}  // namespace midst::sources
