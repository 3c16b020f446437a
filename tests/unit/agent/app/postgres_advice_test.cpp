#include "agent/app/postgres_advice.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::app {
namespace {

using metrics::MetricType;

constexpr metrics::MetricSpec success{"pg_scrape_collector_success", MetricType::gauge, "", "."};
constexpr metrics::MetricSpec errors{"midst_pg_collector_errors_total", MetricType::counter, "", "."};
constexpr metrics::MetricSpec privilege{"midst_pg_privilege", MetricType::gauge, "", "."};

metrics::Exposition page_of(metrics::SnapshotBuilder& builder) {
  return metrics::merge({std::make_shared<const metrics::Snapshot>(builder.freeze())});
}

TEST(PostgresAdvice, NamesFailedCollectorsWithTheirReasonsAndTheGrant) {
  metrics::SnapshotBuilder builder;
  builder.add(success, {{"collector", "wal"}}, 0);
  builder.add(success, {{"collector", "locks"}}, 1);
  builder.add(errors, {{"collector", "wal"}, {"reason", "noperm"}}, 3);
  builder.add(errors, {{"collector", "locks"}, {"reason", "timeout"}}, 1);
  builder.add(privilege, {{"privilege", "pg_monitor"}, {"rolname", "odd \"role"}}, 0);
  EXPECT_THAT(
      postgres_advice(page_of(builder)),
      testing::ElementsAre("collector wal: noperm",
                           "the role sees little of others; as a superuser: GRANT pg_monitor TO \"odd \"\"role\";"));
}

TEST(PostgresAdvice, HasNothingToSayWhenAllIsWell) {
  metrics::SnapshotBuilder builder;
  builder.add(success, {{"collector", "wal"}}, 1);
  builder.add(privilege, {{"privilege", "pg_monitor"}, {"rolname", "agent"}}, 1);
  EXPECT_THAT(postgres_advice(page_of(builder)), testing::IsEmpty());
}

}  // namespace
}  // namespace midst::app
