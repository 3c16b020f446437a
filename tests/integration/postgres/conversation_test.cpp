// The Postgres source against a server that plays a part: versions that share transactions, roles that change, refused
// logins, answers that never come.
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/scripted_pg.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::PgAnswer;
using test::value_of;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

class PostgresConversation : public testing::Test {
 protected:
  /// Plays a server of that version; `special` answers statements that contain its keys, everything else has no rows.
  void play(const std::string& version) {
    server_ = std::make_unique<test::ScriptedPg>(
        io_, std::vector<std::pair<std::string, std::string>>{{"server_version", version}, {"client_encoding", "UTF8"}},
        [this](const std::string& sql) { return answer(sql); });
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(server_->dsn()).value();
    options.pace.sample_interval = 0s;
    CustomDefinition standby_only;
    standby_only.name = "standby_only";
    standby_only.sql = "SELECT 'of a standby' AS word";
    standby_only.role = Role::standby;
    options.custom = {standby_only};
    source_ = std::make_unique<PostgresSource>(io_.get_executor(), options);
  }

  PgAnswer answer(const std::string& sql) {
    for (const auto& [part, given] : special_)
      if (sql.find(part) != std::string::npos) return given;
    if (sql.find("AS conf_load_time") != std::string::npos)
      return PgAnswer::recorded(
          "version\tshort_version\tis_known\tprivilege\tis_granted\tis_standby\tserver_time\t"
          "conf_load_time\nPostgreSQL\t1.0.0\t1\tpg_monitor\tt\t" +
          role_ + "\t100\t1\n");
    if (sql.starts_with("SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) AS server_time"))
      return PgAnswer::recorded("server_time\n100.25\n");
    return {{"nothing"}, {}};
  }

  Result<Snapshot> scrape(std::chrono::milliseconds within = 5s) {
    auto result = test::run(io_, collected(*source_, std::chrono::steady_clock::now() + within));
    return std::move(result.front());
  }

  /// How many statements that contain `part` have been run since the last call.
  std::size_t asked(std::string_view part) {
    const auto& all = server_->executed();
    const auto count = std::count_if(all.begin() + static_cast<std::ptrdiff_t>(seen_), all.end(),
                                     [&](const std::string& sql) { return sql.find(part) != std::string::npos; });
    seen_ = all.size();
    return static_cast<std::size_t>(count);
  }

  static double success(const Snapshot& page, const std::string& collector) {
    return value_of(page, "pg_scrape_collector_success", {{"collector", collector}}).value_or(-1);
  }

  asio::io_context io_;
  std::map<std::string, PgAnswer> special_;
  std::string role_ = "f";
  std::size_t seen_ = 0;
  std::unique_ptr<test::ScriptedPg> server_;
  std::unique_ptr<PostgresSource> source_;
};

TEST_F(PostgresConversation, AFailureInASharedTransactionIsNotThatOfTheOthers) {
  special_["pg_catalog.pg_stat_bgwriter"] = PgAnswer::error("42501", "permission denied for view pg_stat_bgwriter");
  play("14.9");
  const auto page = scrape();
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(success(*page, "stat_bgwriter"), 0);
  for (const auto* name : {"stat_database", "stat_archiver", "stat_user_tables", "locks", "wal"})
    EXPECT_EQ(success(*page, name), 1) << name;
  EXPECT_EQ(value_of(*page, "midst_pg_collector_errors_total", {{"collector", "stat_bgwriter"}, {"reason", "noperm"}}),
            1);
  EXPECT_EQ(page->find("pg_scrape_collector_success")->values.size(),
            static_cast<std::size_t>(std::count_if(page->find("pg_scrape_collector_success")->values.begin(),
                                                   page->find("pg_scrape_collector_success")->values.end(),
                                                   [](double value) { return value == 1; })) +
                1);
}

TEST_F(PostgresConversation, APromotedServerIsPlannedAnew) {
  play("15.4");
  role_ = "t";
  ASSERT_TRUE(scrape());
  EXPECT_EQ(asked("of a standby"), 1U);
  role_ = "f";
  ASSERT_TRUE(scrape());  // notices
  std::ignore = asked("");
  ASSERT_TRUE(scrape());
  EXPECT_EQ(asked("of a standby"), 0U);
}

TEST_F(PostgresConversation, WhatTheServerWorkedIsCounted) {
  play("16.2");
  ASSERT_TRUE(scrape());
  const auto page = scrape();
  ASSERT_TRUE(page);
  EXPECT_EQ(value_of(*page, "midst_pg_backend_seconds_total", {}), 0.5);  // two pipelines of a quarter
}

TEST_F(PostgresConversation, AFullServerIsALimitAndAnAnswerThatNeverComesATimeout) {
  play("17.0");
  server_->refuse_logins("53300", "sorry, too many clients already");
  auto page = scrape();
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::limit);
  server_->refuse_logins("", "");
  special_["pg_catalog.pg_locks"].hangs = true;
  ASSERT_TRUE(test::run_until(io_, [&] {
    page = scrape(300ms);
    return page.has_error() && page.error().code == Errc::timeout;
  }));
  special_.clear();
  EXPECT_TRUE(test::run_until(io_, [&] { return scrape(2s).has_value(); }));
}

TEST_F(PostgresConversation, CollectorsOfAnotherVersionAreNeitherAskedNorReported) {
  play("12.22");
  const auto page = scrape();
  ASSERT_TRUE(page);
  EXPECT_EQ(success(*page, "stat_checkpointer"), -1);
  EXPECT_EQ(asked("FROM pg_catalog.pg_stat_checkpointer"), 0U);
  play("17.2");
  seen_ = 0;
  EXPECT_EQ(success(*scrape(), "stat_checkpointer"), 1);
}

TEST_F(PostgresConversation, ADatabaseThatHangsCostsItselfAndNoOther) {
  special_["has_database_privilege(d.oid, 'CONNECT')"] =
      PgAnswer::recorded("datname\tis_connected\npostgres\tt\ngood\tf\nhung\tf\n");
  special_["FROM pg_catalog.pg_stat_user_tables"] =
      PgAnswer::recorded("datname\tschemaname\trelname\tseq_scan\ngood\tpublic\torders\t7\n");
  play("15.4");
  server_->hang_logins_to("hung");
  ASSERT_TRUE(scrape());
  const auto began = std::chrono::steady_clock::now();
  const auto page = scrape(2s);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1900ms);
  EXPECT_EQ(value_of(*page, "midst_pg_database_up", {{"datname", "good"}}), 1);
  EXPECT_EQ(value_of(*page, "midst_pg_database_up", {{"datname", "hung"}}), 0);
  EXPECT_EQ(value_of(*page, "midst_pg_database_errors_total", {{"reason", "timeout"}}), 1);
  EXPECT_EQ(success(*page, "stat_database"), 1);
  EXPECT_EQ(success(*page, "stat_user_tables"), 0);
}

}  // namespace
}  // namespace midst::sources
