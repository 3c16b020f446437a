#include "agent/app/queries_yaml.hpp"

#include "agent/app/yaml_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using sources::Use;
using sources::VersionRange;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::vector<std::string> problems_of(std::string_view yaml) {
  std::vector<std::string> lines;
  for (const auto& problem : parse_queries_yaml(yaml, "q.yaml").problems) lines.push_back(describe(problem));
  return lines;
}

std::vector<sources::CustomDefinition> good(std::string_view yaml) {
  auto parsed = parse_queries_yaml(yaml, "q.yaml");
  for (const auto& problem : parsed.problems) ADD_FAILURE() << describe(problem);
  return std::move(parsed.queries);
}

TEST(QueriesYaml, EveryUsageIsReadAsTheExporterReadsIt) {
  const auto queries = good(R"(pg_shop:
  query: |
    SELECT state, n, level, note, took, odd
    FROM orders;
  master: true
  cache_seconds: 30
  runonserver: ">=9.4.0 <12.0.0 || >=14.0.0"
  metrics:
    - state:
        usage: "LABEL"
        description: "State of the order"
    - n:
        usage: "COUNTER"
        description: "Orders"
        pg_version: ">=14.0.0"
    - level:
        usage: "MAPPEDMETRIC"
        metric_mapping:
          low: 0
          high: 10.5
    - {size: {usage: GAUGE, description: Size}}
    - note: {usage: DISCARD}
      took: {usage: DURATION}
      times: {usage: HISTOGRAM}
)");
  ASSERT_EQ(queries.size(), 1U);
  const auto& query = queries[0];
  EXPECT_EQ(query.name, "pg_shop");
  EXPECT_EQ(query.prefix, "pg_shop");
  EXPECT_EQ(query.sql, "SELECT state, n, level, note, took, odd\nFROM orders");
  EXPECT_EQ(query.place, "q.yaml:1:1");
  EXPECT_EQ(query.ttl, 30s);
  EXPECT_TRUE(query.is_master_only);
  EXPECT_TRUE(query.has_server_label);
  EXPECT_THAT(query.versions, ElementsAre(VersionRange{90'400, 120'000}, VersionRange{.from = 140'000}));
  ASSERT_EQ(query.columns.size(), 7U);
  const std::pair<Use, std::string> expected[] = {{Use::label, "state"},
                                                  {Use::counter, "pg_shop_n"},
                                                  {Use::gauge, "pg_shop_level"},
                                                  {Use::gauge, "pg_shop_size"},
                                                  {Use::label, "note"},
                                                  {Use::duration, "pg_shop_took_milliseconds"},
                                                  {Use::histogram, "pg_shop_times"}};
  for (std::size_t i = 0; i < query.columns.size(); ++i) {
    EXPECT_EQ(query.columns[i].use, expected[i].first) << i;
    EXPECT_EQ(query.columns[i].metric, expected[i].second);
    EXPECT_EQ(query.columns[i].is_discarded, i == 4);
  }
  EXPECT_EQ(query.columns[1].help, "Orders");
  EXPECT_THAT(query.columns[1].versions, ElementsAre(VersionRange{.from = 140'000}));
  EXPECT_THAT(query.columns[2].mapping, ElementsAre(Pair("low", 0), Pair("high", 10.5)));
  EXPECT_EQ(query.columns[5].scale, 1000);
}

TEST(QueriesYaml, WhatIsWrongHasItsPlaceAndSaysTheWayOut) {
  const std::pair<std::string, std::string> table[] = {
      {"- a\n", "q.yaml:1:1: error: the file has to be a map"},
      {"a: 1\n", "q.yaml:1:4: error: query a has to be a map"},
      {"a:\n  metrics: []\n", "q.yaml:1:1: error: query a has no SQL; give it the key query"},
      {"a:\n  query: ''\n", "q.yaml:2:10: error: query a: the SQL is empty"},
      {"a:\n  query: [1]\n", "q.yaml:2:10: error: query has to be a text"},
      {"a-b:\n  query: SELECT 1\n",
       "q.yaml:1:1: error: \"a-b\" is no name of a metric: letters, digits, '_' and ':', no digit first"},
      {"a:\n  query: SELECT 1\n  query: SELECT 2\n", "q.yaml:3:3: error: \"query\" stands twice in query a"},
      {"a:\n  query: SELECT 1\na:\n  query: SELECT 1\n", "q.yaml:3:1: error: \"a\" stands twice in the file"},
      {"a:\n  query: SELECT 1\n  cache_seconds: soon\n",
       "q.yaml:3:18: error: cache_seconds takes a whole number of 0 to 86400"},
      {"a:\n  query: SELECT 1\n  master: maybe\n", "q.yaml:3:11: error: master has to be true or false"},
      {"a:\n  query: SELECT 1\n  runonserver: '>=ten'\n",
       "q.yaml:3:16: error: runonserver: not a version: \"ten\"; write it like 9.6.1, 14.0.0 or 14.x"},
      {"a:\n  query: SELECT 1\n  cach_seconds: 3\n",
       "q.yaml:3:3: warning: unknown key cach_seconds in query a; did you mean cache_seconds?"},
      {"a:\n  query: SELECT 1\n  metrics: {n: {usage: GAUGE}}\n", "q.yaml:3:12: error: metrics has to be a list"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - n: {usage: GUAGE}\n",
       "q.yaml:4:18: error: unknown usage \"GUAGE\"; one of LABEL, COUNTER, GAUGE, DISCARD, MAPPEDMETRIC, DURATION, "
       "HISTOGRAM"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - n: {description: x}\n",
       "q.yaml:4:7: error: column n has no usage; one of LABEL, COUNTER, GAUGE, DISCARD, MAPPEDMETRIC, DURATION, "
       "HISTOGRAM"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - n: {usage: MAPPEDMETRIC}\n",
       "q.yaml:4:7: error: column n: MAPPEDMETRIC and metric_mapping belong together"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - n: {usage: MAPPEDMETRIC, metric_mapping: {x: one}}\n",
       "q.yaml:4:52: error: the value of \"x\" has to be a number"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - n: {usage: GAUGE}\n    - n: {usage: LABEL}\n",
       "q.yaml:5:7: error: column n stands twice in query a"},
      {"a:\n  query: SELECT 1\n  metrics:\n    - max age: {usage: LABEL}\n",
       "q.yaml:4:7: error: \"max age\" is no name of a label: letters, digits and '_', no digit first, no \"__\""},
      {"a: &x\n  query: SELECT 1\nb:\n  <<: *x\n",
       "q.yaml:4:3: error: merging maps with << is not known here; write them out"},
      {"a:\n  query: *x\n", "q.yaml:2:10: error: the referenced anchor is not defined"},
      {"a:\n\tquery: SELECT 1\n", "q.yaml:2:7: error: illegal map value"},
      {"a: {query: 'SELECT 1\n", "q.yaml:"},
      {"", "q.yaml:1:1: warning: the file has no queries"},
      {"a:\n  query: SELECT 1\n---\nb: 1\n", "q.yaml:1:1: warning: only the first document of the file is read"}};
  for (const auto& [yaml, problem] : table) {
    const auto problems = problems_of(yaml);
    ASSERT_THAT(problems, Not(IsEmpty())) << yaml;
    EXPECT_THAT(problems[0], HasSubstr(problem)) << yaml;
  }
}

TEST(QueriesYaml, AllProblemsAreSaidAtOnce) {
  EXPECT_THAT(problems_of("a:\n  query: COPY x\n  master: 7\nb:\n  metrics: 3\n"), SizeIs(4));
}

TEST(QueriesYaml, MoreProblemsThanAnyoneReadsAreNotSaid) {
  std::string yaml;
  for (int i = 0; i < 1000; ++i) yaml += "a" + std::to_string(i) + ": 1\n";
  const auto problems = problems_of(yaml);
  ASSERT_EQ(problems.size(), 101U);
  EXPECT_EQ(problems.back(), "q.yaml:1:1: error: too much is wrong with the file to say it all");
}

TEST(QueriesYaml, AnAliasStandsForItsAnchor) {
  const auto queries = good("a:\n  query: &sql SELECT 1 AS n\nb:\n  query: *sql\n");
  EXPECT_EQ(queries[1].sql, "SELECT 1 AS n");
}

TEST(QueriesYaml, AliasesThatMultiplyAreCutShort) {
  std::string yaml = "a:\n  query: SELECT 1\n  metrics: &m\n";
  for (int i = 0; i < 200; ++i) yaml += "    - x" + std::to_string(i) + ": {usage: GAUGE}\n";
  for (int i = 0; i < 500; ++i) yaml += "b" + std::to_string(i) + ":\n  query: SELECT 1\n  metrics: *m\n";
  const auto problems = problems_of(yaml);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("the aliases of the file make too much of it"));
}

TEST(YamlTree, DepthAndSizeAreBoundedWhileTheTextIsRead) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_FALSE(YamlTree(nested(16)).problem());
  EXPECT_EQ(YamlTree(nested(17)).problem().value().message, "more than 16 levels");
  EXPECT_TRUE(YamlTree(nested(100'000)).problem());
  EXPECT_FALSE(YamlTree("[1, 2, 3]", {.nodes = 4}).problem());
  EXPECT_EQ(YamlTree("[1, 2, 3]", {.nodes = 3}).problem().value().message, "more than 3 values in one document");
}

TEST(YamlTree, AnAliasOfWhatItStandsInIsNoEndlessTree) {
  const YamlTree tree("&a [*a, 1]");
  ASSERT_FALSE(tree.problem());
  EXPECT_EQ(tree.root().items.size(), 2U);
  EXPECT_EQ(tree.root().items[0], 0U);
}

}  // namespace
}  // namespace midst::app
