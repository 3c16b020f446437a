#include "agent/sources/postgres/plan.hpp"

#include "agent/sources/postgres/databases.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>

namespace midst::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr OptionalColumn optional[] = {{"pg_stat_x", "fresh"}, {"pg_stat_x", "at", "EXTRACT(EPOCH FROM s.at) AS at"}};

Query query_of(std::string_view sql) {
  return {.name = "q", .sql = sql, .columns = {}, .optional = optional};
}

ServerFacts server() {
  ServerFacts facts;
  facts.version = 150'000;
  return facts;
}

TEST(Plan, SelectsTheOptionalColumnsThatTheServerHas) {
  const auto query = query_of("SELECT a{optional} FROM pg_catalog.pg_stat_x s");
  const Collector collector{.name = "c", .queries = std::span(&query, 1)};
  auto facts = server();
  EXPECT_EQ(plan(collector, facts)->front().sql, "SELECT a FROM pg_catalog.pg_stat_x s");
  facts.columns = {{"pg_stat_x", "at"}, {"pg_stat_x", "fresh"}, {"pg_stat_y", "fresh"}};
  EXPECT_EQ(plan(collector, facts)->front().sql,
            "SELECT a, fresh, EXTRACT(EPOCH FROM s.at) AS at FROM pg_catalog.pg_stat_x s");
}

TEST(Plan, AnotherSqlIsAnotherPreparedStatement) {
  const auto query = query_of("SELECT a{optional} FROM t");
  const Collector collector{.name = "c", .queries = std::span(&query, 1)};
  auto facts = server();
  const auto without = plan(collector, facts)->front().prepared_name;
  facts.columns = {{"pg_stat_x", "fresh"}};
  EXPECT_NE(plan(collector, facts)->front().prepared_name, without);
  EXPECT_THAT(without, testing::StartsWith("midst_q_"));
}

TEST(Plan, StatementsOfTheOtherRoleAreLeftOut) {
  const Query queries[] = {{.name = "p", .sql = "SELECT 1", .columns = {}, .role = Role::primary},
                           {.name = "s", .sql = "SELECT 2", .columns = {}, .role = Role::standby},
                           {.name = "b", .sql = "SELECT 3", .columns = {}}};
  const Collector collector{.name = "c", .queries = queries};
  auto facts = server();
  const auto names = [&] {
    std::vector<std::string> found;
    for (const auto& planned : *plan(collector, facts)) found.emplace_back(planned.query->name);
    return found;
  };
  EXPECT_THAT(names(), ElementsAre("p", "b"));
  facts.is_standby = true;
  EXPECT_THAT(names(), ElementsAre("s", "b"));
}

TEST(Facts, AreReadByKindAndUnknownKindsPassedOver) {
  const test::RecordedRows rows(
      "kind\tname\tdetail\tmore\nextension\tpg_stat_statements\tmonitoring\t1.10\n"
      "column\tpg_stat_x\tfresh\t\\N\nelse\ta\tb\tc\n");
  ServerFacts facts;
  read_facts(rows.view(), facts);
  ASSERT_THAT(facts.extensions, SizeIs(1));
  EXPECT_EQ(facts.extensions.at("pg_stat_statements").schema, "monitoring");
  EXPECT_EQ(facts.extensions.at("pg_stat_statements").version, "1.10");
  EXPECT_THAT(facts.columns, ElementsAre(testing::Pair("pg_stat_x", "fresh")));
}

TEST(ChosenDatabases, FollowTheGlobsWithoutTheConnectedOne) {
  DatabaseChoice choice;
  const std::vector<std::string> names{"shop_b", "postgres", "template1", "shop_a", "hr"};
  EXPECT_THAT(chosen_databases(names, "postgres", choice), ElementsAre("hr", "shop_a", "shop_b"));
  choice.include = {"shop_*"};
  choice.exclude = {"*_b"};
  EXPECT_THAT(chosen_databases(names, "postgres", choice), ElementsAre("shop_a"));
  choice.include.clear();
  EXPECT_THAT(chosen_databases(names, "postgres", choice), IsEmpty());
  choice = {};
  choice.max_databases = 1;
  EXPECT_THAT(chosen_databases(names, "postgres", choice), ElementsAre("hr"));
}

}  // namespace
}  // namespace midst::sources
