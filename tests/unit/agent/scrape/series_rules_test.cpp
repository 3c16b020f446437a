#include "agent/scrape/series_rules.hpp"

#include "lib/metrics/encode.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <utility>

namespace midst::scrape {
namespace {

using metrics::Distribution;
using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;
using metrics::Snapshot;
using metrics::SnapshotBuilder;

constexpr MetricSpec up{"redis_up", MetricType::gauge, "", "Up."};
constexpr MetricSpec keys{"redis_db_keys", MetricType::gauge, "", "Keys."};
constexpr MetricSpec calls{"redis_commands_total", MetricType::counter, "", "Calls."};
constexpr MetricSpec health{"midst_agent_health", MetricType::gauge, "", "Health."};
constexpr MetricSpec durations{"request_seconds", MetricType::histogram, "seconds", "Durations."};
constexpr MetricSpec quantiles{"request_quantiles", MetricType::summary, "", "Quantiles."};

/// The page that the snapshot makes, without HELP and TYPE.
std::string lines(Snapshot snapshot) {
  const auto page = metrics::merge({std::make_shared<const Snapshot>(std::move(snapshot))});
  const auto text = metrics::encode(page, metrics::Format::text);
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const auto end = text.find('\n', from) + 1;
    if (text[from] != '#') out.append(text, from, end - from);
    from = end;
  }
  return out;
}

/// What a page looks like behind rules.
std::string ruled(SeriesRules& rules, Snapshot snapshot, Applied* applied = nullptr) {
  const auto outcome = rules.apply(snapshot);
  if (applied != nullptr) *applied = outcome;
  return lines(std::move(snapshot));
}

LabelRule rule(const char* text) {
  return *parse_label_rule(text);
}

using Calls = std::vector<std::pair<const char*, double>>;

/// Samples of one family with the labels table and mode.
Snapshot tables(const MetricSpec& spec, const Calls& values) {
  SnapshotBuilder builder;
  for (const auto& [table, value] : values) builder.add(spec, {{"table", table}, {"mode", "x"}}, value);
  return builder.freeze();
}

Snapshot small_page() {
  SnapshotBuilder builder;
  builder.add(up, 1);
  builder.add(keys, {{"db", "db0"}}, 3);
  builder.add(keys, {{"db", "db1"}}, 4);
  builder.add(calls, {{"cmd", "get"}}, 5);
  builder.add(health, 1);
  return builder.freeze();
}

TEST(SeriesRules, WithoutRulesThePageStaysAndIsCounted) {
  SeriesRules rules({}, true);
  Applied applied;
  EXPECT_EQ(ruled(rules, small_page(), &applied), lines(small_page()));
  EXPECT_EQ(applied.series, 5);
  EXPECT_EQ(applied.by_rule, 0);
}

TEST(SeriesRules, DropsTheFamiliesThatAGlobNamesAndCountsTheirSeries) {
  SeriesRules rules({.drop = {"redis_db_*"}, .keep = {}, .drop_labels = {}, .max_series = {}}, true);
  Applied applied;
  EXPECT_EQ(ruled(rules, small_page(), &applied),
            "redis_up 1\nredis_commands_total{cmd=\"get\"} 5\nmidst_agent_health 1\n");
  EXPECT_EQ(applied.by_rule, 2);
  EXPECT_EQ(applied.series, 3);
}

TEST(SeriesRules, KeepsOnlyWhatAGlobNamesAndDropIsStronger) {
  SeriesRules rules(
      {.drop = {"redis_db_keys"}, .keep = {"redis_d*", "redis_comm?nds_total"}, .drop_labels = {}, .max_series = {}},
      true);
  EXPECT_EQ(ruled(rules, small_page()), "redis_up 1\nredis_commands_total{cmd=\"get\"} 5\nmidst_agent_health 1\n");
}

TEST(SeriesRules, WhatTellsOfHealthGoesOnlyByItsExactName) {
  SeriesRules globs({.drop = {"*"}, .keep = {}, .drop_labels = {}, .max_series = {}}, true);
  EXPECT_EQ(ruled(globs, small_page()), "redis_up 1\nmidst_agent_health 1\n");
  SeriesRules exact({.drop = {"midst_agent_health", "redis_up"}, .keep = {"none"}, .drop_labels = {}, .max_series = {}},
                    true);
  EXPECT_EQ(ruled(exact, small_page()), "");
  SeriesRules no_target({.drop = {"redis_*"}, .keep = {}, .drop_labels = {}, .max_series = {}}, false);
  EXPECT_EQ(ruled(no_target, small_page()), "midst_agent_health 1\n") << "an API's gauge may end in _up";
}

TEST(SeriesRules, FollowsFamiliesThatChangeTheirPlaceOnThePage) {
  SeriesRules rules({.drop = {"redis_db_*"}, .keep = {}, .drop_labels = {}, .max_series = {}}, true);
  EXPECT_EQ(ruled(rules, small_page()), "redis_up 1\nredis_commands_total{cmd=\"get\"} 5\nmidst_agent_health 1\n");
  SnapshotBuilder builder;
  builder.add(keys, 3);
  builder.add(calls, 6);
  EXPECT_EQ(ruled(rules, builder.freeze()), "redis_commands_total 6\n");
}

Snapshot two_histograms(std::array<std::uint64_t, 2> a, std::array<std::uint64_t, 2> b) {
  SnapshotBuilder builder;
  static constexpr std::array bounds{0.1, 1.0};
  auto& family = builder.family(durations);
  const auto add = [&](const char* route, const std::array<std::uint64_t, 2>& counts) {
    family.add(builder.labels({{"route", route}}), {.bounds = bounds,
                                                    .cumulative = counts,
                                                    .quantile_values = {},
                                                    .sum = static_cast<double>(counts[1]) / 2,
                                                    .count = counts[1] + 1});
  };
  add("/a", a);
  add("/b", b);
  return builder.freeze();
}

TEST(SeriesRules, TheBucketsOfAHistogramCanGoAlone) {
  SeriesRules rules({.drop = {"*_bucket"}, .keep = {}, .drop_labels = {rule("request_*:route")}, .max_series = {}},
                    false);
  Applied applied;
  EXPECT_EQ(ruled(rules, two_histograms({1, 2}, {3, 4}), &applied),
            "request_seconds_bucket{le=\"+Inf\"} 8\nrequest_seconds_sum 3\nrequest_seconds_count 8\n");
  EXPECT_EQ(applied.by_rule, 4);
  EXPECT_EQ(applied.series, 3);
}

TEST(SeriesRules, AddsUpCountersAndHistogramsThatALabelToldApart) {
  SeriesRules rules(
      {.drop = {}, .keep = {}, .drop_labels = {rule("redis_*:table"), rule("request_*:route")}, .max_series = {}},
      true);
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", 5}, {"b", 7}})), "redis_commands_total{mode=\"x\"} 12\n");
  EXPECT_EQ(ruled(rules, two_histograms({1, 2}, {3, 4})),
            "request_seconds_bucket{le=\"0.1\"} 4\nrequest_seconds_bucket{le=\"1\"} 6\n"
            "request_seconds_bucket{le=\"+Inf\"} 8\nrequest_seconds_sum 3\nrequest_seconds_count 8\n");
}

TEST(SeriesRules, ASumNeverFallsWhenOneOfItsSeriesGoesAwayOrBeginsAnew) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  const auto sum = [&](const Calls& values) { return ruled(rules, tables(calls, values)); };
  EXPECT_EQ(sum({{"a", 5}, {"b", 100}}), "redis_commands_total{mode=\"x\"} 105\n");
  EXPECT_EQ(sum({{"a", 6}}), "redis_commands_total{mode=\"x\"} 106\n") << "b went away";
  EXPECT_EQ(sum({{"a", 2}}), "redis_commands_total{mode=\"x\"} 108\n") << "a began anew";
  EXPECT_EQ(sum({{"a", 2}, {"b", 101}}), "redis_commands_total{mode=\"x\"} 109\n") << "b came back";
}

TEST(SeriesRules, OtherRulesGoOnWithTheSums) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", 5}, {"b", 100}})), "redis_commands_total{mode=\"x\"} 105\n");
  rules.set({.drop = {"redis_db_keys"}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}});
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", 6}})), "redis_commands_total{mode=\"x\"} 106\n");
  EXPECT_EQ(ruled(rules, tables(keys, {{"a", 6}})), "");
  rules.set({});
  EXPECT_EQ(ruled(rules, tables(keys, {{"a", 6}})), "redis_db_keys{mode=\"x\",table=\"a\"} 6\n");
}

TEST(SeriesRules, ATargetThatWasDownForLongIsNotForgotten) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", 5}})), "redis_commands_total{mode=\"x\"} 5\n");
  for (int i = 0; i < 200; ++i) EXPECT_EQ(ruled(rules, SnapshotBuilder().freeze()), "");
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", 4}})), "redis_commands_total{mode=\"x\"} 9\n");
}

TEST(SeriesRules, ForgetsSeriesThatNeverComeBack) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  Calls many;
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back(std::to_string(i));
  for (const auto& name : names) many.emplace_back(name.c_str(), 1);
  EXPECT_EQ(ruled(rules, tables(calls, many)), "redis_commands_total{mode=\"x\"} 3000\n");
  for (int i = 0; i < 60; ++i)
    EXPECT_EQ(ruled(rules, tables(calls, {{"0", 1}})), "redis_commands_total{mode=\"x\"} 3000\n");
  EXPECT_EQ(ruled(rules, tables(calls, {{"0", 1}, {"1", 1}})), "redis_commands_total{mode=\"x\"} 3000\n");
  EXPECT_EQ(ruled(rules, tables(calls, {{"0", 1}})), "redis_commands_total{mode=\"x\"} 3000\n");
  EXPECT_EQ(ruled(rules, tables(calls, {{"0", 1}, {"2", 1}})), "redis_commands_total{mode=\"x\"} 3001\n")
      << "2 was forgotten, so it counts as new";
}

TEST(SeriesRules, AnInfiniteCounterDoesNotSpoilTheSum) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  const double none = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(ruled(rules, tables(calls, {{"a", none}, {"b", infinite}, {"c", 3}})),
            "redis_commands_total{mode=\"x\"} 3\n");
}

TEST(SeriesRules, GaugesThatBecomeEqualAreAllLeftOutAndCounted) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  Applied applied;
  EXPECT_EQ(ruled(rules, tables(keys, {{"a", 5}, {"b", 7}}), &applied), "");
  EXPECT_EQ(applied.by_collision, 2);
  EXPECT_EQ(ruled(rules, tables(keys, {{"a", 5}}), &applied), "redis_db_keys{mode=\"x\"} 5\n");
  EXPECT_EQ(applied.by_collision, 0);
}

TEST(SeriesRules, GaugesBecomeWhatTheRuleSays) {
  const std::pair<const char*, const char*> cases[] = {
      {"*:table:sum", "15"}, {"*:table:max", "7"}, {"*:table:min", "3"}};
  for (const auto& [text, value] : cases) {
    SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule(text)}, .max_series = {}}, true);
    EXPECT_EQ(ruled(rules, tables(keys, {{"a", 5}, {"b", 7}, {"c", 3}})),
              std::string("redis_db_keys{mode=\"x\"} ") + value + "\n");
  }
}

TEST(SeriesRules, HistogramsOfOtherBoundsAndSummariesAreLeftOut) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:route")}, .max_series = {}}, false);
  SnapshotBuilder builder;
  const std::array bounds{0.1, 1.0}, other{0.2, 1.0};
  const std::array<std::uint64_t, 2> counts{1, 2};
  const auto add = [&](const MetricSpec& spec, const char* route, const std::array<double, 2>& at) {
    builder.family(spec).add(builder.labels({{"route", route}}),
                             {.bounds = at, .cumulative = counts, .quantile_values = at, .sum = 1, .count = 3});
  };
  add(durations, "/a", bounds);
  add(durations, "/b", other);
  add(durations, "/c", bounds);
  add(quantiles, "/a", bounds);
  add(quantiles, "/b", bounds);
  Applied applied;
  EXPECT_EQ(ruled(rules, builder.freeze(), &applied),
            "request_seconds_bucket{le=\"0.1\"} 2\nrequest_seconds_bucket{le=\"1\"} 4\n"
            "request_seconds_bucket{le=\"+Inf\"} 6\nrequest_seconds_sum 2\nrequest_seconds_count 6\n");
  EXPECT_EQ(applied.by_collision, 5 + 4 + 4);
}

TEST(SeriesRules, AnExemplarMovesToTheSeriesThatItsSampleIsPartOf) {
  SeriesRules rules({.drop = {}, .keep = {}, .drop_labels = {rule("*:table")}, .max_series = {}}, true);
  SnapshotBuilder builder;
  auto& family = builder.family(calls);
  family.add(builder.labels({{"table", "a"}, {"mode", "x"}}), 1);
  family.add(builder.labels({{"table", "a"}, {"mode", "y"}}), 2);
  family.add_exemplar(0, 1, 0, builder.exemplar_labels(std::array{Label{"trace_id", "ab"}}));
  family.add(builder.labels({{"table", "b"}, {"mode", "x"}}), 3);
  family.add_exemplar(0, 1, 0, builder.exemplar_labels(std::array{Label{"trace_id", "cd"}}));
  auto snapshot = builder.freeze();
  rules.apply(snapshot);
  const auto page = metrics::merge({std::make_shared<const Snapshot>(std::move(snapshot))});
  EXPECT_EQ(metrics::encode(page, metrics::Format::openmetrics),
            "# HELP redis_commands Calls.\n# TYPE redis_commands counter\n"
            "redis_commands_total{mode=\"x\"} 4 # {trace_id=\"cd\"} 1\n"
            "redis_commands_total{mode=\"y\"} 2 # {trace_id=\"ab\"} 1\n# EOF\n");
}

TEST(SeriesRules, AboveTheLimitWholeFamiliesGoLargestFirst) {
  const auto page = [] {
    SnapshotBuilder builder;
    builder.add(up, 1);
    for (const auto* db : {"0", "1", "2"}) builder.add(keys, {{"db", db}}, 1);
    for (const auto* cmd : {"get", "set"}) builder.add(calls, {{"cmd", cmd}}, 1);
    builder.add(health, 1);
    return builder.freeze();
  };
  const auto with_limit = [](std::size_t limit) {
    return SeriesRules({.drop = {}, .keep = {}, .drop_labels = {}, .max_series = limit}, true);
  };
  Applied applied;
  auto at_limit = with_limit(7);
  EXPECT_EQ(ruled(at_limit, page(), &applied), lines(page()));
  EXPECT_EQ(applied.families_over_limit, 0);
  auto one_less = with_limit(6);
  EXPECT_EQ(
      ruled(one_less, page(), &applied),
      "redis_up 1\nredis_commands_total{cmd=\"get\"} 1\nredis_commands_total{cmd=\"set\"} 1\nmidst_agent_health 1\n");
  EXPECT_EQ(applied.by_limit, 3);
  EXPECT_EQ(applied.series, 7);
  EXPECT_EQ(applied.largest_left_out, std::vector<std::string>{"redis_db_keys"});
  auto nothing = with_limit(1);
  EXPECT_EQ(ruled(nothing, page(), &applied), "redis_up 1\nmidst_agent_health 1\n") << "health is never left out";
  EXPECT_EQ(applied.families_over_limit, 2);
}

TEST(SeriesRules, ATargetsRulesComeOnTopOfThoseOfAll) {
  const RuleOptions all{{"a"}, {"k"}, {rule("x:y")}, 10};
  const auto both = joined(all, {{"b"}, {}, {rule("v:w")}, {}});
  EXPECT_EQ(both.drop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(both.keep, std::vector<std::string>{"k"});
  EXPECT_EQ(both.drop_labels.size(), 2);
  EXPECT_EQ(both.max_series, 10);
  const auto own = joined(all, {{}, {"l"}, {}, 0});
  EXPECT_EQ(own.keep, std::vector<std::string>{"l"});
  EXPECT_EQ(own.max_series, 0) << "a target may be free of the limit";
}

TEST(SeriesRules, ReadsARuleForLabels) {
  const auto plain = *parse_label_rule("pg_stat_user_tables_*:relname");
  EXPECT_EQ(plain.families, "pg_stat_user_tables_*");
  EXPECT_EQ(plain.label, "relname");
  EXPECT_EQ(plain.gauges, Fold::left_out);
  const auto colons = *parse_label_rule("api:request:total:route:sum");
  EXPECT_EQ(colons.families, "api:request:total");
  EXPECT_EQ(colons.label, "route");
  EXPECT_EQ(colons.gauges, Fold::sum);
  for (const auto* broken :
       {"", "relname", ":relname", "pg_*:", "pg_*:rel*", "pg {}:relname", "sum", "a:sum", ":a:sum"})
    EXPECT_EQ(parse_label_rule(broken).error().code, Errc::config) << broken;
  EXPECT_NE(parse_label_rule("*:le").error().message.find("NAME_bucket"), std::string::npos);
  EXPECT_NE(parse_label_rule("*:target").error().message.find("label = \"never\""), std::string::npos);
}

TEST(SeriesRules, RefusesAGlobThatCannotMatch) {
  EXPECT_TRUE(check_glob("pg_*_t?ble:x"));
  EXPECT_TRUE(check_glob(std::string(256, 'a')));
  for (const auto& broken : {std::string(), std::string("pg-settings"), std::string("pg_{a,b}"), std::string(257, 'a')})
    EXPECT_EQ(check_glob(broken).error().code, Errc::config) << broken;
}

}  // namespace
}  // namespace midst::scrape
