// What the interpreter does with the SQL of operators beyond the catalogue's own.
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources {
namespace {

using metrics::MetricType;
using metrics::Snapshot;
using test::RecordedRows;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint32_t text_type = 25, bool_type = 16, timestamptz_type = 1184;

std::vector<std::pair<std::string, double>> samples_of(const Snapshot& snapshot) {
  std::vector<std::pair<std::string, double>> samples;
  for (const auto& family : snapshot.families())
    for (std::size_t i = 0; i < family.values.size(); ++i)
      samples.emplace_back(std::string(family.name) + "{" + std::string(family.labels[i].text) + "}", family.values[i]);
  return samples;
}

struct Read {
  Interpretation interpretation;
  Snapshot snapshot;
};

Read read(std::span<const Column> columns, const RecordedRows& rows, std::vector<std::uint32_t> types = {},
          std::string_view own_prefix = "pg_shop") {
  const Query query{.name = "shop", .sql = "", .columns = columns, .own_prefix = own_prefix};
  metrics::SnapshotBuilder builder;
  auto view = rows.view();
  view.types = std::move(types);
  const auto interpretation = interpret(query, view, {}, builder);
  return {interpretation, builder.freeze()};
}

TEST(OwnRows, AColumnThatIsNotListedIsAnUntypedMetricWithTheLabelsOfItsRow) {
  constexpr Column columns[] = {{"shop", Use::label}, {"n", Use::gauge, "pg_shop_n", "N."}};
  const auto [interpretation, snapshot] = read(columns, RecordedRows({"n", "shop", "orders"}, {{"1", "a", "7"}}));
  EXPECT_THAT(samples_of(snapshot),
              ElementsAre(Pair(R"(pg_shop_n{shop="a"})", 1), Pair(R"(pg_shop_orders{shop="a"})", 7)));
  EXPECT_EQ(snapshot.find("pg_shop_orders")->type, MetricType::unknown);
  EXPECT_EQ(snapshot.find("pg_shop_orders")->help, "A column of the query shop.");
  EXPECT_EQ(interpretation.unreadable, 0U);
}

TEST(OwnRows, ATextThatIsNotListedIsCountedAndNotShown) {
  const auto [interpretation, snapshot] = read({}, RecordedRows({"note", "n"}, {{"hello", "1"}, {std::nullopt, "1"}}));
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_shop_n{}", 1)));
  EXPECT_EQ(interpretation.unreadable, 1U);
  EXPECT_EQ(snapshot.duplicate_count(), 1U);
}

TEST(OwnRows, OfTwoColumnsOfOneNameTheFirstIsRead) {
  const auto twice = RecordedRows({"n", "n"}, {{"1", "2"}});
  const auto unlisted = read({}, twice);
  EXPECT_THAT(samples_of(unlisted.snapshot), ElementsAre(Pair("pg_shop_n{}", 1)));
  EXPECT_EQ(unlisted.interpretation.unreadable, 1U);
  constexpr Column columns[] = {{"n", Use::gauge, "pg_shop_n", "N."}};
  EXPECT_THAT(samples_of(read(columns, twice).snapshot), ElementsAre(Pair("pg_shop_n{}", 1)));
}

TEST(OwnRows, AListedColumnThatTheAnswerLacksIsCounted) {
  constexpr Column columns[] = {{"n", Use::gauge, "pg_shop_n", "N."}, {"shop", Use::label}};
  const auto [interpretation, snapshot] = read(columns, RecordedRows({"shap"}, {{"a"}}));
  EXPECT_EQ(interpretation.unreadable, 3U);  // n and shop are missing, shap is no number
  EXPECT_THAT(snapshot.families(), IsEmpty());
}

TEST(OwnRows, ColumnsOfAHistogramAndLabelsOfNoGroupAreListed) {
  constexpr Column columns[] = {{"t", Use::histogram, "pg_shop_t", "T."},
                                {.column = "note", .use = Use::label, .groups = 0}};
  const auto [interpretation, snapshot] =
      read(columns, RecordedRows({"t", "t_bucket", "t_sum", "t_count", "note"}, {{"{1}", "{2}", "3", "4", "x"}}));
  EXPECT_EQ(snapshot.families().size(), 1U);
  EXPECT_EQ(snapshot.find("pg_shop_t")->labels[0].text, "");
  EXPECT_EQ(interpretation.unreadable, 0U);
}

TEST(OwnRows, PointsInTimeAreUnixSecondsByTheTypeOfTheColumn) {
  constexpr Column columns[] = {{"at", Use::gauge, "pg_shop_at", "At.", 2}, {"note", Use::gauge, "pg_shop_note", "N."}};
  const RecordedRows rows({"at", "note"}, {{"1970-01-01 00:00:10.5+00", "1970-01-01"}});
  const auto [interpretation, snapshot] = read(columns, rows, {timestamptz_type, text_type});
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_shop_at{}", 21)));
  EXPECT_EQ(interpretation.unreadable, 1U);
}

TEST(OwnRows, ABooleanIsAWordInALabelAndANumberAsAValue) {
  constexpr Column columns[] = {{"open", Use::label}, {"note", Use::label}, {"n", Use::gauge, "pg_shop_n", "N."}};
  const RecordedRows rows({"open", "note", "n"}, {{"t", "t", "t"}, {"f", "f", "f"}, {std::nullopt, "", "2"}});
  EXPECT_THAT(samples_of(read(columns, rows, {bool_type, text_type, bool_type}).snapshot),
              ElementsAre(Pair(R"(pg_shop_n{note="t",open="true"})", 1), Pair(R"(pg_shop_n{note="f",open="false"})", 0),
                          Pair(R"(pg_shop_n{note="",open=""})", 2)));
}

TEST(OwnRows, TheCataloguesOwnAnswersAreReadAsBefore) {
  constexpr Column columns[] = {{"open", Use::label}, {"n", Use::gauge, "pg_n", "N."}, {"m", Use::gauge, "pg_m", "M."}};
  const auto [interpretation, snapshot] =
      read(columns, RecordedRows({"open", "n", "new"}, {{"t", "1", "2"}}), {bool_type, 23, 23}, "");
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair(R"(pg_n{open="t"})", 1)));
  EXPECT_EQ(interpretation.unreadable, 0U);
}

TEST(OwnRows, ADurationIsSecondsTimesItsScaleOrANumberAsItIs) {
  constexpr Column columns[] = {{"t", Use::duration, "pg_shop_t_milliseconds", "T.", 1000}, {"k", Use::label}};
  const auto [interpretation, snapshot] =
      read(columns, RecordedRows({"t", "k"}, {{"00:00:01.5", "a"}, {"5", "b"}, {"long", "c"}}));
  EXPECT_THAT(samples_of(snapshot),
              ElementsAre(Pair(R"(pg_shop_t_milliseconds{k="a"})", 1500), Pair(R"(pg_shop_t_milliseconds{k="b"})", 5)));
  EXPECT_EQ(snapshot.find("pg_shop_t_milliseconds")->type, MetricType::gauge);
  EXPECT_EQ(interpretation.unreadable, 1U);
}

}  // namespace
}  // namespace midst::sources
