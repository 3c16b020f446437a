// lib/pq against a real Postgres 15: pipelines, their isolation, bounds, round trips.
#include "lib/pq/connection.hpp"
#include "tests/support/counting_proxy.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <memory>

namespace midst::pq {
namespace {

using namespace std::chrono_literals;
using test::run;

Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

Statement sql(std::string text) {
  Statement statement;
  statement.sql = std::move(text);
  return statement;
}

Statement prepared(std::string name, std::string text, std::vector<std::optional<std::string>> parameters = {}) {
  auto statement = sql(std::move(text));
  statement.prepared_name = std::move(name);
  statement.parameters = std::move(parameters);
  return statement;
}

Statement bounded(std::string text, std::chrono::milliseconds statement_timeout,
                  std::chrono::milliseconds lock_timeout = 0ms) {
  auto statement = sql(std::move(text));
  statement.statement_timeout = statement_timeout;
  statement.lock_timeout = lock_timeout;
  return statement;
}

Statement joined(Statement statement) {
  statement.ends_with_sync = false;
  return statement;
}

/// co_spawn wants a result that can be made from nothing, which Rows cannot.
asio::awaitable<std::vector<Result<Rows>>> asked(Connection& connection, std::string text, Deadline deadline) {
  std::vector<Result<Rows>> answer;
  answer.push_back(co_await connection.simple(std::move(text), deadline));
  co_return answer;
}

Conninfo parsed(const std::string& dsn) {
  return parse_conninfo(dsn).value();
}

/// "a,b;c,d": rows by semicolon; NULL and errors spelled out.
std::string shown(const Rows& rows) {
  if (rows.error()) return "error " + rows.sqlstate();
  std::string all;
  for (std::size_t row = 0; row < rows.row_count(); ++row) {
    if (row > 0) all += ';';
    for (std::size_t column = 0; column < rows.column_count(); ++column) {
      if (column > 0) all += ',';
      all += rows.is_null(row, column) ? "NULL" : std::string(rows.text(row, column));
    }
  }
  return all;
}

/// One server for all tests that do not break it.
class PqConnection : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<test::PostgresServer>(); }
  static void TearDownTestSuite() { server_.reset(); }

  [[nodiscard]] std::unique_ptr<Connection> connection(ConnectionOptions options = {}) {
    return std::make_unique<Connection>(io_.get_executor(), parsed(server_->dsn()), std::move(options));
  }

  Result<std::vector<Rows>> answer(Connection& connection, std::vector<Statement> statements,
                                   std::chrono::milliseconds time = 10s) {
    return run(io_, connection.pipeline(std::move(statements), in(time)));
  }

  /// Each statement's outcome, or the failure of the whole.
  std::vector<std::string> outcomes(Connection& connection, std::vector<Statement> statements,
                                    std::chrono::milliseconds time = 10s) {
    const auto rows = answer(connection, std::move(statements), time);
    if (!rows) return {describe(rows.error())};
    std::vector<std::string> all;
    for (const auto& one : *rows) all.push_back(shown(one));
    return all;
  }

  std::string one(Connection& connection, std::string text) {
    return outcomes(connection, {sql(std::move(text))}).front();
  }

  Result<Rows> simple(Connection& connection, std::string text) {
    return std::move(run(io_, asked(connection, std::move(text), in(10s))).front());
  }

  static inline std::unique_ptr<test::PostgresServer> server_;
  asio::io_context io_;
};

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(PqConnection, AnswersEachStatementInOrder) {
  const auto pg = connection();
  EXPECT_THAT(
      outcomes(*pg, {sql("SELECT 1"), sql("SELECT 'a', NULL, ''"), sql("SELECT g FROM generate_series(1,3) g")}),
      ElementsAre("1", "a,NULL,", "1;2;3"));
  EXPECT_EQ(pg->connect_count(), 1);
  EXPECT_EQ(pg->server_version() / 10000, 15);
  EXPECT_EQ(pg->parameter("client_encoding"), "UTF8");
  EXPECT_EQ(pg->parameter("application_name"), "midst-agent");
}

TEST_F(PqConnection, PassesParametersAsTextAndNull) {
  const auto pg = connection();
  auto statement = sql("SELECT $1::int + 1, $2::text IS NULL, $3::text");
  statement.parameters = {"41", std::nullopt, "it's"};
  EXPECT_THAT(outcomes(*pg, {statement}), ElementsAre("42,t,it's"));
}

TEST_F(PqConnection, RefusesAZeroByteInsteadOfCuttingTheText) {
  const auto pg = connection();
  auto statement = sql("SELECT $1::text");
  statement.parameters = {std::string("a\0b", 3)};
  const auto rows = answer(*pg, {statement});
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code, Errc::unsupported);
}

TEST_F(PqConnection, KeepsAFailureToItsOwnSegment) {
  const auto pg = connection();
  EXPECT_THAT(outcomes(*pg, {sql("SELECT 1"), sql("SELECT * FROM no_such_table"), prepared("broken", "SELECT no_such"),
                             sql("SELECT 1/0"), sql("SELECT 2")}),
              ElementsAre("1", "error 42P01", "error 42703", "error 22012", "2"));
  EXPECT_EQ(pg->connect_count(), 1);
}

TEST_F(PqConnection, SkipsTheRestOfATransactionThatFailed) {
  const auto pg = connection();
  server_->sql("CREATE TABLE joint (n int)");
  EXPECT_THAT(outcomes(*pg, {joined(sql("INSERT INTO joint VALUES (1)")), joined(sql("SELECT 1/0")),
                             sql("INSERT INTO joint VALUES (2)"), sql("SELECT count(*) FROM joint")}),
              ElementsAre("", "error 22012", "error 25P02", "0"));
  EXPECT_THAT(outcomes(*pg, {joined(sql("INSERT INTO joint VALUES (1)")), sql("INSERT INTO joint VALUES (2)")}),
              ElementsAre("", ""));
  EXPECT_EQ(one(*pg, "SELECT count(*) FROM joint"), "2");
}

TEST_F(PqConnection, BoundsOneStatementAndNotItsNeighbours) {
  ConnectionOptions options;
  options.session_setup = {"SET statement_timeout = '5s'", "SET lock_timeout = '4s'"};
  const auto pg = connection(options);
  const std::string settings = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')";
  EXPECT_THAT(outcomes(*pg, {sql(settings), bounded("SELECT pg_sleep(10)", 50ms), sql(settings),
                             bounded(settings, 70ms, 30ms), bounded("SELECT pg_sleep(0.1)", 60s), sql(settings)}),
              ElementsAre("5s,4s", "error 57014", "5s,4s", "70ms,30ms", "", "5s,4s"));
}

TEST_F(PqConnection, StartsTheClockOfABoundAnewForEachStatement) {
  const auto pg = connection();
  // Together they last 900 ms, each less than its bound.
  EXPECT_THAT(outcomes(*pg, {joined(bounded("SELECT pg_sleep(0.3)", 700ms)),
                             joined(bounded("SELECT pg_sleep(0.3)", 700ms)), bounded("SELECT pg_sleep(0.3)", 700ms)}),
              ElementsAre("", "", ""));
}

TEST_F(PqConnection, BoundsStatementsOfOneTransactionEachByItsOwn) {
  ConnectionOptions options;
  options.session_setup = {"SET statement_timeout = '5s'"};
  const auto pg = connection(options);
  const std::string settings = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')";
  EXPECT_THAT(outcomes(*pg, {joined(bounded(settings, 70ms, 30ms)), joined(sql(settings)),
                             joined(bounded(settings, 0ms, 20ms)), sql(settings), sql(settings)}),
              ElementsAre("70ms,30ms", "5s,0", "5s,20ms", "5s,0", "5s,0"));
}

TEST_F(PqConnection, GivesUpALockAfterItsBound) {
  const auto holder = connection();
  const auto pg = connection();
  server_->sql("CREATE TABLE held (n int)");
  // The lock is held as long as this pipeline runs; the other connection works meanwhile.
  auto holding = holder->pipeline({joined(sql("TRUNCATE held")), bounded("SELECT pg_sleep(60)", 0ms)}, in(20s));
  bool has_ended = false;
  asio::co_spawn(io_, std::move(holding), [&](std::exception_ptr, const auto&) { has_ended = true; });
  ASSERT_TRUE(test::run_until(io_, [&] {
    return server_->sql(
               "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND mode = 'AccessExclusiveLock'") ==
           "1\n";
  }));
  EXPECT_THAT(outcomes(*pg, {sql("SELECT 1"), bounded("SELECT * FROM held", 0ms, 50ms), sql("SELECT 2")}),
              ElementsAre("1", "error 55P03", "2"));
  holder->close();
  EXPECT_TRUE(test::run_until(io_, [&] { return has_ended; }));
}

TEST_F(PqConnection, PreparesOncePerConnection) {
  const auto pg = connection();
  const auto ask = prepared("one_more", "SELECT $1::int + 1", {"1"});
  const auto count = sql("SELECT name FROM pg_prepared_statements WHERE name = 'one_more'");
  EXPECT_THAT(outcomes(*pg, {ask, ask, count}), ElementsAre("2", "2", "one_more"));
  const auto made = one(*pg, "SELECT prepare_time FROM pg_prepared_statements WHERE name = 'one_more'");
  EXPECT_THAT(outcomes(*pg, {ask}), ElementsAre("2"));
  EXPECT_EQ(one(*pg, "SELECT prepare_time FROM pg_prepared_statements WHERE name = 'one_more'"), made);
}

TEST_F(PqConnection, PreparesAnewWhatTheServerHasForgotten) {
  const auto pg = connection();
  const auto first = prepared("first", "SELECT 1"), second = prepared("second", "SELECT 2");
  EXPECT_THAT(outcomes(*pg, {first, second}), ElementsAre("1", "2"));
  EXPECT_EQ(one(*pg, "DEALLOCATE ALL"), "");
  EXPECT_THAT(outcomes(*pg, {first, sql("SELECT 0"), joined(second), first}), ElementsAre("1", "0", "2", "1"));
  EXPECT_EQ(one(*pg, "DEALLOCATE first"), "");
  EXPECT_THAT(outcomes(*pg, {joined(second), first}), ElementsAre("2", "1"));
  auto timed = first;
  timed.statement_timeout = 1s;
  EXPECT_THAT(outcomes(*pg, {timed}), ElementsAre("1"));
  EXPECT_EQ(one(*pg, "DEALLOCATE ALL"), "");
  EXPECT_THAT(outcomes(*pg, {timed}), ElementsAre("1"));
  EXPECT_EQ(pg->connect_count(), 1);
}

TEST_F(PqConnection, PreparesAnewWhenTheColumnsHaveChanged) {
  const auto pg = connection();
  server_->sql("CREATE TABLE growing (a int); INSERT INTO growing VALUES (1)");
  const auto all = prepared("all", "SELECT * FROM growing");
  EXPECT_THAT(outcomes(*pg, {all}), ElementsAre("1"));
  server_->sql("ALTER TABLE growing ADD b int DEFAULT 2");
  EXPECT_THAT(outcomes(*pg, {all, sql("SELECT 3")}), ElementsAre("1,2", "3"));
  EXPECT_EQ(pg->connect_count(), 1);
}

TEST_F(PqConnection, MakesUpForAPrepareThatAnotherStatementsFailureSkipped) {
  const auto pg = connection();
  const auto ask = prepared("late", "SELECT 7");
  EXPECT_THAT(outcomes(*pg, {joined(sql("SELECT 1/0")), ask, ask}), ElementsAre("error 22012", "error 25P02", "7"));
}

TEST_F(PqConnection, RunsTheSessionSetupOnceAndSurvivesARefusedSetting) {
  ConnectionOptions options;
  options.session_setup = {"SET search_path = pg_catalog", "SET no_such_setting = 1", "SET jit = off"};
  const auto pg = connection(options);
  const auto settings = sql("SELECT current_setting('search_path'), current_setting('jit')");
  EXPECT_THAT(outcomes(*pg, {settings}), ElementsAre("pg_catalog,off"));
  EXPECT_EQ(one(*pg, "SET jit = on"), "");
  EXPECT_THAT(outcomes(*pg, {settings}), ElementsAre("pg_catalog,on"));
}

TEST_F(PqConnection, RollsBackATransactionThatWasLeftOpen) {
  const auto pg = connection();
  server_->sql("CREATE TABLE left_open (n int)");
  EXPECT_THAT(outcomes(*pg, {sql("BEGIN"), sql("INSERT INTO left_open VALUES (1)")}), ElementsAre("", ""));
  EXPECT_THAT(outcomes(*pg, {sql("BEGIN"), sql("SELECT 1/0")}), ElementsAre("", "error 22012"));
  EXPECT_EQ(one(*pg, "SELECT count(*) FROM left_open"), "0");
  EXPECT_EQ(pg->connect_count(), 1);
}

TEST_F(PqConnection, TellsWhenEachAnswerArrived) {
  const auto pg = connection();
  const auto rows = answer(*pg, {sql("SELECT 1"), sql("SELECT pg_sleep(0.2)"), sql("SELECT 2")});
  ASSERT_TRUE(rows);
  EXPECT_GE((*rows)[1].received() - (*rows)[0].received(), 190ms);
  EXPECT_LT((*rows)[2].received() - (*rows)[1].received(), 190ms);
}

TEST_F(PqConnection, CountsTouchedRows) {
  const auto pg = connection();
  server_->sql("CREATE TABLE touched (n int)");
  const auto rows =
      answer(*pg, {sql("INSERT INTO touched SELECT generate_series(1,5)"), sql("DELETE FROM touched WHERE n < 3"),
                   sql("UPDATE touched SET n = 0 WHERE n > 100")});
  ASSERT_TRUE(rows);
  EXPECT_EQ((*rows)[0].affected(), 5);
  EXPECT_EQ((*rows)[1].affected(), 2);
  EXPECT_EQ((*rows)[2].affected(), 0);
}

TEST_F(PqConnection, SurvivesRequestsAndAnswersLargerThanAllSocketBuffers) {
  const auto pg = connection();
  std::vector<Statement> statements;
  for (int i = 0; i < 40; ++i) {
    auto echo = sql("SELECT $1::text");
    echo.parameters = {std::string(1'000'000, static_cast<char>('a' + i % 26))};
    statements.push_back(echo);
  }
  const auto rows = answer(*pg, statements, 30s);
  ASSERT_TRUE(rows) << describe(rows.error());
  for (std::size_t i = 0; i < 40; ++i) ASSERT_EQ((*rows)[i].text(0, 0), *statements[i].parameters[0]);
}

TEST_F(PqConnection, RefusesCopyAndRecovers) {
  const auto pg = connection();
  EXPECT_THAT(outcomes(*pg, {sql("COPY pg_class TO STDOUT")}), ElementsAre(StartsWith("unsupported:")));
  EXPECT_THAT(outcomes(*pg, {sql("SELECT 1")}), ElementsAre("1"));
  const auto copied = simple(*pg, "COPY pg_class TO STDOUT");
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Errc::unsupported);
  EXPECT_EQ(one(*pg, "SELECT 1"), "1");
}

TEST_F(PqConnection, MixesSimpleQueriesWithPipelines) {
  ConnectionOptions options;
  options.session_setup = {"SET jit = off"};
  const auto pg = connection(options);
  const auto rows = simple(*pg, "SELECT current_setting('jit') AS jit");
  ASSERT_TRUE(rows) << describe(rows.error());
  EXPECT_EQ(shown(*rows), "off");
  EXPECT_EQ(rows->column("jit"), 0);
  EXPECT_EQ(rows->column("JIT"), std::nullopt);
  EXPECT_EQ(one(*pg, "SELECT 1"), "1");
  const auto failed = simple(*pg, "SELEC");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->sqlstate(), "42601");
  EXPECT_EQ(one(*pg, "SELECT 2"), "2");
  EXPECT_EQ(pg->connect_count(), 1);
}

TEST_F(PqConnection, TakesOneRoundTripForAPipelineOfTwelvePreparedStatements) {
  test::CountingProxy proxy(io_, server_->port());
  auto target = parsed(server_->dsn());
  target.set("port", std::to_string(proxy.port()));
  ConnectionOptions options;
  options.session_setup = {"SET jit = off", "SET search_path = pg_catalog"};
  Connection pg(io_.get_executor(), target, options);
  std::vector<Statement> statements;
  for (int i = 0; i < 12; ++i) {
    auto ask = prepared("ask_" + std::to_string(i), "SELECT $1::int + " + std::to_string(i), {"100"});
    ask.statement_timeout = 1s;
    ask.lock_timeout = 100ms;
    statements.push_back(ask);
  }
  ASSERT_TRUE(run(io_, pg.connect(in(5s))));
  EXPECT_EQ(proxy.turns(), 2) << "the question for TLS and the startup message; trust asks for nothing more";
  proxy.reset_counts();
  ASSERT_EQ(outcomes(pg, statements).back(), "111");
  EXPECT_EQ(proxy.turns(), 1) << "settings, preparing and running together";
  for (int scrape = 0; scrape < 20; ++scrape) {
    proxy.reset_counts();
    ASSERT_EQ(outcomes(pg, statements).back(), "111");
    ASSERT_EQ(proxy.turns(), 1);
  }
  EXPECT_EQ(pg.connect_count(), 1);
  RecordProperty("bytes_to_server", static_cast<int>(proxy.bytes_to_server()));
}

}  // namespace
}  // namespace midst::pq
