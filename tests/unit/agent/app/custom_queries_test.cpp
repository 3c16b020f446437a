#include "agent/app/config.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>
#include <string>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using sources::CustomDefinition;
using sources::Use;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Environment variables(Environment::Variables values) {
  return values;
}

constexpr std::string_view target = "[[postgres]]\ndsn = \"host=a\"\n";

ParsedConfig parsed(std::string_view queries, const Environment& environment = variables({})) {
  return parse_config(std::string(target).append(queries), "a.toml", environment);
}

std::vector<std::string> problems_of(std::string_view queries) {
  std::vector<std::string> lines;
  for (const auto& problem : parsed(queries).problems) lines.push_back(describe(problem));
  return lines;
}

std::vector<CustomDefinition> good(std::string_view queries) {
  auto config = parsed(queries);
  for (const auto& problem : config.problems) ADD_FAILURE() << describe(problem);
  return std::move(config.config.postgres.at(0).custom);
}

std::string write(const test::TempDir& directory, const std::string& name, std::string_view text) {
  const auto path = directory.path() / name;
  std::ofstream(path) << text;
  return path.string();
}

TEST(CustomQueries, AreReadWithEverythingThatTheySay) {
  const auto queries = good(R"([[postgres.query]]
name = "orders"
sql = "SELECT state, n, seconds, took FROM orders;"
prefix = "shop_orders"
help = "Orders of the shop."
ttl = "30s"
timeout = "1s"
scope = "server"
role = "primary"
min_version = "14"
max_version = "16.2"
max_rows = 50
[postgres.query.columns]
state = "label"
kind = { use = "label", label = "order_kind" }
n = { use = "counter", metric = "shop_orders_total", help = "How many.", scale = 0.001 }
level = { use = "gauge", values = { low = 0, high = 10.5 } }
odd = "untyped"
took = "duration"
wait_seconds = "duration"
times = "histogram"
note = "discard"
)");
  ASSERT_EQ(queries.size(), 1U);
  const auto& query = queries[0];
  EXPECT_EQ(query.name, "orders");
  EXPECT_EQ(query.sql, "SELECT state, n, seconds, took FROM orders");
  EXPECT_EQ(query.prefix, "shop_orders");
  EXPECT_EQ(query.ttl, 30s);
  EXPECT_EQ(query.timeout, 1s);
  EXPECT_EQ(query.role, sources::Role::primary);
  EXPECT_THAT(query.versions, ElementsAre(sources::VersionRange{140'000, 160'003}));
  EXPECT_EQ(query.max_rows, 50U);
  EXPECT_EQ(query.place, "a.toml:4:8");
  EXPECT_FALSE(query.has_server_label);
  ASSERT_EQ(query.columns.size(), 9U);
  const auto expect_column = [&](std::size_t index, std::string_view name, Use use, std::string_view metric) {
    EXPECT_EQ(query.columns[index].column, name);
    EXPECT_EQ(query.columns[index].use, use) << name;
    EXPECT_EQ(query.columns[index].metric, metric);
    EXPECT_FALSE(query.columns[index].is_discarded);
  };
  expect_column(0, "state", Use::label, "state");
  expect_column(1, "kind", Use::label, "order_kind");
  expect_column(2, "n", Use::counter, "shop_orders_total");
  expect_column(3, "level", Use::gauge, "shop_orders_level");
  expect_column(4, "odd", Use::unknown, "shop_orders_odd");
  expect_column(5, "took", Use::duration, "shop_orders_took_seconds");
  expect_column(6, "wait_seconds", Use::duration, "shop_orders_wait_seconds");
  expect_column(7, "times", Use::histogram, "shop_orders_times");
  EXPECT_TRUE(query.columns[8].is_discarded);
  EXPECT_EQ(query.columns[2].help, "How many.");
  EXPECT_EQ(query.columns[2].scale, 0.001);
  EXPECT_EQ(query.columns[3].help, "Orders of the shop.");
  EXPECT_THAT(query.columns[3].mapping, ElementsAre(Pair("low", 0), Pair("high", 10.5)));
}

TEST(CustomQueries, HaveDefaults) {
  const auto query =
      good("[[postgres.query]]\nname = \"n\"\nsql = \"SELECT 1 AS v\"\ncolumns = { v = \"gauge\" }\n")[0];
  EXPECT_EQ(query.prefix, "pg_n");
  EXPECT_EQ(query.ttl, 0s);
  EXPECT_EQ(query.timeout, 5s);
  EXPECT_EQ(query.scope, sources::Scope::server);
  EXPECT_EQ(query.role, sources::Role::any);
  EXPECT_THAT(query.versions, ElementsAre(sources::VersionRange{0, std::numeric_limits<int>::max()}));
  EXPECT_EQ(query.max_rows, 1000U);
  EXPECT_EQ(query.columns[0].metric, "pg_n_v");
  EXPECT_EQ(query.columns[0].help, "Column v of the query n.");
}

TEST(CustomQueries, MayHaveTheirSqlInAFile) {
  const test::TempDir directory;
  const auto path = write(directory, "q.sql", "-- what\nSELECT 1 AS v;\n");
  EXPECT_EQ(good("[[postgres.query]]\nname = \"n\"\nsql_file = \"" + path + "\"\ncolumns = { v = \"gauge\" }\n")[0].sql,
            "SELECT 1 AS v");
  EXPECT_THAT(
      problems_of("[[postgres.query]]\nname = \"n\"\nsql_file = \"/nowhere.sql\"\ncolumns = { v = \"gauge\" }\n"),
      ElementsAre("a.toml:5:12: error: postgres.query.sql_file: cannot read /nowhere.sql"));
}

struct BadQuery {
  std::string text;  ///< Behind the name and in front of the columns.
  std::string problem;
};

TEST(CustomQueries, AreRefusedWithPlaceAndWayOut) {
  const BadQuery table[] = {
      {"", "a.toml:3:1: error: postgres.query has to have one of sql and sql_file"},
      {"sql = \"SELECT 1\"\nsql_file = \"x\"\n",
       "a.toml:6:12: error: postgres.query has to have one of sql and sql_file"},
      {"sql = \" ; \"\n", "a.toml:5:7: error: postgres.query.sql: the SQL is empty"},
      {"sql = \"SELECT 1; SELECT 2\"\n",
       "a.toml:5:7: error: postgres.query.sql: the SQL has more than one statement; make each a query of its own"},
      {"sql = \"COPY t TO STDOUT\"\n",
       "a.toml:5:7: error: postgres.query.sql: the SQL has to begin with SELECT, WITH, VALUES, TABLE or SHOW: queries "
       "only "
       "read"},
      {"sql = \"SELECT 1\"\nscope = \"cluster\"\n",
       "a.toml:6:9: error: postgres.query.scope: unknown value \"cluster\"; one of server, database"},
      {"sql = \"SELECT 1\"\nrole = \"master\"\n",
       "a.toml:6:8: error: postgres.query.role: unknown value \"master\"; one of any, primary, standby"},
      {"sql = \"SELECT 1\"\nmin_version = \"14beta\"\n",
       "a.toml:6:15: error: postgres.query.min_version: not a version: \"14beta\"; write it like 9.6.1, 14.0.0 or "
       "14.x"},
      {"sql = \"SELECT 1\"\nmin_version = \"16\"\nmax_version = \"15\"\n",
       "a.toml:7:15: error: postgres.query.max_version is less than min_version"},
      {"sql = \"SELECT 1\"\nmax_rows = 0\n",
       "a.toml:6:12: error: postgres.query.max_rows = 0 is out of range; it takes 1 to 100000"},
      {"sql = \"SELECT 1\"\nttl = \"2d\"\n",
       "a.toml:6:7: error: postgres.query.ttl = 2d is out of range; it takes 0s to 1d"},
      {"sql = \"SELECT 1\"\nprefix = \"1x\"\n",
       "a.toml:6:10: error: postgres.query.prefix: \"1x\" is no name of a metric: letters, digits, '_' and ':', no "
       "digit "
       "first"},
      {"sql = \"SELECT 1\"\ntimout = \"1s\"\n",
       "a.toml:6:1: error: unknown key postgres.query.timout; did you mean postgres.query.timeout?"},
      {"sql = \"SELECT 1\"\nscope = \"database\"\n",
       "a.toml:6:9: error: postgres.query.scope: each database answers, so the rows need a label datname; select "
       "current_database() AS datname"}};
  for (const auto& [text, problem] : table)
    EXPECT_THAT(problems_of("[[postgres.query]]\nname = \"n\"\n" + text + "[postgres.query.columns]\nv = \"gauge\"\n"),
                Contains(problem))
        << text;
}

TEST(CustomQueries, ColumnsAreRefusedWithPlaceAndWayOut) {
  const BadQuery table[] = {
      {"v = \"gage\"\n",
       "a.toml:7:5: error: postgres.query.columns.v: unknown value \"gage\"; one of label, counter, gauge, untyped, "
       "histogram, duration, discard"},
      {"\"max age\" = \"gauge\"\n",
       "a.toml:7:13: error: postgres.query.columns.max age: \"pg_n_max age\" is no name for a metric; give it one with "
       "metric"},
      {"\"max age\" = \"label\"\n",
       "a.toml:7:13: error: postgres.query.columns.max age: \"max age\" is no name for a label; give it one with "
       "label"},
      {"v = { use = \"label\", metric = \"x\" }\n",
       "a.toml:7:31: error: postgres.query.columns.v.metric: a label is no metric; name it with label"},
      {"v = { use = \"gauge\", label = \"x\" }\n",
       "a.toml:7:30: error: postgres.query.columns.v.label: only a column with use = \"label\" has a label"},
      {"v = { use = \"label\", label = \"__x\" }\n",
       "a.toml:7:30: error: postgres.query.columns.v.label: \"__x\" is no name of a label: letters, digits and '_', no "
       "digit first, no \"__\""},
      {"v = { use = \"histogram\", scale = -1 }\n",
       "a.toml:7:34: error: postgres.query.columns.v.scale of a histogram is more than 0"},
      {"v = { use = \"label\", values = { a = 1 } }\n",
       "a.toml:7:31: error: postgres.query.columns.v.values is for a gauge, counter or untyped"},
      {"v = { values = { a = \"one\" } }\n", "a.toml:7:22: error: postgres.query.columns.v.values.a takes a number"},
      {"v = { values = {} }\n", "a.toml:7:16: error: postgres.query.columns.v.values takes 1 to 1000 values"},
      {"v = { usage = \"gauge\" }\n",
       "a.toml:7:7: error: unknown key postgres.query.columns.v.usage; did you mean postgres.query.columns.v.use?"},
      {"v = { metric = \"x\" }\nw = { metric = \"x\" }\n", "a.toml:4:8: error: two columns of \"n\" are the metric x"},
      {"v = \"label\"\nw = { use = \"label\", label = \"v\" }\n",
       "a.toml:4:8: error: two columns of \"n\" are the label v"},
      {"", "a.toml:6:1: error: postgres.query.columns takes 1 to 200 columns"}};
  for (const auto& [text, problem] : table)
    EXPECT_THAT(problems_of("[[postgres.query]]\nname = \"n\"\nsql = \"SELECT 1\"\n[postgres.query.columns]\n" + text),
                Contains(problem))
        << text;
  EXPECT_THAT(problems_of("[[postgres.query]]\nname = \"n\"\nsql = \"SELECT 1\"\n"),
              ElementsAre("a.toml:3:1: error: postgres.query.columns is missing"));
}

std::string query_of(const std::string& name, const std::string& columns) {
  return "[[postgres.query]]\nname = \"" + name + "\"\nsql = \"SELECT 1\"\ncolumns = " + columns + "\n";
}

TEST(CustomQueries, NamesCollideNeitherWithEachOtherNorWithCollectors) {
  EXPECT_THAT(problems_of(query_of("n", "{ v = \"gauge\" }") + query_of("n", "{ w = \"gauge\" }")),
              ElementsAre("a.toml:8:8: error: two queries are called \"n\"; give each its own name"));
  EXPECT_THAT(problems_of(query_of("locks", "{ v = \"gauge\" }")),
              ElementsAre("a.toml:4:8: error: \"locks\" is a collector of the agent; call the query something else"));
  EXPECT_THAT(
      problems_of(query_of("Locks", "{ v = \"gauge\" }")),
      ElementsAre(
          "a.toml:4:8: error: postgres.query.name: takes 1 to 63 small letters, digits and '_', a letter first"));
  EXPECT_THAT(problems_of(query_of("n", "{ v = { metric = \"m\" } }") + query_of("o", "{ v = { metric = \"m\" } }")),
              IsEmpty());
  EXPECT_THAT(problems_of(query_of("n", "{ v = { metric = \"m\" } }") +
                          query_of("o", "{ v = { use = \"counter\", metric = \"m\" } }")),
              ElementsAre("a.toml:8:8: error: the metric m is a gauge of \"n\" and cannot be a counter here; choose "
                          "another name"));
}

TEST(CustomQueries, MetricsOfCollectorsThatAreOnCanBeSharedButNotChanged) {
  const auto own = query_of("n", "{ v = { use = \"counter\", metric = \"pg_locks_count\" } }");
  EXPECT_THAT(
      problems_of(own),
      ElementsAre("a.toml:4:8: error: the metric pg_locks_count is a gauge of \"locks\" and cannot be a counter "
                  "here; choose another name or set collectors.locks = false"));
  EXPECT_THAT(problems_of("collectors = { locks = false }\n" + own), IsEmpty());
  EXPECT_THAT(
      problems_of(query_of("n", "{ v = { metric = \"pg_locks_count\" } }")),
      ElementsAre("a.toml:4:8: warning: the metric pg_locks_count is shown by \"locks\" as well; choose another "
                  "name or set collectors.locks = false"));
  EXPECT_THAT(problems_of(query_of("n", "{ v = { metric = \"pg_up\" } }")),
              ElementsAre("a.toml:4:8: error: the metric pg_up tells about the agent itself; choose another name"));
  EXPECT_THAT(
      problems_of(query_of("n", "{ v = \"histogram\", v_sum = \"gauge\" }")),
      ElementsAre("a.toml:4:8: error: the metric pg_n_v_sum is a histogram of \"n\" and cannot be a gauge here; "
                  "choose another name"));
}

TEST(CustomQueries, OfAFileAreTakenWholeOrNotAtAll) {
  const test::TempDir directory;
  const auto path = write(directory, "q.yaml", "a:\n  query: SELECT 1 AS n\nb:\n  query: SELECT 2 AS n\n");
  const auto queries = good("queries_files = [\"" + path + "\"]\n");
  ASSERT_EQ(queries.size(), 2U);
  EXPECT_EQ(queries[1].name, "b");
  EXPECT_EQ(queries[1].place, path + ":3:1");
  EXPECT_EQ(queries[1].scope, sources::Scope::server);
  const auto bad = write(directory, "bad.yaml", "a:\n  query: SELECT 1 AS n\nb:\n  query: COPY t TO STDOUT\n");
  const auto config = parsed("queries_files = [\"" + bad + "\"]\n");
  ASSERT_EQ(config.problems.size(), 1U);
  EXPECT_THAT(describe(config.problems[0]), HasSubstr(bad + ":4:10: error: query b: the SQL has to begin"));
  EXPECT_THAT(config.config.postgres.at(0).custom, IsEmpty());
  EXPECT_THAT(problems_of("queries_files = [\"/nowhere.yaml\"]\n"),
              ElementsAre("/nowhere.yaml:1:1: error: cannot read /nowhere.yaml"));
}

TEST(CustomQueries, OfAFileCanBeForEveryDatabase) {
  const test::TempDir directory;
  const auto path =
      write(directory, "q.yaml", "a:\n  query: SELECT 1 AS n\n  master: true\nb:\n  query: SELECT 2 AS n\n");
  const auto queries = good("queries_files = [\"" + path + "\"]\nqueries_every_database = true\n");
  ASSERT_EQ(queries.size(), 2U);
  EXPECT_EQ(queries[0].scope, sources::Scope::server);
  EXPECT_EQ(queries[1].scope, sources::Scope::database);
}

TEST(CustomQueries, ComeWithTheExportersOwnVariables) {
  const test::TempDir directory;
  const auto path = write(directory, "q.yaml", "a:\n  query: SELECT 1 AS n\n");
  const auto config = parse_config("", "a.toml",
                                   variables({{"DATA_SOURCE_NAME", "host=h"},
                                              {"PG_EXPORTER_EXTEND_QUERY_PATH", path},
                                              {"PG_EXPORTER_AUTO_DISCOVER_DATABASES", "true"}}));
  EXPECT_THAT(config.problems, IsEmpty());
  ASSERT_EQ(config.config.postgres.at(0).custom.size(), 1U);
  EXPECT_EQ(config.config.postgres.at(0).custom[0].scope, sources::Scope::database);
  const auto lost = parse_config(
      "", "a.toml", variables({{"DATA_SOURCE_NAME", "host=h"}, {"PG_EXPORTER_EXTEND_QUERY_PATH", "/nowhere.yaml"}}));
  ASSERT_EQ(lost.problems.size(), 1U);
  EXPECT_TRUE(lost.problems[0].is_error);
}

}  // namespace
}  // namespace midst::app
