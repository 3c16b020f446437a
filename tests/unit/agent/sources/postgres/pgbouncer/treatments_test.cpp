// What becomes of many pools, users and clients, and of settings that are words.
#include "agent/sources/postgres/pgbouncer/treatments.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"
#include "lib/metrics/encode.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

const Deadline start{};

/// One command of the catalogue with its treatment, fed with recorded rows.
class Fed {
 public:
  Fed(std::string_view command, const Limits& limits) {
    for (const auto& of : pgbouncer_catalog())
      if (of.name == command) collector_ = &of;
    treatment_ = collector_->make_treatment(limits);
  }

  Interpretation take(std::string_view text, Deadline now = start) {
    const test::RecordedRows rows(text);
    const auto view = rows.view();
    const auto* const query = &collector_->queries.front();
    return treatment_->take(std::span(&query, 1), std::span(&view, 1), now);
  }

  /// @return the samples of one family, one line each.
  [[nodiscard]] std::vector<std::string> lines(std::string_view family) const {
    metrics::SnapshotBuilder builder;
    treatment_->add({}, builder);
    const auto text = metrics::encode(metrics::merge({std::make_shared<const metrics::Snapshot>(builder.freeze())}),
                                      metrics::Format::text);
    std::vector<std::string> found;
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);)
      if (line.starts_with(std::string(family) + "{") || line.starts_with(std::string(family) + " "))
        found.push_back(line.substr(family.size()));
    return found;
  }

 private:
  const Collector* collector_ = nullptr;
  std::unique_ptr<Treatment> treatment_;
};

Limits limited(std::size_t most) {
  Limits limits;
  limits.pools = limits.pool_users = limits.pool_clients = most;
  return limits;
}

constexpr std::string_view pools_header =
    "database\tuser\tcl_active\tcl_waiting\tsv_active\tsv_idle\tmaxwait\tmaxwait_us\tpool_mode\n";

TEST(PoolsTreatment, TheRestIsSummedUpWithItsLongestWait) {
  Fed pools("pools", limited(1));
  pools.take(std::string(pools_header) +
             "a\tu\t5\t1\t3\t0\t0\t500000\tsession\n"
             "b\tu\t1\t0\t1\t2\t0\t900000\tsession\n"
             "c\tu\t2\t0\t1\t1\t1\t200000\tsession\n");
  EXPECT_THAT(pools.lines("pgbouncer_pools_client_active_connections"),
              ElementsAre("{database=\"a\",user=\"u\"} 5", "{database=\"_other\",user=\"_other\"} 3"));
  EXPECT_THAT(pools.lines("pgbouncer_pools_server_idle_connections"),
              ElementsAre("{database=\"a\",user=\"u\"} 0", "{database=\"_other\",user=\"_other\"} 3"));
  EXPECT_THAT(pools.lines("pgbouncer_pools_client_maxwait_seconds"),
              ElementsAre("{database=\"a\",user=\"u\"} 0.5", "{database=\"_other\",user=\"_other\"} 1.2"));
  EXPECT_THAT(pools.lines("pgbouncer_pools_info"), ElementsAre("{database=\"a\",pool_mode=\"session\",user=\"u\"} 1"));
}

TEST(PoolsTreatment, AtTheLimitEveryPoolHasItsSeries) {
  Fed pools("pools", limited(2));
  pools.take(std::string(pools_header) + "a\tu\t0\t0\t0\t0\t0\t0\tsession\nb\tu\t1\t0\t1\t2\t0\t0\tsession\n");
  EXPECT_THAT(pools.lines("pgbouncer_pools_client_active_connections"),
              ElementsAre("{database=\"a\",user=\"u\"} 0", "{database=\"b\",user=\"u\"} 1"));
}

TEST(PoolsTreatment, IdlePoolsAreLeftOutIfSoWished) {
  auto limits = limited(0);
  limits.has_idle_pools = false;
  Fed pools("pools", limits);
  pools.take(std::string(pools_header) +
             "a\tu\t0\t0\t0\t0\t0\t0\tsession\nb\tu\t0\t0\t0\t1\t0\t0\tsession\nc\tu\t1\t0\t0\t0\t0\t0\tsession\n");
  EXPECT_THAT(pools.lines("pgbouncer_pools_client_active_connections"),
              ElementsAre("{database=\"b\",user=\"u\"} 0", "{database=\"c\",user=\"u\"} 1"));
}

TEST(PoolsTreatment, OneThatWasChosenStaysForAWhileUnlessAnotherHasClientsWaiting) {
  Fed pools("pools", limited(1));
  const auto page = [&](std::string_view a, std::string_view b, Deadline now) {
    pools.take(std::string(pools_header) + "a\tu\t" + std::string(a) + "\nb\tu\t" + std::string(b) + "\n", now);
    return pools.lines("pgbouncer_pools_client_active_connections").front();
  };
  EXPECT_EQ(page("5\t0\t5\t0\t0\t0\ts", "1\t0\t1\t0\t0\t0\ts", start), "{database=\"a\",user=\"u\"} 5");
  EXPECT_EQ(page("1\t0\t1\t0\t0\t0\ts", "9\t0\t9\t0\t0\t0\ts", start + 9min), "{database=\"a\",user=\"u\"} 1");
  EXPECT_EQ(page("1\t0\t1\t0\t0\t0\ts", "9\t1\t9\t0\t0\t0\ts", start + 9min), "{database=\"b\",user=\"u\"} 9");
  EXPECT_EQ(page("1\t0\t1\t0\t0\t0\ts", "0\t0\t0\t0\t0\t0\ts", start + 20min), "{database=\"a\",user=\"u\"} 1");
}

TEST(PoolsTreatment, NullAndBrokenTextIsNoNumberAndInvalidUtf8IsReplaced) {
  Fed pools("pools", limited(0));
  const auto read = pools.take(std::string(pools_header) + "a\xff\t\\N\t\\N\tmany\t1\t0\t0\t0\tsession\n");
  EXPECT_EQ(read.unreadable, 1U);
  EXPECT_THAT(pools.lines("pgbouncer_pools_server_active_connections"),
              ElementsAre("{database=\"a\xef\xbf\xbd\",user=\"\"} 1"));
  EXPECT_THAT(pools.lines("pgbouncer_pools_client_active_connections"), IsEmpty());
}

TEST(UsersTreatment, PaddedAndMissingSettingsAreReadAsMeant) {
  Fed users("users", limited(1));
  const auto read = users.take(
      "name\tpool_size\treserve_pool_size\tpool_mode\tmax_user_connections\tcurrent_connections\t"
      "max_user_client_connections\tcurrent_client_connections\n"
      "a\t       12\t\t\\N\t0\t3\t0\t4\nb\t\t\t\\N\t7\t1\t9\t1\nc\t\t\t\\N\t7\t1\t9\t1\n");
  EXPECT_EQ(read.unreadable, 0U);
  EXPECT_THAT(users.lines("pgbouncer_users_pool_size"), ElementsAre("{user=\"a\"} 12"));
  EXPECT_THAT(users.lines("pgbouncer_users_reserve_pool_size"), IsEmpty());
  EXPECT_THAT(users.lines("pgbouncer_users_max_connections"), ElementsAre("{user=\"a\"} 0"));
  EXPECT_THAT(users.lines("pgbouncer_users_current_connections"), ElementsAre("{user=\"a\"} 3", "{user=\"_other\"} 2"));
}

TEST(ClientsTreatment, GroupsBeyondTheLimitAreOneForEachState) {
  Fed clients("clients", limited(1));
  clients.take(
      "type\tuser\tdatabase\tstate\tapplication_name\ttls\n"
      "C\tu\td\tactive\tweb\t\nC\tu\td\tactive\tweb\tTLSv1."
      "3\nC\tu\td\twaiting\tweb\t\nC\tv\te\tactive\t\\N\t\nC\tw\te\tactive\tx\t\n");
  EXPECT_THAT(clients.lines("pgbouncer_client_connections"),
              ElementsAre("{application_name=\"_other\",database=\"_other\",state=\"active\",user=\"_other\"} 2",
                          "{application_name=\"_other\",database=\"_other\",state=\"waiting\",user=\"_other\"} 1",
                          "{application_name=\"web\",database=\"d\",state=\"active\",user=\"u\"} 2"));
  EXPECT_THAT(clients.lines("pgbouncer_client_tls_connections"),
              ElementsAre("{database=\"_other\",user=\"_other\"} 0", "{database=\"d\",user=\"u\"} 1"));
}

TEST(ClientsTreatment, NobodyConnectedIsNoSeriesAndTheNextAnswerReplacesTheLast) {
  Fed clients("clients", limited(0));
  clients.take("user\tdatabase\tstate\nu\td\tactive\n");
  EXPECT_THAT(clients.lines("pgbouncer_client_connections"),
              ElementsAre("{application_name=\"\",database=\"d\",state=\"active\",user=\"u\"} 1"));
  clients.take("user\tdatabase\tstate\n");
  EXPECT_THAT(clients.lines("pgbouncer_client_connections"), IsEmpty());
}

TEST(ConfigTreatment, WordsAreLabelsAndWhatIsNotNamedIsNotShown) {
  Fed config("config", limited(0));
  const auto read = config.take(
      "key\tvalue\tdefault\tchangeable\nmax_client_conn\t10\t100\tyes\npool_mode\tsession\t\tyes\n"
      "auth_query\tSELECT secret\t\tyes\nquery_timeout\tsoon\t0\tyes\nlisten_backlog\t\\N\t\tno\n");
  EXPECT_EQ(read.unreadable, 1U);
  EXPECT_THAT(config.lines("pgbouncer_config_max_client_connections"), ElementsAre(" 10"));
  EXPECT_THAT(config.lines("pgbouncer_config_info"), ElementsAre("{pool_mode=\"session\"} 1"));
}

TEST(StateTreatment, YesAndNoAreNumbers) {
  Fed state("state", limited(0));
  state.take("key\tvalue\nactive\tno\npaused\tyes\nsuspended\tno\n");
  EXPECT_THAT(state.lines("pgbouncer_paused"), ElementsAre(" 1"));
  EXPECT_THAT(state.lines("pgbouncer_active"), ElementsAre(" 0"));
}

TEST(AnyTreatment, AnAnswerWithoutColumnsIsEmpty) {
  for (const auto& command : pgbouncer_catalog()) {
    if (command.make_treatment == nullptr) continue;
    Fed fed(command.name, limited(1));
    fed.take("\n\n\n");
    EXPECT_EQ(fed.take("").unreadable, 0U) << command.name;
  }
}

}  // namespace
}  // namespace midst::sources
