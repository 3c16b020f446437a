#include "agent/sources/postgres/top/statement_texts.hpp"

#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;

metrics::Snapshot page(const std::vector<std::string>& statements, const std::vector<std::string>& sampled = {}) {
  metrics::SnapshotBuilder builder;
  const metrics::MetricSpec calls{"pg_stat_statements_calls_total", metrics::MetricType::counter, "", "C."},
      samples{"pg_ash_query_samples_total", metrics::MetricType::counter, "", "S."};
  for (const auto& id : statements) builder.add(calls, {{"user", "u"}, {"datname", "d"}, {"queryid", id}}, 1);
  for (const auto& id : sampled) builder.add(samples, {{"datname", "d"}, {"queryid", id}}, 1);
  return builder.freeze();
}

void answer(StatementTexts& texts, std::vector<std::vector<std::optional<std::string>>> rows) {
  const test::RecordedRows recorded({"queryid", "query"}, std::move(rows));
  texts.take(recorded.view());
}

TEST(StatementTexts, AreAskedForOnceAndShownRedacted) {
  StatementTexts texts({});
  EXPECT_EQ(texts.due(Deadline{}), std::nullopt);
  texts.want(page({"-12", "34", "_other"}, {"34", "56"}));
  EXPECT_EQ(texts.json(), R"([])");
  EXPECT_EQ(texts.due(Deadline{}), "{-12,34,56}");
  answer(texts, {{"-12", "SELECT \"a\" = 'secret'"}, {"34", "CREATE ROLE x"}, {"99", "SELECT unwanted"}, {"56", {}}});
  EXPECT_EQ(texts.json(), R"([{"queryid":"-12","query":"SELECT \"a\" = ?"},)"
                          R"({"queryid":"34","query":"CREATE"}])");
}

TEST(StatementTexts, AreAskedForEveryFiveMinutesAtMostAndInVainOnceAnHour) {
  StatementTexts texts({});
  texts.want(page({"1"}));
  EXPECT_EQ(texts.due(Deadline{}), "{1}");
  texts.want(page({"1", "2"}));
  EXPECT_EQ(texts.due(Deadline{} + 299s), std::nullopt);
  EXPECT_EQ(texts.due(Deadline{} + 300s), "{2}");
  answer(texts, {{"2", "SELECT b"}});
  EXPECT_EQ(texts.due(Deadline{} + 59min), std::nullopt);
  EXPECT_EQ(texts.due(Deadline{} + 60min), "{1}");
}

TEST(StatementTexts, AreForgottenWithTheirIdsAndBounded) {
  Limits limits;
  limits.statements = 2;
  StatementTexts texts(limits);
  texts.want(page({"1", "2", "3", "4", "5"}));
  EXPECT_EQ(texts.due(Deadline{}), "{1,2,3,4}");
  answer(texts, {{"1", "SELECT a"}, {"2", "SELECT b"}, {"5", "SELECT e"}});
  texts.want(page({"2"}));
  EXPECT_EQ(texts.json(), R"([{"queryid":"2","query":"SELECT b"}])");
}

TEST(StatementTexts, LongOnesAreCutBetweenTwoCharacters) {
  StatementTexts texts({});
  texts.want(page({"1"}));
  (void)texts.due(Deadline{});
  answer(texts, {{"1", "SELECT " + std::string(1016, 'a') + "ö"}});
  EXPECT_EQ(texts.json(), R"([{"queryid":"1","query":"SELECT )" + std::string(1016, 'a') + R"("}])");
}

}  // namespace
}  // namespace midst::sources
