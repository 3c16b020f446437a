#include "agent/app/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

ParsedConfig parsed(std::string_view toml) {
  return parse_config(toml, "a.toml", Environment::Variables{});
}

Config good(std::string_view toml) {
  auto result = parsed(toml);
  for (const auto& problem : result.problems) ADD_FAILURE() << describe(problem);
  return std::move(result.config);
}

std::vector<std::string> problems_of(std::string_view toml) {
  std::vector<std::string> lines;
  for (const auto& problem : parsed(toml).problems) lines.push_back(describe(problem));
  return lines;
}

TEST(PgbouncerConfig, TakesEverySetting) {
  const auto config = good(R"(
[[postgres]]
name = "db"
dsn = "host=a"
[[postgres]]
name = "other"
dsn = "host=b"
[[pgbouncer]]
name = "edge"
dsn = "host=c"
retry_refused_after = "1h"
idle_pools = false
max_pools = 0
max_users = 3
max_clients = 4
hold = "0s"
pid_file = "/run/pgbouncer/pgbouncer.pid"
postgres = "other"
postgres_databases = ["shop*"]
[pgbouncer.collectors]
clients = false
[pgbouncer.ttl]
config = "5m"
pools = "0s"
)");
  const auto& options = config.pgbouncer.at(0);
  EXPECT_EQ(options.refused_retry, 1h);
  EXPECT_FALSE(options.limits.has_idle_pools);
  EXPECT_EQ(options.limits.pools, 0);
  EXPECT_EQ(options.limits.pool_users, 3);
  EXPECT_EQ(options.limits.pool_clients, 4);
  EXPECT_EQ(options.limits.hold, 0ms);
  EXPECT_EQ(options.pid_file, "/run/pgbouncer/pgbouncer.pid");
  EXPECT_EQ(options.postgres, "other");
  EXPECT_TRUE(options.is_postgres_named);
  EXPECT_THAT(options.postgres_databases, ElementsAre("shop*"));
  EXPECT_THAT(options.collectors, ElementsAre(Pair("clients", false)));
  EXPECT_THAT(options.ttl, ElementsAre(Pair("config", 5min), Pair("pools", 0ms)));
}

TEST(PgbouncerConfig, TheOnlyPostgresIsTheOneBehindIt) {
  const auto one = good("[[postgres]]\nname = \"db\"\ndsn = \"host=a\"\n[[pgbouncer]]\ndsn = \"host=c\"\n");
  EXPECT_EQ(one.pgbouncer.at(0).postgres, "db");
  EXPECT_FALSE(one.pgbouncer.at(0).is_postgres_named);
  const auto two = good(
      "[[postgres]]\nname = \"a\"\ndsn = \"host=a\"\n[[postgres]]\nname = \"b\"\ndsn = \"host=b\"\n[[pgbouncer]]\ndsn "
      "= "
      "\"host=c\"\n");
  EXPECT_EQ(two.pgbouncer.at(0).postgres, "");
  EXPECT_EQ(good("[[pgbouncer]]\ndsn = \"host=c\"\n").pgbouncer.at(0).postgres, "");
}

TEST(PgbouncerConfig, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(
      problems_of("[[pgbouncer]]\ndsn = \"host=c\"\npostgres = \"db\"\n"),
      ElementsAre("configuration: error: pgbouncer.postgres of \"main\" names \"db\"; there is no [[postgres]] of "
                  "that name"));
  EXPECT_THAT(problems_of("[[pgbouncer]]\ndsn = \"host=c\"\n[pgbouncer.ttl]\npools = \"25h\"\n"),
              ElementsAre(testing::HasSubstr("a.toml:4:9: error: pgbouncer.ttl.pools")));
  EXPECT_THAT(problems_of("[[pgbouncer]]\ndsn = \"host=c\"\n[pgbouncer.collectors]\nclient = false\n"),
              ElementsAre(testing::HasSubstr("clients")));
  EXPECT_THAT(problems_of("[[pgbouncer]]\ndsn = \"host=c\"\nretry_refused_after = \"0s\"\n"),
              ElementsAre(testing::HasSubstr("pgbouncer.retry_refused_after")));
}

}  // namespace
}  // namespace midst::app
