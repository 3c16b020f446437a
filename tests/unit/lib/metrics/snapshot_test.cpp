#include "lib/metrics/snapshot.hpp"

#include "lib/metrics/arena.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace midst::metrics {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr MetricSpec hits{"cache_hits_total", MetricType::counter, "", "Hits."};
constexpr MetricSpec level{"level", MetricType::gauge, "", "A level."};
constexpr MetricSpec latency{"latency_seconds", MetricType::histogram, "seconds", "Latency."};

TEST(SnapshotBuilder, SortsLabelsByNameAndEscapesTheirValues) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({{"zone", "a\\b"}, {"cmd", "say \"hi\"\nbye"}}).text,
            "cmd=\"say \\\"hi\\\"\\nbye\",zone=\"a\\\\b\"");
}

TEST(SnapshotBuilder, GivesNoTextForNoLabels) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({}).text, "");
}

TEST(SnapshotBuilder, PutsConstantLabelsOnEverySampleButNotOnExemplars) {
  const Label target[] = {{"target", "main"}};
  SnapshotBuilder builder(target);
  builder.add(level, 1);
  builder.add(level, {{"db", "0"}}, 2);
  builder.add(level, {{"target", "own"}}, 3);
  const Label trace[] = {{"trace_id", "7"}};
  EXPECT_EQ(builder.exemplar_labels(trace).text, "trace_id=\"7\"");
  const auto snapshot = builder.freeze();
  const auto* family = snapshot.find("level");
  ASSERT_EQ(family->labels.size(), 3U);
  EXPECT_EQ(family->labels[0].text, "target=\"main\"");
  EXPECT_EQ(family->labels[1].text, "db=\"0\",target=\"main\"");
  EXPECT_EQ(family->labels[2].text, "target=\"own\"");
}

TEST(SnapshotBuilder, ReplacesInvalidUtf8InLabelValues) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({{"key", "a\xFF\"\xC3\xA4"}}).text, "key=\"a\xEF\xBF\xBD\\\"\xC3\xA4\"");
}

struct NameCase {
  std::string_view given, stored;
};

class LabelNames : public ::testing::TestWithParam<NameCase> {};

TEST_P(LabelNames, AreMadeValid) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({{GetParam().given, "v"}}).text, std::string(GetParam().stored) + "=\"v\"");
}

INSTANTIATE_TEST_SUITE_P(Table, LabelNames,
                         ::testing::Values(NameCase{"cmd", "cmd"}, NameCase{"a.b-c", "a_b_c"}, NameCase{"0db", "_0db"},
                                           NameCase{"", "_"}, NameCase{"k\xC3\xA4", "k__"}, NameCase{"a\"b", "a_b"},
                                           NameCase{"__name__", "exported___name__"},
                                           NameCase{"~_name__", "exported___name__"}));

TEST(SnapshotBuilder, KeepsTheFirstOfTwoNamesThatBecomeEqual) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({{"a.b", "1"}, {"a_b", "2"}, {"a.b", "3"}}).text, "a_b=\"1\"");
}

TEST(SnapshotBuilder, SortsByTheNameAsStored) {
  SnapshotBuilder builder;
  EXPECT_EQ(builder.labels({{"a", "1"}, {"9", "2"}}).text, "_9=\"2\",a=\"1\"");
}

TEST(Decode, GivesBackWhatWasStored) {
  SnapshotBuilder builder;
  const auto labels = builder.labels({{"a", ""}, {"b", "x\\\"\n,=}"}, {"c", "\\n"}});
  EXPECT_THAT(decode(labels), ElementsAre(Pair("a", ""), Pair("b", "x\\\"\n,=}"), Pair("c", "\\n")));
  EXPECT_THAT(decode(LabelSet{}), ElementsAre());
}

TEST(SnapshotBuilder, KeepsTheFirstOfSamplesWithEqualLabelsAndCountsTheRest) {
  SnapshotBuilder builder;
  auto& family = builder.family(hits);
  const Label trace[] = {{"trace_id", "2"}};
  for (const int value : {1, 2, 3, 4}) {
    family.add(builder.labels({{"cmd", value % 2 == 0 ? "even" : "odd"}}), value);
    family.set_created(100.0 + value);
    family.add_exemplar(0, value, 0, builder.exemplar_labels(trace));
  }
  family.add(builder.labels({{"cmd", "last"}}), 5);
  family.add_exemplar(0, 5, 0, builder.exemplar_labels(trace));
  const auto snapshot = builder.freeze();
  EXPECT_EQ(snapshot.sample_count(), 3U);
  EXPECT_EQ(snapshot.duplicate_count(), 2U);
  const auto* stored = snapshot.find("cache_hits_total");
  EXPECT_THAT(stored->values, ElementsAre(1, 2, 5));
  EXPECT_THAT(stored->created, ElementsAre(101, 102, 0));
  ASSERT_EQ(stored->exemplars.size(), 3U);
  EXPECT_EQ(stored->exemplars[1].sample, 1U);
  EXPECT_EQ(stored->exemplars[1].value, 2);
  EXPECT_EQ(stored->exemplars[2].sample, 2U);
  EXPECT_EQ(stored->exemplars[2].value, 5);
}

TEST(SnapshotBuilder, LeavesOutFamiliesWithoutSamplesAndKeepsTheOrderOfTheRest) {
  SnapshotBuilder builder;
  builder.family(latency);
  builder.add(level, 1);
  builder.add(hits, 2);
  builder.add(MetricSpec{"level", MetricType::counter, "bytes", "Other."}, {{"b", "1"}}, 3);
  const auto snapshot = builder.freeze();
  ASSERT_EQ(snapshot.families().size(), 2U);
  EXPECT_EQ(snapshot.families()[0].name, "level");
  EXPECT_EQ(snapshot.families()[0].type, MetricType::gauge);
  EXPECT_EQ(snapshot.families()[0].help, "A level.");
  EXPECT_THAT(snapshot.families()[0].values, ElementsAre(1, 3));
  EXPECT_EQ(snapshot.families()[1].name, "cache_hits_total");
  EXPECT_EQ(snapshot.find("latency_seconds"), nullptr);
}

TEST(SnapshotBuilder, MakesFamilyNamesValidAndHelpUtf8) {
  SnapshotBuilder builder;
  builder.add({"app.load-1m", MetricType::gauge, "", "Load\xFF."}, 1);
  builder.add({"app.load-1m", MetricType::gauge, "", ""}, {{"a", "1"}}, 2);
  builder.add({"app_load_1m", MetricType::gauge, "", ""}, {{"a", "2"}}, 3);
  builder.add({"2nd:rule", MetricType::gauge, "", ""}, 4);
  const auto snapshot = builder.freeze();
  ASSERT_EQ(snapshot.families().size(), 2U);
  EXPECT_EQ(snapshot.families()[0].name, "app_load_1m");
  EXPECT_EQ(snapshot.families()[0].help, "Load\xEF\xBF\xBD.");
  EXPECT_EQ(snapshot.families()[0].values.size(), 3U);
  EXPECT_EQ(snapshot.families()[1].name, "_2nd:rule");
}

TEST(FamilyBuilder, CopiesTheArraysOfADistribution) {
  SnapshotBuilder builder;
  std::vector<double> bounds{0.1, 1};
  std::vector<std::uint64_t> counts{3, 5};
  std::vector<std::int64_t> deltas{1, -1};
  NativeHistogram native;
  native.positive_deltas = deltas;
  builder.family(latency).add(
      builder.labels({}),
      {.bounds = bounds, .cumulative = counts, .quantile_values = {}, .sum = 2.5, .count = 7, .native = &native});
  bounds = {9, 9};
  counts = {9, 9};
  deltas = {9, 9};
  const auto snapshot = builder.freeze();
  const auto& stored = snapshot.families()[0].distributions[0];
  EXPECT_THAT(stored.bounds, ElementsAre(0.1, 1));
  EXPECT_THAT(stored.cumulative, ElementsAre(3U, 5U));
  EXPECT_EQ(stored.sum, 2.5);
  EXPECT_EQ(stored.count, 7U);
  EXPECT_THAT(stored.native->positive_deltas, ElementsAre(1, -1));
}

TEST(FamilyBuilder, CutsADistributionToItsShorterArray) {
  SnapshotBuilder builder;
  const std::array bounds{0.1, 1.0, 2.0};
  const std::array<std::uint64_t, 2> counts{3, 5};
  builder.family(latency).add(builder.labels({}), {.bounds = bounds, .cumulative = counts, .quantile_values = {}});
  const auto snapshot = builder.freeze();
  EXPECT_THAT(snapshot.families()[0].distributions[0].bounds, ElementsAre(0.1, 1));
}

TEST(FamilyBuilder, RenamesLabelsThatTheTypeNeedsForItself) {
  SnapshotBuilder builder;
  const auto labels = builder.labels({{"le", "1"}, {"quantile", "2"}, {"text", "le=\"3\""}});
  builder.family(latency).add(labels, Distribution{});
  builder.family({"size", MetricType::summary, "", ""}).add(labels, Distribution{});
  const auto snapshot = builder.freeze();
  EXPECT_EQ(snapshot.find("latency_seconds")->labels[0].text, "exported_le=\"1\",quantile=\"2\",text=\"le=\\\"3\\\"\"");
  EXPECT_EQ(snapshot.find("size")->labels[0].text, "exported_quantile=\"2\",le=\"1\",text=\"le=\\\"3\\\"\"");
}

TEST(FamilyBuilder, DropsExemplarLabelsOver128CharactersAndCountsThem) {
  SnapshotBuilder builder;
  auto& family = builder.family(hits);
  family.add(1);
  std::string umlauts;
  for (int i = 0; i < 120; ++i) umlauts += "\xC3\xA4";
  const std::string at_limit = umlauts, over_limit = umlauts + "x";
  const Label fits[] = {{"trace_id", at_limit}};
  const Label too_long[] = {{"trace_id", over_limit}};
  family.add_exemplar(0, 1, 0, builder.exemplar_labels(too_long));
  family.add_exemplar(0, 2, 0, builder.exemplar_labels(fits));
  const auto snapshot = builder.freeze();
  ASSERT_EQ(snapshot.families()[0].exemplars.size(), 1U);
  EXPECT_EQ(snapshot.families()[0].exemplars[0].value, 2);
  EXPECT_EQ(snapshot.dropped_exemplar_count(), 1U);
}

TEST(Snapshot, KeepsItsTextsInPlaceWhenItIsMoved) {
  auto builder = std::make_unique<SnapshotBuilder>();
  for (int i = 0; i < 5000; ++i) builder->add(level, {{"i", std::to_string(i)}}, i);
  auto first = builder->freeze();
  builder.reset();
  const auto* text = first.families()[0].labels[4999].text.data();
  const Snapshot second = std::move(first);
  EXPECT_EQ(second.families()[0].labels[4999].text.data(), text);
  EXPECT_EQ(second.families()[0].labels[4999].text, "i=\"4999\"");
  EXPECT_EQ(second.families()[0].values[4999], 4999);
}

TEST(Snapshot, NeedsAtMost32BytesAndTheLabelTextForAScalarSample) {
  SnapshotBuilder builder;
  std::size_t label_bytes = 0;
  constexpr std::size_t samples = 20'000;
  for (std::size_t i = 0; i < samples; ++i) {
    const auto labels = builder.labels({{"table", "table_" + std::to_string(i)}, {"schema", "public"}});
    label_bytes += labels.text.size();
    builder.family(level).add(labels, static_cast<double>(i));
  }
  const auto snapshot = builder.freeze();
  EXPECT_LE(snapshot.size_bytes(), samples * 32 + label_bytes);
}

TEST(Arena, HandsOutNothingOfItsNewOwnerAfterItWasMoved) {
  Arena first;
  const auto text = first.copy("kept");
  Arena second = std::move(first);
  const auto other = first.copy("overwritten?");  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_EQ(second.copy("more"), "more");
  EXPECT_EQ(text, "kept");
  EXPECT_EQ(other, "overwritten?");
  EXPECT_GT(first.size_bytes(), 0U);
  EXPECT_GT(second.size_bytes(), 0U);
}

TEST(Arena, AlignsWhatItHandsOutAndTakesPiecesLargerThanAChunk) {
  Arena arena;
  (void)arena.copy("x");
  for (const std::size_t alignment : {1U, 2U, 8U, 16U})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.allocate(3, alignment)) % alignment, 0U);
  const std::string large(1'000'000, 'z');
  EXPECT_EQ(arena.copy(large), large);
  EXPECT_GE(arena.size_bytes(), large.size());
}

TEST(Naming, RenamesThePrefixAndLeavesOutWhatIsNotKept) {
  SnapshotBuilder builder;
  builder.set_naming({"redis_", "cache_", [](std::string_view name) noexcept { return name != "redis_b"; }});
  builder.add({"redis_a", MetricType::gauge, "", "A."}, 1);
  builder.add({"redis_b", MetricType::gauge, "", "B."}, 2);
  builder.add({"other", MetricType::gauge, "", "Other."}, 3);
  builder.family({"redis_a", MetricType::gauge, "", "A."}).add(builder.labels({{"db", "0"}}), 4);
  const auto snapshot = builder.freeze();
  ASSERT_EQ(snapshot.families().size(), 2u);
  EXPECT_EQ(snapshot.families()[0].name, "cache_a");
  EXPECT_EQ(snapshot.families()[0].values.size(), 2u);
  EXPECT_EQ(snapshot.families()[1].name, "other");
  EXPECT_EQ(snapshot.sample_count(), 3u);
}

}  // namespace
}  // namespace midst::metrics
