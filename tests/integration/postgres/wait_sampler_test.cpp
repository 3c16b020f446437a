// The wait sampler over the connection of the scrapes: sees what no scrape sees, and gets into nobody's way.
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/counting_proxy.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::value_of;

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

struct Sampled {
  Sampled(const test::PostgresServer& server, std::chrono::milliseconds interval, bool has_proxy = false) {
    if (has_proxy) proxy = std::make_unique<test::CountingProxy>(io, server.port());
    PostgresOptions options;
    options.conninfo = pq::parse_conninfo(server.dsn()).value();
    if (proxy) options.conninfo.set("port", std::to_string(proxy->port()));
    options.pace.sample_interval = interval;
    options.databases.include.clear();
    source = std::make_unique<PostgresSource>(io.get_executor(), options);
  }
  Result<Snapshot> scrape(std::chrono::milliseconds within = 10s) {
    auto result = test::run(io, collected(*source, std::chrono::steady_clock::now() + within));
    return std::move(result.front());
  }
  double ticks() { return value_of(*scrape(), "pg_ash_ticks_total", {}).value_or(0); }

  asio::io_context io;
  std::unique_ptr<test::CountingProxy> proxy;
  std::unique_ptr<PostgresSource> source;
};

TEST(PostgresWaitSampler, SeesALockWaitBetweenTwoScrapes) {
  const test::PostgresServer server;
  server.sql("CREATE TABLE t (id int)");
  Sampled target(server, 100ms);
  ASSERT_TRUE(target.scrape());
  const test::Labels lock{{"datname", "postgres"},
                          {"backend_type", "client backend"},
                          {"wait_event_type", "Lock"},
                          {"wait_event", "relation"}};
  {
    // Both end by themselves well within the scrape's absence.
    const test::Process holder({"psql", "-X", "-c", "BEGIN; LOCK t; SELECT pg_sleep(2); COMMIT", server.dsn()},
                               server.directory() / "holder.log", false);
    ASSERT_TRUE(test::run_until(target.io, [&] {
      return server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted") == "1\n";
    }));
    test::Process waiter({"psql", "-X", "-c", "SELECT count(*) FROM t", server.dsn()},
                         server.directory() / "waiter.log", false);
    ASSERT_TRUE(test::run_until(
        target.io, [&] { return !waiter.is_running(); }, 20s));
  }
  (void)target.scrape();  // a new series begins at 0
  const auto page = target.scrape();
  ASSERT_TRUE(page);
  EXPECT_GE(value_of(*page, "pg_ash_samples_total", lock).value_or(0), 5);
  EXPECT_EQ(value_of(*page, "pg_stat_activity_count",
                     {{"datname", "postgres"},
                      {"state", "active"},
                      {"usename", ""},
                      {"application_name", ""},
                      {"backend_type", ""},
                      {"wait_event_type", ""},
                      {"wait_event", ""}}),
            0);
}

TEST(PostgresWaitSampler, LooksOverTheOneConnectionAndStopsWithIt) {
  test::PostgresServer server;
  Sampled target(server, 100ms);
  ASSERT_TRUE(target.scrape());
  const auto first = target.ticks();
  ASSERT_TRUE(test::run_until(target.io, [&] { return target.ticks() >= first + 3; }));
  EXPECT_EQ(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'midst-agent'"), "1\n");
  server.kill();
  EXPECT_FALSE(target.scrape());
  const auto before = server.port();
  ASSERT_TRUE(test::run_until(target.io, [&] { return target.scrape(1s).has_error(); }));
  server.start();
  EXPECT_EQ(server.port(), before);
  ASSERT_TRUE(test::run_until(
      target.io, [&] { return target.scrape(2s).has_value(); }, 20s));
  EXPECT_GT(value_of(*target.scrape(), "pg_ash_missed_ticks_total", {}).value_or(0), 0);
}

TEST(PostgresWaitSampler, IsOffWithoutAnInterval) {
  const test::PostgresServer server;
  Sampled target(server, 0ms);
  (void)target.scrape();
  EXPECT_EQ(target.scrape()->find("pg_ash_ticks_total"), nullptr);
}

TEST(PostgresWaitSampler, AHungLookHoldsAScrapeForItsOwnDeadlineAtMost) {
  const test::PostgresServer server;
  Sampled target(server, 100ms, true);
  ASSERT_TRUE(target.scrape());
  target.proxy->freeze();
  std::ignore = test::run_until(
      target.io, [] { return false; }, 300ms);  // a look is under way now
  const auto began = std::chrono::steady_clock::now();
  const auto scraped = target.scrape(4s);
  ASSERT_FALSE(scraped);
  EXPECT_EQ(scraped.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 6s);
  target.proxy->thaw();
  EXPECT_TRUE(test::run_until(
      target.io, [&] { return target.scrape(2s).has_value(); }, 20s));
}

}  // namespace
}  // namespace midst::sources
