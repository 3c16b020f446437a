#include "agent/sources/postgres/pgbouncer/saturation.hpp"

#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<std::string> all_databases{"*"};

class SaturationTest : public testing::Test {
 protected:
  void take(std::string_view collector, std::string_view text) {
    const test::RecordedRows rows(text);
    saturation_.take(collector, rows.view());
  }

  [[nodiscard]] std::vector<double> values(std::string_view family) const {
    metrics::SnapshotBuilder builder;
    saturation_.add_pools(builder);
    return values_of(builder, family);
  }

  [[nodiscard]] std::vector<double> values(std::string_view family, const ConnectionLimits& limits,
                                           bool is_named = false,
                                           const std::vector<std::string>& databases = all_databases) const {
    metrics::SnapshotBuilder builder;
    saturation_.add_server({"db", is_named, databases}, limits, builder);
    return values_of(builder, family);
  }

  [[nodiscard]] static std::vector<double> values_of(metrics::SnapshotBuilder& builder, std::string_view family) {
    const auto page = builder.freeze();
    const auto* const found = page.find(family);
    if (found == nullptr) return {};
    return {found->values.begin(), found->values.end()};
  }

  Saturation saturation_{1000, true};
};

constexpr std::string_view ratio = "midst_pgbouncer_pool_saturation_ratio";
constexpr std::string_view limit = "midst_pgbouncer_pool_limit_connections";
constexpr std::string_view connections = "midst_pgbouncer_postgres_connections_ratio";
constexpr std::string_view demand = "midst_pgbouncer_postgres_demand_ratio";

constexpr std::string_view pools =
    "database\tuser\tcl_active\tcl_waiting\tsv_active\tsv_idle\tsv_used\tsv_tested\tsv_login\n"
    "pgbouncer\tpgbouncer\t1\t0\t0\t0\t0\t0\t0\n"
    "a\tu\t9\t1\t6\t2\t1\t1\t1\n"
    "a\tv\t1\t0\t1\t0\t0\t0\t0\n"
    "b\tu\t0\t0\t0\t0\t0\t0\t0\n";
constexpr std::string_view databases =
    "name\thost\tport\tpool_size\treserve_pool\tmax_connections\tcurrent_connections\n"
    "pgbouncer\t\\N\t6432\t2\t0\t0\t0\n"
    "a\th\t5432\t10\t6\t0\t12\n"
    "b\th\t5432\t10\t6\t0\t0\n";

TEST_F(SaturationTest, IsServersInUseBySizeAndReserve) {
  take("pools", pools);
  take("databases", databases);
  EXPECT_THAT(values(ratio), ElementsAre(0.5, 1.0 / 16, 0));
  EXPECT_THAT(values(limit), ElementsAre(16, 16, 16));
}

TEST_F(SaturationTest, IsTheNearestOfAllLimits) {
  take("pools", pools);
  take("databases",
       "name\thost\tport\tpool_size\treserve_pool_size\tmax_connections\tcurrent_connections\n"
       "a\th\t5432\t10\t6\t12\t12\nb\th\t5432\t10\t6\t0\t0\n");
  EXPECT_THAT(values(ratio), ElementsAre(0.75, 0.75, 0));
  EXPECT_THAT(values(limit), ElementsAre(12, 12, 16));
  take("config", "key\tvalue\nmax_user_connections\t10\n");
  EXPECT_THAT(values(ratio), ElementsAre(0.8, 0.8, 0.75));
  take("users", "name\tpool_size\tmax_user_connections\nu\t        8\t0\nv\t\t1\n");
  EXPECT_THAT(values(ratio), ElementsAre(1, 0.75, 0));
}

TEST_F(SaturationTest, IsUnknownWithoutPoolsOrDatabases) {
  take("pools", pools);
  EXPECT_THAT(values(ratio), IsEmpty());
  take("databases", databases);
  saturation_.forget("pools");
  EXPECT_THAT(values(ratio), IsEmpty());
}

TEST_F(SaturationTest, BeyondTheLimitTheRestHasItsHighest) {
  saturation_ = Saturation(1, true);
  take("pools", pools);
  take("databases", databases);
  EXPECT_THAT(values(ratio), ElementsAre(0.5, 1.0 / 16));
  EXPECT_THAT(values(limit), ElementsAre(16));
  saturation_ = Saturation(0, false);
  take("pools", pools);
  take("databases", databases);
  EXPECT_THAT(values(ratio), ElementsAre(0.5, 1.0 / 16));
}

TEST_F(SaturationTest, ComparesWithWhatTheServerGrants) {
  take("pools", pools);
  take("databases", databases);
  const ConnectionLimits limits{100, 3, 1, {}};
  EXPECT_THAT(values(connections, limits), ElementsAre(12.0 / 96));
  EXPECT_THAT(values(demand, limits), ElementsAre(48.0 / 96));
  take("config", "key\tvalue\nmax_user_connections\t20\n");
  EXPECT_THAT(values(demand, limits), ElementsAre(36.0 / 96));
  EXPECT_THAT(values(connections, limits, true, {"b*"}), ElementsAre(0));
  EXPECT_THAT(values(connections, limits, true, {"none"}), IsEmpty());
  EXPECT_THAT(values(connections, ConnectionLimits{3, 3, 0, {}}), IsEmpty());
}

TEST_F(SaturationTest, DatabasesOnSeveralServersGiveNoFigureUnlessOneIsNamed) {
  take("pools", pools);
  take("databases",
       "name\thost\tport\tpool_size\treserve_pool\tmax_connections\tcurrent_connections\n"
       "a\th\t5432\t10\t0\t0\t12\nb\tother\t5432\t10\t0\t0\t4\n");
  const ConnectionLimits limits{100, 0, 0, {}};
  EXPECT_THAT(values(connections, limits), IsEmpty());
  EXPECT_THAT(values(connections, limits, true), ElementsAre(0.16));
  EXPECT_THAT(values(connections, limits, true, {"a"}), ElementsAre(0.12));
}

TEST(ServerLimits, AreToldWhileTheyAreFresh) {
  ServerLimits limits;
  const Deadline now{};
  limits.set("db", {100, 3, 0, now});
  ASSERT_TRUE(limits.find("db", now + 5min));
  EXPECT_EQ(limits.find("db", now + 5min)->available(), 97);
  EXPECT_FALSE(limits.find("db", now + 5min + 1ns));
  EXPECT_FALSE(limits.find("other", now));
  limits.forget("db");
  EXPECT_FALSE(limits.find("db", now));
}

}  // namespace
}  // namespace midst::sources
