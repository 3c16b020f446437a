// The Postgres source over several databases: who is shown, over how many connections, how old, and what a fault costs.
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/counting_proxy.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/scripted_pg.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::label_values;
using test::value_of;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

class PostgresDatabases : public testing::Test {
 protected:
  static constexpr std::size_t shops = 20;

  static void SetUpTestSuite() {
    server_ = std::make_unique<test::PostgresServer>();
    for (std::size_t i = 0; i < shops; ++i) {
      const auto name = "shop_" + std::to_string(i);
      server_->sql("CREATE DATABASE " + name);
      server_->sql("CREATE TABLE goods_" + std::to_string(i) + " (id int)", name);
    }
  }
  static void TearDownTestSuite() { server_.reset(); }

  [[nodiscard]] static PostgresOptions options(const std::string& dsn = server_->dsn()) {
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(dsn).value();
    options.pace.sample_interval = 0s;
    return options;
  }

  Snapshot scrape(PostgresSource& source) {
    auto result = test::run(io_, collected(source, std::chrono::steady_clock::now() + 10s));
    EXPECT_TRUE(result.front()) << (result.front() ? "" : result.front().error().message);
    return std::move(*result.front());
  }

  /// Scrapes until the tables of this many databases are shown.
  Snapshot scrape_until(PostgresSource& source, std::size_t databases) {
    for (int i = 0; i < 100; ++i) {
      auto page = scrape(source);
      if (label_values(page, "pg_stat_user_tables_n_live_tup", "datname").size() >= databases) return page;
    }
    ADD_FAILURE() << "not all databases came up";
    return scrape(source);
  }

  static std::size_t connections_of_agent() {
    return std::stoul(server_->sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'midst-agent'"));
  }

  asio::io_context io_;
  static std::unique_ptr<test::PostgresServer> server_;
};

std::unique_ptr<test::PostgresServer> PostgresDatabases::server_;

TEST_F(PostgresDatabases, TakeTurnsOnTwoConnectionsUntilAllAreShown) {
  auto chosen = options();
  chosen.pace.ttl["stat_user_tables"] = 0ms;
  PostgresSource source(io_.get_executor(), chosen);
  std::size_t most = 0;
  for (int i = 0; i < 30; ++i) {
    (void)scrape(source);
    most = std::max(most, connections_of_agent());
  }
  const auto page = scrape(source);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"), SizeIs(shops));
  EXPECT_LE(most, 3U);
  EXPECT_EQ(value_of(page, "midst_pg_database_connections", {}), 2);
  EXPECT_EQ(value_of(page, "midst_pg_database_connections_limit", {}), 2);
  EXPECT_EQ(value_of(page, "midst_pg_database_up", {{"datname", "shop_7"}}), 1);
  EXPECT_EQ(value_of(page, "pg_scrape_collector_success", {{"collector", "stat_user_tables"}}), 1);
}

TEST_F(PostgresDatabases, SayHowOldIsWhatIsShown) {
  auto chosen = options();
  PostgresSource source(io_.get_executor(), chosen);
  (void)scrape(source);
  const auto page = scrape(source);
  // With two connections and turns of the collectors' ttl the first two are shown, and no new ones at once.
  EXPECT_THAT(label_values(page, "midst_pg_database_age_seconds", "datname"), ElementsAre("shop_0", "shop_1"));
  const auto age =
      value_of(page, "midst_pg_collector_age_seconds", {{"collector", "stat_user_tables"}, {"datname", "shop_0"}});
  ASSERT_TRUE(age);
  EXPECT_GT(*age, 0);
  EXPECT_LT(*age, 30);
}

TEST_F(PostgresDatabases, AreChosenByGlob) {
  auto chosen = options();
  chosen.databases.include = {"shop_1*"};
  chosen.databases.exclude = {"*5"};
  chosen.databases.max_connections = 20;
  PostgresSource source(io_.get_executor(), chosen);
  (void)scrape(source);
  const auto page = scrape(source);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"),
              ElementsAre("shop_1", "shop_10", "shop_11", "shop_12", "shop_13", "shop_14", "shop_16", "shop_17",
                          "shop_18", "shop_19"));
}

TEST_F(PostgresDatabases, NoneIsVisitedWithoutIncludeOrConnections) {
  for (const bool is_by_include : {true, false}) {
    auto chosen = options(server_->dsn("shop_3"));
    if (is_by_include)
      chosen.databases.include.clear();
    else
      chosen.databases.max_connections = 0;
    PostgresSource source(io_.get_executor(), chosen);
    (void)scrape(source);
    const auto page = scrape(source);
    EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"), ElementsAre("shop_3"));
    EXPECT_EQ(connections_of_agent(), 1U);
  }
}

TEST_F(PostgresDatabases, TheSteadyScrapeIsOneTurnOnEachConnection) {
  test::CountingProxy proxy(io_, server_->port());
  auto chosen = options("host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(proxy.port()));
  chosen.databases.include = {"shop_1", "shop_2"};
  chosen.pace.ttl["stat_user_tables"] = 0ms;
  PostgresSource source(io_.get_executor(), chosen);
  for (int i = 0; i < 3; ++i) (void)scrape(source);
  proxy.reset_counts();
  for (int i = 0; i < 5; ++i) (void)scrape(source);
  EXPECT_EQ(proxy.turns(), 3U * 5U);
  EXPECT_EQ(proxy.connection_count(), 0U);
}

TEST_F(PostgresDatabases, ADroppedDatabaseIsForgottenAndCostsTheOthersNothing) {
  server_->sql("CREATE DATABASE short_lived");
  server_->sql("CREATE TABLE t (id int)", "short_lived");
  auto chosen = options();
  chosen.databases.include = {"short_lived", "shop_0"};
  chosen.pace.ttl["stat_user_tables"] = 0ms;
  chosen.pace.ttl["database_list"] = 0ms;
  PostgresSource source(io_.get_executor(), chosen);
  auto page = scrape_until(source, 2);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"), ElementsAre("shop_0", "short_lived"));
  server_->sql("DROP DATABASE short_lived WITH (FORCE)");
  for (int i = 0; i < 3; ++i) page = scrape(source);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"), ElementsAre("shop_0"));
  EXPECT_EQ(value_of(page, "pg_up", {}), 1);
  EXPECT_THAT(label_values(page, "midst_pg_database_up", "datname"), ElementsAre("shop_0"));
}

TEST_F(PostgresDatabases, OneThatCannotBeEnteredSaysSoAndTheRestIsThere) {
  server_->sql("CREATE DATABASE closed");
  server_->sql("CREATE ROLE visitor LOGIN");
  server_->set_hba("local all all trust\nhost closed visitor 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n");
  auto chosen = options(server_->dsn("postgres", "visitor"));
  chosen.databases.include = {"closed", "shop_0"};
  PostgresSource source(io_.get_executor(), chosen);
  (void)scrape(source);
  const auto page = scrape(source);
  EXPECT_EQ(value_of(page, "midst_pg_database_up", {{"datname", "closed"}}), 0);
  EXPECT_EQ(value_of(page, "midst_pg_database_up", {{"datname", "shop_0"}}), 1);
  EXPECT_EQ(value_of(page, "midst_pg_database_errors_total", {{"reason", "auth"}}), 1);
  EXPECT_THAT(label_values(page, "pg_stat_user_tables_n_live_tup", "datname"), ElementsAre("shop_0"));
  EXPECT_EQ(value_of(page, "pg_scrape_collector_success", {{"collector", "stat_user_tables"}}), 0);
  EXPECT_EQ(value_of(page, "pg_scrape_collector_success", {{"collector", "stat_database"}}), 1);
  server_->set_hba("local all all trust\nhost all all 127.0.0.1/32 trust\n");
  server_->sql("DROP DATABASE closed");
}

TEST_F(PostgresDatabases, ThroughAPoolerNothingIsLeftBehindForOthers) {
  const test::PgBouncerServer pooler(*server_, {"default_pool_size=1"});
  auto chosen = options(pooler.dsn("postgres"));
  chosen.databases.include.clear();
  PostgresSource source(io_.get_executor(), chosen);
  (void)scrape(source);
  const auto page = scrape(source);
  EXPECT_EQ(value_of(page, "midst_pg_behind_pooler", {}), 1);
  const auto* success = page.find("pg_scrape_collector_success");
  ASSERT_NE(success, nullptr);
  EXPECT_THAT(success->values, testing::Each(1));
  EXPECT_GT(success->values.size(), 15U);
  // The pool has one connection: what an application gets is the one that was used a moment ago.
  const auto left =
      test::run_command({"psql", "-XAtq", "-c",
                         "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
                         "('default_transaction_read_only', 'statement_timeout', 'lock_timeout', 'jit')",
                         "-c", "SELECT count(*) FROM pg_prepared_statements", pooler.dsn("postgres")});
  EXPECT_EQ(left.output, "default_transaction_read_only=off jit=on lock_timeout=0 statement_timeout=0\n0\n");
}

TEST_F(PostgresDatabases, ExplainTellsWhatIsAskedHowOftenAndWhyNot) {
  auto chosen = options();
  chosen.collectors["stat_statements"] = true;
  PostgresSource source(io_.get_executor(), chosen);
  (void)scrape_until(source, 2);
  const auto text = source.explain();
  EXPECT_THAT(text, testing::StartsWith("-- database postgres, server 15."));
  EXPECT_THAT(text, testing::HasSubstr(", primary\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n-- settings: every 60 s, [0-9.]+ ms the last time\nSELECT"));
  EXPECT_THAT(text, testing::ContainsRegex("\n-- locks: at every scrape, "));
  EXPECT_THAT(text, testing::HasSubstr("\n-- stat_io: not for this server\n\n"));
  EXPECT_THAT(text, testing::HasSubstr("\n-- stat_statements: unsupported: "));
  EXPECT_THAT(text, testing::HasSubstr("\n-- database shop_0, server 15."));
}

TEST_F(PostgresDatabases, WithoutAPoolerTheSessionIsItsOwn) {
  PostgresSource source(io_.get_executor(), options());
  const auto page = scrape(source);
  EXPECT_EQ(value_of(page, "midst_pg_behind_pooler", {}), 0);
}

}  // namespace
}  // namespace midst::sources
