#include "agent/sources/postgres/top/top_statements.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "tests/unit/agent/sources/postgres/increases.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;
using Row = std::vector<std::optional<std::string>>;

struct Info {
  std::string server_time = "1000", started = "10", reset = "20", sees_all = "t";
};

/// Rows: user id, user, query id, toplevel, calls.
class Statements {
 public:
  explicit Statements(std::size_t limit) : treatment_(make_top_statements(limits(limit))) {}

  std::map<std::string, double> look(const Info& info, std::vector<Row> rows) {
    now_ += 30s;
    for (auto& row : rows) {
      row.insert(row.begin() + 1, {"5", "shop"});
      row.push_back(std::to_string(std::stod(*row.back()) * 2));
    }
    const test::RecordedRows infos({"server_time", "started", "stats_reset", "sees_all", "max_entries", "dealloc"},
                                   {{info.server_time, info.started, info.reset, info.sees_all, "5000", "3"}});
    const test::RecordedRows recorded(
        {"userid", "dbid", "datname", "user", "queryid", "toplevel", "calls", "exec_time"}, std::move(rows));
    const TableView views[] = {infos.view(), recorded.view()};
    const auto queries = stat_statements_collector.queries;
    const Query* const asked[] = {&queries[0], &queries[1]};
    (void)treatment_->take(asked, views, now_);
    metrics::SnapshotBuilder builder;
    treatment_->add({}, builder);
    page.emplace(builder.freeze());
    test::Increases calls("pg_stat_statements_calls_total");
    (void)calls.scrape(*page);
    return calls.now();
  }

  std::optional<metrics::Snapshot> page;

 private:
  static Limits limits(std::size_t statements) {
    Limits limits;
    limits.statements = statements;
    return limits;
  }
  std::unique_ptr<Treatment> treatment_;
  Deadline now_{};
};

const std::string rest = R"(datname="_other",queryid="_other",user="_other")";
std::string series(std::string_view user, std::string_view id) {
  return R"(datname="shop",queryid=")" + std::string(id) + R"(",user=")" + std::string(user) + '"';
}

TEST(TopStatements, RowsOfOneStatementAreOneSeriesAndHiddenOnesTheRest) {
  Statements statements(5);
  EXPECT_THAT(statements.look({}, {{"1", "ann", "-7", "t", "10"},
                                   {"1", "ann", "-7", "f", "5"},
                                   {"2", "bob", "-7", "t", "3"},
                                   {"2", "bob", std::nullopt, "t", "40"},
                                   {"3", "eve", std::nullopt, "t", "2"}}),
              UnorderedElementsAre(Pair(series("ann", "-7"), 15), Pair(series("bob", "-7"), 3), Pair(rest, 42)));
  // One of the two is evicted and runs again.
  EXPECT_THAT(statements.look({}, {{"1", "ann", "-7", "t", "11"}, {"1", "ann", "-7", "f", "2"}}),
              UnorderedElementsAre(Pair(series("ann", "-7"), 18), Pair(series("bob", "-7"), 3), Pair(rest, 42)));
}

TEST(TopStatements, FamiliesAreThoseTheServerHasAndTheRestIsThereFromTheStart) {
  Statements statements(5);
  (void)statements.look({}, {{"1", "ann", "7", "t", "10"}});
  std::vector<std::string> families;
  for (const auto& family : statements.page->families()) families.emplace_back(family.name);
  EXPECT_THAT(families,
              ElementsAre("pg_stat_statements_dealloc_total", "pg_stat_statements_stats_reset_timestamp_seconds",
                          "pg_stat_statements_max_entries", "pg_stat_statements_entries",
                          "pg_stat_statements_calls_total", "pg_stat_statements_seconds_total"));
  EXPECT_THAT(statements.page->find("pg_stat_statements_seconds_total")->values, ElementsAre(0.02, 0));
  EXPECT_THAT(statements.page->find("pg_stat_statements_entries")->values, ElementsAre(1));
}

TEST(TopStatements, AnotherServerARoleThatSeesMoreAndAResetAreToldApart) {
  const std::vector<Row> some{{"1", "ann", "7", "t", "10"}, {"1", "ann", "8", "t", "4"}};
  const std::vector<Row> more{
      {"1", "ann", "7", "t", "100"}, {"1", "ann", "8", "t", "90"}, {"1", "ann", "9", "t", "80"}};
  struct Case {
    std::string_view what;
    Info after;
    double first, rest;
  };
  const Case cases[] = {
      {"the same server", {"1030", "10", "20", "t"}, 100, 90 + 80},
      {"restarted in between", {"1030", "1010", "20", "t"}, 100, 90 + 80},
      {"all was reset in between", {"1030", "10", "1010", "t"}, 110, 4 + 90 + 80},
      {"a server that was reset before", {"1030", "10", "900", "t"}, 10, 4},
      {"a server that was started before", {"1030", "900", "20", "t"}, 10, 4},
      {"a role that sees less", {"1030", "10", "20", "f"}, 10, 4},
  };
  for (const auto& [what, after, first, other] : cases) {
    Statements statements(1);
    (void)statements.look({}, some);
    EXPECT_THAT(statements.look(after, more), UnorderedElementsAre(Pair(series("ann", "7"), first), Pair(rest, other)))
        << what;
  }
}

TEST(TopStatements, ARenamedUserIsTheSameStatement) {
  Statements statements(1);
  (void)statements.look({}, {{"1", "ann", "7", "t", "10"}, {"2", "bob", "7", "t", "4"}});
  EXPECT_THAT(statements.look({}, {{"1", "anna", "7", "t", "12"}, {"2", "robert", "7", "t", "5"}}),
              UnorderedElementsAre(Pair(series("anna", "7"), 12), Pair(rest, 5)));
}

TEST(TopStatements, AnAnswerOfAnotherShapeIsIgnored) {
  const auto treatment = make_top_statements({});
  EXPECT_EQ(treatment->take({}, {}, Deadline{}).samples, 0U);
  metrics::SnapshotBuilder builder;
  treatment->add({}, builder);
  EXPECT_TRUE(builder.freeze().families().empty());
}

}  // namespace
}  // namespace midst::sources
