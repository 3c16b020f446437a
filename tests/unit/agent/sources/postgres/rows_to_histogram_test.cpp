#include "agent/sources/postgres/rows_to_histogram.hpp"

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace midst::sources {
namespace {

using metrics::MetricType;
using test::RecordedRows;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

constexpr Column columns[] = {{"state", Use::label}, {"idle", Use::histogram, "pg_idle_seconds", "Idle."}};

struct Read {
  Interpretation interpretation;
  metrics::Snapshot snapshot;
};

Read read(const RecordedRows& rows, std::span<const Column> table = columns) {
  const Query query{.name = "test", .sql = "", .columns = table};
  metrics::SnapshotBuilder builder;
  const auto interpretation = interpret(query, rows.view(), {}, builder);
  return {interpretation, builder.freeze()};
}

RecordedRows one_row(std::optional<std::string> bounds, std::optional<std::string> buckets,
                     std::optional<std::string> sum = "7.5", std::optional<std::string> count = "4") {
  return RecordedRows({"state", "idle", "idle_bucket", "idle_sum", "idle_count"},
                      {{"s", std::move(bounds), std::move(buckets), std::move(sum), std::move(count)}});
}

TEST(RowsToHistogram, ArraysAreReadAsPostgresPrintsThem) {
  EXPECT_THAT(parse_number_array("{1,2.5,-3e2}"), Optional(ElementsAre(1, 2.5, -300)));
  EXPECT_THAT(parse_number_array(R"({"1",2})"), Optional(ElementsAre(1, 2)));
  EXPECT_THAT(parse_number_array("[0:1]={7,8}"), Optional(ElementsAre(7, 8)));
  EXPECT_THAT(parse_number_array("{}"), Optional(IsEmpty()));
  EXPECT_THAT(parse_number_array("{5}"), Optional(ElementsAre(5)));
  EXPECT_THAT(parse_number_array("{1,Infinity}"), Optional(ElementsAre(1, std::numeric_limits<double>::infinity())));
}

TEST(RowsToHistogram, OtherShapesAreNoArrayOfNumbers) {
  for (const std::string text :
       {"", "{", "}", "1,2", "{1,2", "1}", "{1,,2}", "{,}", "{1,}", "{1,NULL}", "{{1,2},{3,4}}", "{a}", "{\"}",
        "{\"\"}", "{\"1,2\"}", "[0:1]", "[=", "{1}{2}", "{1, 2}"})
    EXPECT_EQ(parse_number_array(text), std::nullopt) << text;
}

TEST(RowsToHistogram, AnArrayHasAsManyElementsAsTheLimitAndNoMore) {
  std::string text = "{0";
  for (std::size_t i = 1; i < max_array_elements; ++i) text += "," + std::to_string(i);
  EXPECT_EQ(parse_number_array(text + "}").value_or(std::vector<double>()).size(), max_array_elements);
  EXPECT_EQ(parse_number_array(text + ",0}"), std::nullopt);
}

TEST(RowsToHistogram, ARowWithItsFourColumnsIsOneHistogram) {
  const auto [interpretation, snapshot] = read(one_row("{1,2,5}", "{1,1,3}"));
  EXPECT_EQ(interpretation.samples, 1U);
  EXPECT_EQ(interpretation.unreadable, 0U);
  const auto* family = snapshot.find("pg_idle_seconds");
  ASSERT_NE(family, nullptr);
  EXPECT_EQ(family->type, MetricType::histogram);
  EXPECT_EQ(family->unit, "seconds");
  EXPECT_EQ(family->help, "Idle.");
  EXPECT_EQ(family->labels[0].text, R"(state="s")");
  const auto& histogram = family->distributions[0];
  EXPECT_THAT(histogram.bounds, ElementsAre(1, 2, 5));
  EXPECT_THAT(histogram.cumulative, ElementsAre(1, 1, 3));
  EXPECT_EQ(histogram.sum, 7.5);
  EXPECT_EQ(histogram.count, 4U);
}

TEST(RowsToHistogram, BoundsAreSortedAndInfinityIsTheCount) {
  const auto snapshot = read(one_row("{5,Infinity,1}", "{3,4,2}")).snapshot;
  const auto& histogram = snapshot.find("pg_idle_seconds")->distributions[0];
  EXPECT_THAT(histogram.bounds, ElementsAre(1, 5));
  EXPECT_THAT(histogram.cumulative, ElementsAre(2, 3));
  EXPECT_EQ(histogram.count, 4U);
}

TEST(RowsToHistogram, TheScaleIsOfBoundsAndSum) {
  constexpr Column in_ms[] = {{"idle", Use::histogram, "pg_idle_seconds", "Idle.", 1e-3}};
  const auto snapshot = read(one_row("{500,2000}", "{1,2}", "3500"), in_ms).snapshot;
  const auto& histogram = snapshot.find("pg_idle_seconds")->distributions[0];
  EXPECT_THAT(histogram.bounds, ElementsAre(0.5, 2));
  EXPECT_THAT(histogram.cumulative, ElementsAre(1, 2));
  EXPECT_EQ(histogram.sum, 3.5);
}

TEST(RowsToHistogram, ABadShapeIsLeftOutAndCounted) {
  const std::pair<std::string, std::string> table[] = {{"{1,2}", "{1}"},      {"{1}", "{1,2}"},   {"{1,1}", "{1,1}"},
                                                       {"{1,2}", "{2,1}"},    {"{1}", "{-1}"},    {"{1}", "{1.5}"},
                                                       {"{NaN}", "{1}"},      {"{1}", "{NULL}"},  {"1", "{1}"},
                                                       {"{1}", "{99999e99}"}, {"{{1}}", "{{1}}"}, {"{1}", ""}};
  for (const auto& [bounds, buckets] : table) {
    const auto [interpretation, snapshot] = read(one_row(bounds, buckets));
    EXPECT_EQ(interpretation.unreadable, 1U) << bounds << ' ' << buckets;
    EXPECT_THAT(snapshot.families(), IsEmpty()) << bounds << ' ' << buckets;
  }
  EXPECT_EQ(read(one_row("{1}", "{1}", "much")).interpretation.unreadable, 1U);
  EXPECT_EQ(read(one_row("{1}", "{1}", "1", "-1")).interpretation.unreadable, 1U);
}

TEST(RowsToHistogram, NullInOneOfTheColumnsIsNoSample) {
  for (const auto& row : {one_row(std::nullopt, "{1}"), one_row("{1}", std::nullopt),
                          one_row("{1}", "{1}", std::nullopt), one_row("{1}", "{1}", "1", std::nullopt)}) {
    const auto [interpretation, snapshot] = read(row);
    EXPECT_EQ(interpretation.unreadable, 0U);
    EXPECT_THAT(snapshot.families(), IsEmpty());
  }
}

TEST(RowsToHistogram, AMissingColumnIsCounted) {
  const RecordedRows rows({"idle", "idle_bucket", "idle_sum"}, {{"{1}", "{1}", "1"}});
  const auto [interpretation, snapshot] = read(rows);
  EXPECT_EQ(interpretation.unreadable, 1U);
  EXPECT_THAT(snapshot.families(), IsEmpty());
}

}  // namespace
}  // namespace midst::sources
