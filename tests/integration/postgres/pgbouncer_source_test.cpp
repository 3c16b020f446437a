// The PgBouncer source against the real pooler.
#include "agent/sources/postgres/pgbouncer_source.hpp"

#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <thread>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::value_of;

const std::filesystem::path golden = std::filesystem::path(MIDST_SOURCE_DIR) / "tests/golden/postgres";

asio::awaitable<std::vector<Result<Snapshot>>> collected(PgbouncerSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

class PgbouncerSourceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    postgres_ = std::make_unique<test::PostgresServer>();
    pooler_ = std::make_unique<test::PgBouncerServer>(*postgres_);
  }
  static void TearDownTestSuite() {
    pooler_.reset();
    postgres_.reset();
  }

  [[nodiscard]] PgbouncerOptions options() const {
    PgbouncerOptions options;
    options.conninfo = pq::parse_conninfo(pooler_->console_dsn()).value();
    return options;
  }

  [[nodiscard]] Result<Snapshot> collect(PgbouncerSource& source) {
    return std::move(test::run(io_, collected(source, std::chrono::steady_clock::now() + 5s)).front());
  }

  [[nodiscard]] Result<Snapshot> collect_until_up(PgbouncerSource& source) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    auto page = collect(source);
    while (!page && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(20ms);
      page = collect(source);
    }
    return page;
  }

  static std::unique_ptr<test::PostgresServer> postgres_;
  static std::unique_ptr<test::PgBouncerServer> pooler_;
  boost::asio::io_context io_;
};

std::unique_ptr<test::PostgresServer> PgbouncerSourceTest::postgres_;
std::unique_ptr<test::PgBouncerServer> PgbouncerSourceTest::pooler_;

TEST_F(PgbouncerSourceTest, HasEveryMetricOfTheExporterWithItsTypeAndLabels) {
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_THAT(test::differences_from_list(*page, test::read_file(golden / "pgbouncer_exporter_0_12.txt")),
              testing::IsEmpty());
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
  EXPECT_EQ(value_of(*page, "pgbouncer_version_info", {{"version", "PgBouncer 1.18.0"}}), 1);
}

TEST_F(PgbouncerSourceTest, ShowsTheTrafficOfADatabase) {
  PgbouncerSource source(io_.get_executor(), options());
  const auto before = collect(source);
  ASSERT_TRUE(before) << describe(before.error());
  const auto queries = [](const Snapshot& page) {
    return value_of(page, "pgbouncer_stats_totals_queries_pooled_total", {{"database", "postgres"}}).value_or(0);
  };
  const auto dsn = pooler_->dsn("postgres");
  ASSERT_EQ(test::run_command({"psql", "-X", "-c", "SELECT 1", "-c", "SELECT 2", "-c", "SELECT 3", dsn}).exit_code, 0);
  const auto after = collect(source);
  ASSERT_TRUE(after) << describe(after.error());
  EXPECT_EQ(queries(*after) - queries(*before), 3);
  EXPECT_GT(value_of(*after, "pgbouncer_stats_totals_received_bytes_total", {{"database", "postgres"}}), 0);
}

TEST_F(PgbouncerSourceTest, SpecsNameEveryFamilyOfThePage) {
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  std::vector<std::string> named;
  for (const auto& spec : source.specs()) named.emplace_back(spec.name);
  for (const auto& family : page->families()) EXPECT_THAT(named, testing::Contains(std::string(family.name)));
}

TEST_F(PgbouncerSourceTest, ConstantLabelsStandOnEverySample) {
  auto labelled = options();
  labelled.constant_labels = {{"target", "pool"}};
  PgbouncerSource source(io_.get_executor(), labelled);
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  for (const auto& family : page->families())
    EXPECT_THAT(test::label_values(*page, family.name, "target"), testing::ElementsAre("pool")) << family.name;
}

TEST_F(PgbouncerSourceTest, AUserWhoMayNotUseTheConsoleIsToldWhy) {
  auto stranger = options();
  stranger.conninfo.set("user", "stranger");
  PgbouncerSource source(io_.get_executor(), stranger);
  const auto refused = collect(source);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::StartsWith("pgbouncer main: "));
  EXPECT_EQ(value_of(source.down(refused.error()), "pgbouncer_up", {}), 0);
}

TEST_F(PgbouncerSourceTest, AKilledPoolerIsDownAndComesBackByItself) {
  PgbouncerSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  pooler_->kill();
  const auto failed = collect(source);
  ASSERT_FALSE(failed);
  EXPECT_EQ(value_of(source.down(failed.error()), "pgbouncer_up", {}), 0);
  pooler_->start();
  const auto page = collect_until_up(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
}

TEST_F(PgbouncerSourceTest, APoolerRestartedBetweenTwoScrapesCostsNone) {
  PgbouncerSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  pooler_->kill();
  pooler_->start();
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
}

}  // namespace
}  // namespace midst::sources
