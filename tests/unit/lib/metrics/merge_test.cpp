#include "lib/metrics/snapshot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace midst::metrics {
namespace {

using ::testing::ElementsAre;

using Fill = std::function<void(SnapshotBuilder&)>;

std::shared_ptr<const Snapshot> snapshot(const Fill& fill) {
  SnapshotBuilder builder;
  fill(builder);
  return std::make_shared<const Snapshot>(builder.freeze());
}

/// One snapshot with one sample for each name, of the type given.
std::shared_ptr<const Snapshot> named(MetricType type, std::initializer_list<std::string_view> names) {
  return snapshot([&](SnapshotBuilder& builder) {
    for (const auto name : names) {
      auto& family = builder.family({name, type, "", ""});
      if (type == MetricType::histogram || type == MetricType::summary)
        family.add(builder.labels({}), Distribution{});
      else
        family.add(1);
    }
  });
}

std::vector<std::string> names(const Exposition& page) {
  std::vector<std::string> all;
  for (const auto& family : page.families) all.emplace_back(family.head->name);
  return all;
}

TEST(Merge, GivesAnEmptyPageForNoSnapshots) {
  const auto page = merge({});
  EXPECT_TRUE(page.families.empty());
  EXPECT_EQ(page.sample_count, 0U);
}

TEST(Merge, PutsFamiliesOfOneNameTogetherUnderTheFirstOwnersText) {
  const auto first = snapshot([](SnapshotBuilder& builder) {
    builder.add({"up", MetricType::gauge, "", "First."}, {{"target", "a"}}, 1);
    builder.add({"other", MetricType::gauge, "", ""}, 1);
  });
  const auto second = snapshot([](SnapshotBuilder& builder) {
    builder.add({"up", MetricType::gauge, "", "Second."}, {{"target", "b"}}, 0);
  });
  const auto page = merge({first, second});
  EXPECT_THAT(names(page), ElementsAre("up", "other"));
  ASSERT_EQ(page.families[0].parts.size(), 2U);
  EXPECT_EQ(page.families[0].head->help, "First.");
  EXPECT_EQ(page.families[0].parts[1].family->labels[0].text, "target=\"b\"");
  EXPECT_EQ(page.sample_count, 3U);
  EXPECT_EQ(page.duplicate_samples, 0U);
}

TEST(Merge, SkipsSamplesThatAnEarlierSnapshotHasAndCountsThem) {
  const auto fill = [](std::initializer_list<std::string_view> targets) {
    return snapshot([&](SnapshotBuilder& builder) {
      for (const auto target : targets) builder.add({"up", MetricType::gauge, "", ""}, {{"target", target}}, 1);
    });
  };
  const auto page = merge({fill({"a", "b"}), fill({"c", "b", "a"}), fill({"c", "d"})});
  ASSERT_EQ(page.families.size(), 1U);
  ASSERT_EQ(page.families[0].parts.size(), 3U);
  EXPECT_THAT(page.families[0].parts[0].skipped, ElementsAre());
  EXPECT_THAT(page.families[0].parts[1].skipped, ElementsAre(1U, 2U));
  EXPECT_THAT(page.families[0].parts[2].skipped, ElementsAre(0U));
  EXPECT_EQ(page.duplicate_samples, 3U);
  EXPECT_EQ(page.sample_count, 4U);
}

TEST(Merge, KeepsItsSnapshotsAlive) {
  Exposition page;
  {
    auto owned = named(MetricType::gauge, {"alive"});
    page = merge({std::move(owned)});
  }
  ASSERT_EQ(page.snapshots.size(), 1U);
  EXPECT_EQ(page.families[0].head->name, "alive");
}

TEST(Merge, DropsAFamilyWhoseTypeContradictsAnEarlierOne) {
  const auto page = merge({named(MetricType::gauge, {"size"}), named(MetricType::counter, {"size", "ok"})});
  EXPECT_THAT(names(page), ElementsAre("size", "ok"));
  EXPECT_EQ(page.families[0].parts.size(), 1U);
  EXPECT_THAT(page.conflicting, ElementsAre("size"));
  EXPECT_EQ(page.sample_count, 2U);
}

struct Collision {
  MetricType first_type;
  std::string_view first;
  MetricType second_type;
  std::string_view second;
  bool is_dropped;
};

class SampleNames : public ::testing::TestWithParam<Collision> {};

TEST_P(SampleNames, MayNotMeetOnOnePage) {
  const auto& given = GetParam();
  const auto page = merge({named(given.first_type, {given.first}), named(given.second_type, {given.second})});
  EXPECT_EQ(page.conflicting.size(), given.is_dropped ? 1U : 0U);
  EXPECT_EQ(page.families.size(), given.is_dropped ? 1U : 2U);
  if (given.is_dropped) {
    EXPECT_EQ(page.conflicting[0], given.second);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, SampleNames,
                         ::testing::Values(Collision{MetricType::histogram, "d", MetricType::counter, "d_count", true},
                                           Collision{MetricType::counter, "d_count", MetricType::histogram, "d", true},
                                           Collision{MetricType::histogram, "d", MetricType::gauge, "d_bucket", true},
                                           Collision{MetricType::summary, "d", MetricType::gauge, "d_sum", true},
                                           Collision{MetricType::summary, "d", MetricType::gauge, "d_bucket", false},
                                           Collision{MetricType::gauge, "d", MetricType::gauge, "d_count", false},
                                           Collision{MetricType::counter, "d_total", MetricType::gauge, "d", false}));

bool strips(const Exposition& page, std::string_view name) {
  for (const auto& family : page.families)
    if (family.head->name == name) return family.strips_total || family.strips_info;
  return false;
}

TEST(Merge, LetsOpenMetricsShortenCountersAndInfosWhoseShortNameIsFree) {
  const auto page = merge({named(MetricType::counter, {"a_total", "b", "_total"}), named(MetricType::info, {"c_info"}),
                           named(MetricType::gauge, {"d_total"})});
  EXPECT_TRUE(strips(page, "a_total"));
  EXPECT_FALSE(strips(page, "b"));
  EXPECT_FALSE(strips(page, "_total"));
  EXPECT_TRUE(strips(page, "c_info"));
  EXPECT_FALSE(strips(page, "d_total"));
}

TEST(Merge, KeepsTheLongNameWhereTheShortOneIsTaken) {
  const auto page = merge({named(MetricType::counter, {"a_total", "b_total", "c_total", "d_total"}),
                           named(MetricType::gauge, {"a", "c_created"}), named(MetricType::summary, {"b"}),
                           named(MetricType::info, {"d_info"})});
  EXPECT_FALSE(strips(page, "a_total"));
  EXPECT_FALSE(strips(page, "b_total"));
  EXPECT_FALSE(strips(page, "c_total"));
  EXPECT_TRUE(strips(page, "d_total"));
  EXPECT_FALSE(strips(page, "d_info"));
}

}  // namespace
}  // namespace midst::metrics
