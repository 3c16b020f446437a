#include "agent/sources/postgres/rows_to_samples.hpp"

#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricType;
using metrics::Snapshot;
using test::RecordedRows;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// "metric{labels}" → value, in the order of the page.
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

Read read(std::span<const Column> columns, const RecordedRows& rows, Shape shape = Shape::columns,
          std::span<const Label> extra = {}, std::size_t max_rows = 10'000) {
  const Query query{.name = "test", .sql = "", .columns = columns, .shape = shape, .max_rows = max_rows};
  metrics::SnapshotBuilder builder;
  const auto interpretation = interpret(query, rows.view(), extra, builder);
  return {interpretation, builder.freeze()};
}

TEST(RowsToSamples, LabelsValuesAndTypesComeFromTheTable) {
  constexpr Column columns[] = {{"datname", Use::label, "database"},
                                {"hits", Use::counter, "pg_hits_total", "Hits."},
                                {"now", Use::gauge, "pg_now", "Now."},
                                {"odd", Use::unknown, "pg_odd", "Odd."}};
  const RecordedRows rows({"now", "datname", "hits", "odd"}, {{"2", "a", "1", "3"}, {"5", "b", "4", "6"}});
  const auto [interpretation, snapshot] = read(columns, rows);
  EXPECT_THAT(samples_of(snapshot),
              ElementsAre(Pair("pg_hits_total{database=\"a\"}", 1), Pair("pg_hits_total{database=\"b\"}", 4),
                          Pair("pg_now{database=\"a\"}", 2), Pair("pg_now{database=\"b\"}", 5),
                          Pair("pg_odd{database=\"a\"}", 3), Pair("pg_odd{database=\"b\"}", 6)));
  EXPECT_EQ(interpretation.samples, 6U);
  EXPECT_EQ(snapshot.find("pg_hits_total")->type, MetricType::counter);
  EXPECT_EQ(snapshot.find("pg_now")->type, MetricType::gauge);
  EXPECT_EQ(snapshot.find("pg_odd")->type, MetricType::unknown);
  EXPECT_EQ(snapshot.find("pg_now")->help, "Now.");
}

TEST(RowsToSamples, ANullCostsItsOwnSampleAndNothingElse) {
  constexpr Column columns[] = {{"datname", Use::label},
                                {"a", Use::gauge, "pg_a", "A."},
                                {.column = "b", .use = Use::gauge, .name = "pg_b", .help = "B.", .null = NullAs::zero}};
  const RecordedRows rows({"datname", "a", "b"}, {{"x", std::nullopt, std::nullopt}, {std::nullopt, "1", "2"}});
  EXPECT_THAT(
      samples_of(read(columns, rows).snapshot),
      ElementsAre(Pair("pg_a{datname=\"\"}", 1), Pair("pg_b{datname=\"x\"}", 0), Pair("pg_b{datname=\"\"}", 2)));
}

TEST(RowsToSamples, NamesAreEscapedAndBrokenUtf8IsReplaced) {
  constexpr Column columns[] = {{"datname", Use::label}, {"n", Use::gauge, "pg_n", "N."}};
  const RecordedRows rows({"datname", "n"}, {{"we\"ird db", "1"},
                                             {"базаβ", "2"},
                                             {"test'db", "3"},
                                             {"two\nlines", "4"},
                                             {"back\\slash", "5"},
                                             {std::string(63, 'x'), "6"},
                                             {"caf\xE9", "7"}});
  EXPECT_THAT(
      samples_of(read(columns, rows).snapshot),
      ElementsAre(Pair(R"(pg_n{datname="we\"ird db"})", 1), Pair(R"(pg_n{datname="базаβ"})", 2),
                  Pair(R"(pg_n{datname="test'db"})", 3), Pair(R"(pg_n{datname="two\nlines"})", 4),
                  Pair(R"(pg_n{datname="back\\slash"})", 5), Pair("pg_n{datname=\"" + std::string(63, 'x') + "\"}", 6),
                  Pair("pg_n{datname=\"caf\xEF\xBF\xBD\"}", 7)));
}

TEST(RowsToSamples, NumbersAreReadAsPostgresPrintsThem) {
  const std::map<std::string, double> table{{"0", 0},
                                            {"-1", -1},
                                            {"-4000", -4000},
                                            {"1.5e3", 1500},
                                            {"1795438852.123456", 1795438852.123456},
                                            {"t", 1},
                                            {"f", 0},
                                            {"Infinity", std::numeric_limits<double>::infinity()},
                                            {"-Infinity", -std::numeric_limits<double>::infinity()},
                                            {"9007199254740993", 9007199254740992.0},  // beyond 2^53
                                            {"-1189998819991197253", -1189998819991197253.0}};
  for (const auto& [text, value] : table) EXPECT_EQ(parse_value(text), value) << text;
  EXPECT_TRUE(std::isnan(parse_value("NaN").value()));
  for (const std::string text : {"", " 1", "1 ", "true?", "0/15AEC10", "12kB", "1,5"})
    EXPECT_EQ(parse_value(text), std::nullopt) << text;
}

TEST(RowsToSamples, AnUnreadableValueIsLeftOutAndCounted) {
  constexpr Column columns[] = {{"a", Use::gauge, "pg_a", "A."}, {"b", Use::gauge, "pg_b", "B."}};
  const auto [interpretation, snapshot] = read(columns, RecordedRows({"a", "b"}, {{"many", "2"}}));
  EXPECT_EQ(interpretation.unreadable, 1U);
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_b{}", 2)));
}

TEST(RowsToSamples, ATextOfAMappingIsItsNumberAndOthersAreUnreadable) {
  static constexpr Mapped states[] = {{"down", 0}, {"up", 1}, {"3", 7}};
  constexpr Column columns[] = {
      {.column = "s", .use = Use::gauge, .name = "pg_s", .help = "S.", .scale = 2, .mapping = states}};
  const auto [interpretation, snapshot] =
      read(columns, RecordedRows({"s", "l"}, {{"up", "a"}, {"3", "b"}, {"4", "c"}, {"UP", "d"}, {std::nullopt, "e"}}));
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_s{}", 2)));
  EXPECT_EQ(interpretation.samples, 2U);
  EXPECT_EQ(interpretation.unreadable, 2U);
  const auto pair = read(columns, RecordedRows({"k", "v"}, {{"s", "3"}, {"s", "5"}}), Shape::key_value);
  EXPECT_THAT(samples_of(pair.snapshot), ElementsAre(Pair("pg_s{}", 14)));
  EXPECT_EQ(pair.interpretation.unreadable, 1U);
}

TEST(RowsToSamples, OneColumnMayBecomeTwoMetricsInTwoUnits) {
  constexpr Column columns[] = {{"t", Use::counter, "pg_t", "Ms."},
                                {"t", Use::counter, "pg_t_seconds_total", "S.", 1e-3}};
  const auto snapshot = read(columns, RecordedRows({"t"}, {{"20254"}})).snapshot;
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_t{}", 20254), Pair("pg_t_seconds_total{}", 20.254)));
  EXPECT_EQ(snapshot.find("pg_t_seconds_total")->unit, "seconds");
  EXPECT_EQ(snapshot.find("pg_t")->unit, "");
}

TEST(RowsToSamples, ARemainderColumnIsAddedInItsOwnUnit) {
  constexpr Column columns[] = {{.column = "maxwait",
                                 .use = Use::gauge,
                                 .name = "w_seconds",
                                 .help = "W.",
                                 .remainder = "maxwait_us",
                                 .remainder_scale = 1e-6}};
  EXPECT_THAT(samples_of(read(columns, RecordedRows({"maxwait", "maxwait_us"}, {{"3", "250000"}})).snapshot),
              ElementsAre(Pair("w_seconds{}", 3.25)));
  EXPECT_THAT(samples_of(read(columns, RecordedRows({"maxwait"}, {{"3"}})).snapshot),
              ElementsAre(Pair("w_seconds{}", 3)));
}

TEST(RowsToSamples, AColumnTheAnswerDoesNotHaveIsPassedOver) {
  constexpr Column columns[] = {{"reserve_pool", Use::gauge, "p_reserve", "R."},
                                {"reserve_pool_size", Use::gauge, "p_reserve", "R."},
                                {"user", Use::label}};
  for (const std::string name : {"reserve_pool", "reserve_pool_size"})
    EXPECT_THAT(samples_of(read(columns, RecordedRows({name, "new_in_2030"}, {{"7", "x"}})).snapshot),
                ElementsAre(Pair("p_reserve{}", 7)));
}

TEST(RowsToSamples, EachValueCarriesTheLabelsOfItsGroups) {
  constexpr Column columns[] = {
      {.column = "slot", .use = Use::label},
      {.column = "database", .use = Use::label, .groups = 1},
      {.column = "status", .use = Use::label, .groups = 2},
      {.column = "active", .use = Use::gauge, .name = "pg_active", .help = "A.", .groups = 1},
      {.column = "status", .use = Use::presence, .name = "pg_status", .help = "S.", .groups = 2}};
  const RecordedRows rows({"slot", "database", "status", "active"},
                          {{"s1", "db", "reserved", "t"}, {"s2", std::nullopt, std::nullopt, "f"}});
  EXPECT_THAT(
      samples_of(read(columns, rows).snapshot),
      ElementsAre(Pair(R"(pg_active{database="db",slot="s1"})", 1), Pair(R"(pg_active{database="",slot="s2"})", 0),
                  Pair(R"(pg_status{slot="s1",status="reserved"})", 1)));
}

TEST(RowsToSamples, ExtraLabelsStandOnEverySample) {
  constexpr Column columns[] = {{"datname", Use::label}, {"n", Use::gauge, "pg_n", "N."}};
  const Label server{"server", "db:5432"};
  EXPECT_THAT(
      samples_of(
          read(columns, RecordedRows({"datname", "n"}, {{"a", "1"}}), Shape::columns, std::span(&server, 1)).snapshot),
      ElementsAre(Pair(R"(pg_n{datname="a",server="db:5432"})", 1)));
}

TEST(RowsToSamples, OfEqualSeriesTheFirstStaysAndTheRestIsCounted) {
  constexpr Column columns[] = {{"relname", Use::label}, {"n", Use::gauge, "pg_n", "N."}};
  const auto snapshot = read(columns, RecordedRows({"relname", "n"}, {{"16384", "1"}, {"16384", "2"}})).snapshot;
  EXPECT_THAT(samples_of(snapshot), ElementsAre(Pair("pg_n{relname=\"16384\"}", 1)));
  EXPECT_EQ(snapshot.duplicate_count(), 1U);
}

TEST(RowsToSamples, RowsBeyondTheLimitAreDroppedAndCounted) {
  constexpr Column columns[] = {{"r", Use::label}, {"n", Use::gauge, "pg_n", "N."}};
  const RecordedRows rows({"r", "n"}, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const auto at_limit = read(columns, rows, Shape::columns, {}, 3);
  EXPECT_EQ(at_limit.interpretation.rows_over_limit, 0U);
  EXPECT_EQ(at_limit.snapshot.sample_count(), 3U);
  const auto over = read(columns, rows, Shape::columns, {}, 2);
  EXPECT_EQ(over.interpretation.rows_over_limit, 1U);
  EXPECT_EQ(over.snapshot.sample_count(), 2U);
}

TEST(RowsToSamples, KeysOfPairsBecomeMetricsWhateverFollowsThem) {
  constexpr Column columns[] = {{"max_client_conn", Use::gauge, "p_max", "M."}, {"pools", Use::gauge, "p_pools", "P."}};
  const RecordedRows four({"key", "value", "default", "changeable"},
                          {{"max_client_conn", "100", "100", "yes"}, {"conffile", "/etc/x.ini", "", "no"}});
  const auto config = read(columns, four, Shape::key_value);
  EXPECT_THAT(samples_of(config.snapshot), ElementsAre(Pair("p_max{}", 100)));
  EXPECT_EQ(config.interpretation.unreadable, 0U);
  EXPECT_THAT(samples_of(read(columns, RecordedRows({"list", "items"}, {{"pools", "-1"}}), Shape::key_value).snapshot),
              ElementsAre(Pair("p_pools{}", -1)));
}

TEST(RowsToSamples, SettingsNameTheirOwnMetrics) {
  const RecordedRows rows({"name", "setting", "unit", "vartype"}, {{"work_mem", "4096", "kB", "integer"},
                                                                   {"jit", "on", std::nullopt, "bool"},
                                                                   {"odd", "-1:100", std::nullopt, "integer"}});
  const auto [interpretation, snapshot] = read({}, rows, Shape::settings);
  EXPECT_THAT(samples_of(snapshot),
              ElementsAre(Pair("pg_settings_work_mem_bytes{}", 4194304), Pair("pg_settings_jit{}", 1)));
  EXPECT_EQ(interpretation.unreadable, 1U);
}

TEST(RowsToSamples, AnEmptyAnswerHasNoFamilies) {
  constexpr Column columns[] = {{"n", Use::gauge, "pg_n", "N."}};
  EXPECT_THAT(read(columns, RecordedRows({"n"}, {})).snapshot.families(), IsEmpty());
}

TEST(RowsToSamples, UnitsAreReadFromTheNameBeforeTotal) {
  EXPECT_EQ(unit_of("pg_database_size_bytes"), "bytes");
  EXPECT_EQ(unit_of("pg_stat_database_active_time_seconds_total"), "seconds");
  EXPECT_EQ(unit_of("pg_stat_database_xact_commit"), "");
  EXPECT_EQ(unit_of("pg_bytes"), "bytes");
}

}  // namespace
}  // namespace midst::sources
