#include "agent/sources/postgres/custom/collector.hpp"

#include "agent/sources/postgres/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;

CustomDefinition definition() {
  CustomDefinition own;
  own.name = "orders";
  own.sql = "SELECT state, n FROM orders";
  own.prefix = "pg_orders";
  own.columns = {{.column = "state", .use = Use::label, .metric = "state"},
                 {.column = "n", .use = Use::gauge, .metric = "pg_orders_n", .help = "N.", .scale = 2}};
  return own;
}

std::vector<PlannedQuery> planned(const CustomCollector& own, int version, bool is_standby = false) {
  ServerFacts facts;
  facts.version = version;
  facts.is_standby = is_standby;
  return plan(own.collector(), facts).value();
}

TEST(CustomCollector, SetsTheTransactionUpAndThenAsksForLimitedRows) {
  auto own_definition = definition();
  own_definition.ttl = 30s;
  own_definition.has_server_label = true;
  const CustomCollector own(own_definition);
  EXPECT_EQ(own.collector().name, "orders");
  EXPECT_EQ(own.collector().ttl, 30s);
  EXPECT_EQ(own.collector().timeout, 5s);
  EXPECT_TRUE(own.collector().has_server_label);
  const auto statements = planned(own, 150'000);
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_THAT(statements[0].sql, testing::HasSubstr("set_config('transaction_read_only', 'on', true)"));
  EXPECT_EQ(statements[1].sql, "SELECT * FROM (\nSELECT state, n FROM orders\n) AS midst_rows LIMIT 11000");
  const auto& query = *statements[1].query;
  EXPECT_EQ(query.own_prefix, "pg_orders");
  EXPECT_EQ(query.max_rows, 1000U);
  ASSERT_EQ(query.columns.size(), 2U);
  EXPECT_EQ(query.columns[0].use, Use::label);
  EXPECT_EQ(query.columns[1].name, "pg_orders_n");
  EXPECT_EQ(query.columns[1].scale, 2);
}

TEST(CustomCollector, IsAskedOnServersOfItsVersionsAndRoleOnly) {
  auto own_definition = definition();
  own_definition.versions = {{100'000, 110'000}, {140'000, std::numeric_limits<int>::max()}};
  own_definition.role = Role::standby;
  const CustomCollector own(own_definition);
  EXPECT_EQ(planned(own, 100'023, true).size(), 2U);
  EXPECT_EQ(planned(own, 110'000, true).size(), 0U);
  EXPECT_EQ(planned(own, 139'999, true).size(), 0U);
  EXPECT_EQ(planned(own, 170'000, true).size(), 2U);
  EXPECT_EQ(planned(own, 170'000, false).size(), 0U);
}

TEST(CustomCollector, AColumnOfOtherVersionsIsKnownAndNotShown) {
  auto own_definition = definition();
  own_definition.columns[1].versions = {{140'000, 150'000}};
  const CustomCollector own(own_definition);
  const auto use_on = [&](int version) {
    const auto statements = planned(own, version);
    EXPECT_EQ(statements.size(), 2U);
    const auto& column = statements[1].query->columns[1];
    return column.use == Use::label && column.groups == 0 ? "discarded" : "shown";
  };
  EXPECT_STREQ(use_on(130'000), "discarded");
  EXPECT_STREQ(use_on(140'000), "shown");
  EXPECT_STREQ(use_on(150'000), "discarded");
}

TEST(CustomCollector, BracesInTheSqlAreLeftAlone) {
  auto own_definition = definition();
  own_definition.sql = "SELECT '{optional}' AS state, '{schema}' AS n";
  const CustomCollector own(own_definition);
  EXPECT_THAT(planned(own, 150'000)[1].sql, testing::HasSubstr("SELECT '{optional}' AS state, '{schema}' AS n"));
}

}  // namespace
}  // namespace midst::sources
