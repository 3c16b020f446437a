// lib/pq/pool against a real Postgres 15: bound, queue, time-outs, and that no connection is ever lost.
#include "lib/pq/pool.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <tuple>

namespace midst::pq {
namespace {

using namespace std::chrono_literals;

Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

class PqPool : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<test::PostgresServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

  std::unique_ptr<Pool> pool(PoolOptions options) {
    auto target = parse_conninfo(server_->dsn()).value();
    // Backends of earlier tests may still be on their way out.
    target.set("application_name", testing::UnitTest::GetInstance()->current_test_info()->name());
    return std::make_unique<Pool>(io_.get_executor(), target, ConnectionOptions{}, options);
  }

  /// Begins a query; its outcome goes to ended_ under this number: the first cell or the word of the failure.
  void begin(Pool& pool, int number, std::string text, std::chrono::milliseconds time = 10s) {
    Statement statement;
    statement.sql = std::move(text);
    std::vector<Statement> statements{statement};
    asio::co_spawn(io_, pool.pipeline(std::move(statements), in(time)),
                   [this, number](std::exception_ptr, Result<std::vector<Rows>> rows) {
                     ended_.emplace_back(
                         number, rows ? std::string(rows->front().text(0, 0)) : std::string(word(rows.error().code)));
                   });
  }

  bool wait_for(std::size_t count) {
    return test::run_until(io_, [this, count] { return ended_.size() >= count; });
  }

  static inline std::unique_ptr<test::PostgresServer> server_;
  asio::io_context io_;
  std::vector<std::pair<int, std::string>> ended_;
};

using testing::ElementsAre;
using testing::Pair;

testing::Matcher<PoolCounters> counts(std::size_t idle, std::size_t busy, std::size_t waiting) {
  return testing::AllOf(testing::Field(&PoolCounters::idle, idle), testing::Field(&PoolCounters::busy, busy),
                        testing::Field(&PoolCounters::waiting_callers, waiting));
}

TEST_F(PqPool, MakesConnectionsOnDemandAndKeepsThem) {
  const auto one = pool({.size = 3});
  EXPECT_THAT(one->counters(), counts(0, 0, 0));
  begin(*one, 1, "SELECT pg_backend_pid()");
  ASSERT_TRUE(wait_for(1));
  begin(*one, 2, "SELECT pg_backend_pid()");
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(ended_[0].second, ended_[1].second);
  EXPECT_THAT(one->counters(), counts(1, 0, 0));
}

TEST_F(PqPool, NeverOpensMoreThanItsSize) {
  const auto two = pool({.size = 2, .acquire_timeout = 10s});
  for (int i = 0; i < 20; ++i)
    begin(*two, i,
          "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')");
  io_.poll();
  EXPECT_THAT(two->counters(), counts(0, 2, 18));
  ASSERT_TRUE(wait_for(20));
  for (const auto& [number, connections] : ended_) EXPECT_THAT(connections, testing::AnyOf("1", "2")) << number;
  EXPECT_THAT(two->counters(), counts(2, 0, 0));
}

TEST_F(PqPool, HandsAConnectionToTheFirstInTheQueueAndNotToANewcomer) {
  const auto one = pool({.size = 1, .acquire_timeout = 10s});
  begin(*one, 1, "SELECT pg_sleep(0.05)");
  begin(*one, 2, "SELECT 2");
  begin(*one, 3, "SELECT 3");
  ASSERT_TRUE(wait_for(1));
  begin(*one, 4, "SELECT 4");
  ASSERT_TRUE(wait_for(4));
  EXPECT_THAT(ended_, ElementsAre(Pair(1, ""), Pair(2, "2"), Pair(3, "3"), Pair(4, "4")));
}

TEST_F(PqPool, RefusesOneMoreThanItsQueueHolds) {
  const auto one = pool({.size = 1, .max_waiting = 2, .acquire_timeout = 10s});
  begin(*one, 1, "SELECT pg_sleep(0.05)");
  begin(*one, 2, "SELECT 2");
  begin(*one, 3, "SELECT 3");
  begin(*one, 4, "SELECT 4");
  ASSERT_TRUE(wait_for(4));
  EXPECT_THAT(ended_, ElementsAre(Pair(4, "limit"), Pair(1, ""), Pair(2, "2"), Pair(3, "3")));
}

TEST_F(PqPool, GivesUpAfterTheAcquireTimeoutAndAtTheDeadline) {
  const auto one = pool({.size = 1, .acquire_timeout = 100ms});
  begin(*one, 1, "SELECT pg_sleep(1)");
  begin(*one, 2, "SELECT 2");
  begin(*one, 3, "SELECT 3", 30ms);
  ASSERT_TRUE(wait_for(3));
  EXPECT_THAT(ended_, ElementsAre(Pair(3, "timeout"), Pair(2, "timeout"), Pair(1, "")));
  EXPECT_THAT(one->counters(), counts(1, 0, 0));
}

asio::awaitable<void> give_up_early(Pool& pool, std::vector<Statement> statements, Deadline deadline) {
  auto work = pool.pipeline(std::move(statements), in(60s));
  std::ignore = co_await with_deadline(std::move(work), deadline);
}

TEST_F(PqPool, TakesAConnectionBackFromACancelledCaller) {
  const auto one = pool({.size = 1, .acquire_timeout = 10s});
  Statement sleep;
  sleep.sql = "SELECT pg_sleep(30)";
  const std::vector<Statement> statements{sleep};
  test::run(io_, give_up_early(*one, statements, in(100ms)));
  EXPECT_THAT(one->counters(), counts(1, 0, 0));
  begin(*one, 1, "SELECT pg_sleep(1)");
  test::run(io_, give_up_early(*one, statements, in(50ms)));  // cancelled in the queue
  EXPECT_THAT(one->counters(), counts(0, 1, 0));
  begin(*one, 2, "SELECT 2");
  ASSERT_TRUE(wait_for(2));
  EXPECT_THAT(ended_, ElementsAre(Pair(1, ""), Pair(2, "2")));
}

TEST_F(PqPool, PassesAFailureOnAndGoesOnServing) {
  const auto one = pool({.size = 1});
  begin(*one, 1, "SELECT pg_terminate_backend(pg_backend_pid())");
  ASSERT_TRUE(wait_for(1));
  begin(*one, 2, "SELECT 2");
  ASSERT_TRUE(wait_for(2));
  EXPECT_THAT(ended_, ElementsAre(Pair(1, "closed"), Pair(2, "2")));
}

TEST_F(PqPool, CanBeDroppedWithCallersInIt) {
  auto one = pool({.size = 1, .acquire_timeout = 200ms});
  begin(*one, 1, "SELECT pg_sleep(30)");
  begin(*one, 2, "SELECT pg_sleep(30)", 100ms);
  io_.run_for(50ms);
  one.reset();
  ASSERT_TRUE(wait_for(2));
  EXPECT_THAT(ended_, testing::UnorderedElementsAre(Pair(1, "closed"), Pair(2, testing::AnyOf("closed", "timeout"))));
}

}  // namespace
}  // namespace midst::pq
