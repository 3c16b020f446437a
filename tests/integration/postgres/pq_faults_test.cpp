// lib/pq when things go wrong: refused logins, killed, frozen and restarted servers, cut lines; and PgBouncer.
#include "lib/pq/connection.hpp"
#include "tests/support/counting_proxy.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <memory>
#include <tuple>

namespace midst::pq {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

Deadline in(std::chrono::milliseconds time) {
  return Clock::now() + time;
}

Statement sql(std::string text) {
  Statement statement;
  statement.sql = std::move(text);
  return statement;
}

ConnectionOptions without_backoff() {
  ConnectionOptions options;
  options.backoff_first = options.backoff_max = 0ms;
  return options;
}

ConnectionOptions read_only() {
  auto options = without_backoff();
  options.session_setup = {"SET default_transaction_read_only = on"};
  return options;
}

struct Target {
  Target(const std::string& dsn, ConnectionOptions options, PasswordProvider password = {})
      : connection(io.get_executor(), parse_conninfo(dsn).value(), std::move(options), std::move(password)) {}

  /// The first cell of the answer, or why there is none.
  std::string ask(std::string text, std::chrono::milliseconds time = 5s) {
    const auto rows = answer({sql(std::move(text))}, time);
    if (!rows) return describe(rows.error());
    if (rows->front().error()) return "SQLSTATE " + rows->front().sqlstate();
    return std::string(rows->front().text(0, 0));
  }

  /// The word of the failure's kind, or "ok".
  std::string outcome(std::chrono::milliseconds time = 5s) {
    const auto rows = answer({sql("SELECT 1")}, time);
    return rows ? "ok" : std::string(word(rows.error().code));
  }

  Result<std::vector<Rows>> answer(std::vector<Statement> statements, std::chrono::milliseconds time) {
    return test::run(io, connection.pipeline(std::move(statements), in(time)));
  }

  asio::io_context io;
  Connection connection;
};

TEST(PqFaults, NamesARefusedConnection) {
  const auto port = std::to_string(test::free_port());
  Target target("host=127.0.0.1 password=s3cret port=" + port, {});
  const auto said = target.ask("SELECT 1");
  EXPECT_THAT(said, testing::StartsWith("connect_refused: host=127.0.0.1 port=" + port + ": connection to server"));
  EXPECT_THAT(said, Not(HasSubstr("s3cret")));
  Target socket("host=/nonexistent", {});
  EXPECT_EQ(socket.outcome(), "connect_refused");
  Target name("host=no-such-host.invalid", {});
  EXPECT_EQ(name.outcome(), "dns");
  Target mode("host=127.0.0.1 sslmode=sometimes", {});
  EXPECT_EQ(mode.outcome(), "config");
}

TEST(PqFaults, NamesRefusedLogins) {
  test::PostgresServer server({"max_connections=5", "superuser_reserved_connections=0", "max_wal_senders=0"});
  server.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE me LOGIN PASSWORD 'right'");
  server.set_hba("local all all trust\nhost all me 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust");
  std::string password = "wrong";
  Target target(server.dsn("postgres", "me"), without_backoff(), [&]() -> Result<std::string> { return password; });
  // The server takes up its new pg_hba.conf some time after the signal.
  ASSERT_TRUE(test::run_until(target.io, [&] {
    target.connection.close();
    return target.outcome() == "auth";
  }));
  EXPECT_THAT(target.ask("SELECT 1"), HasSubstr("28P01"));
  EXPECT_THAT(target.ask("SELECT 1"), Not(HasSubstr("wrong")));
  password = "right";
  EXPECT_EQ(target.ask("SELECT current_user"), "me");

  Target nobody(server.dsn("postgres", "nobody"), {});
  EXPECT_THAT(nobody.ask("SELECT 1"), testing::AllOf(testing::StartsWith("auth:"), HasSubstr("28000")));
  Target without_password(server.dsn("postgres", "me"), {});
  EXPECT_EQ(without_password.outcome(), "auth");
  Target nowhere(server.dsn("nowhere"), {});
  EXPECT_THAT(nowhere.ask("SELECT 1"), testing::AllOf(testing::StartsWith("server:"), HasSubstr("3D000")));
  Target tls(server.dsn() + " sslmode=require", {});
  EXPECT_EQ(tls.outcome(), "tls");
  Target provider(server.dsn(), without_backoff(), []() -> Result<std::string> {
    return Error{Errc::config, "password_file: gone"};
  });
  EXPECT_THAT(provider.ask("SELECT 1"), HasSubstr("password_file: gone"));
}

TEST(PqFaults, KeepsItsSeatInAFullServer) {
  test::PostgresServer server({"max_connections=3", "superuser_reserved_connections=0", "max_wal_senders=0"});
  auto options = without_backoff();
  options.max_lifetime = 1ms;
  Target first(server.dsn(), options), second(server.dsn(), without_backoff()), third(server.dsn(), without_backoff());
  const auto pid = first.ask("SELECT pg_backend_pid()");
  EXPECT_EQ(second.outcome(), "ok");
  EXPECT_EQ(third.outcome(), "ok");
  Target fourth(server.dsn(), without_backoff());
  EXPECT_THAT(fourth.ask("SELECT 1"), testing::AllOf(testing::StartsWith("limit:"), HasSubstr("53300")));
  EXPECT_EQ(first.ask("SELECT pg_backend_pid()"), pid) << "too old, but there is no replacement";
  third.connection.close();
  ASSERT_TRUE(test::run_until(first.io, [&] { return first.ask("SELECT pg_backend_pid()") != pid; }));
  EXPECT_GE(first.connection.connect_count(), 2);
}

TEST(PqFaults, ReplacesAnIdleConnectionThatTheServerClosed) {
  test::PostgresServer server;
  for (const int signal : {SIGTERM, SIGINT, SIGKILL}) {
    Target target(server.dsn(), {});
    ASSERT_EQ(target.outcome(), "ok");
    // SIGTERM waits for the clients, so this one is terminated first.
    if (signal == SIGTERM)
      server.sql("SELECT pg_terminate_backend(" + std::to_string(target.connection.backend_pid()) + ")");
    server.kill(signal);
    server.start();
    EXPECT_EQ(target.ask("SELECT 2"), "2") << "after signal " << signal;
    EXPECT_EQ(target.connection.connect_count(), 2);
  }
}

TEST(PqFaults, ReportsAServerThatDiedUnderAPipeline) {
  test::PostgresServer server;
  Target target(server.dsn(), without_backoff());
  ASSERT_EQ(target.outcome(), "ok");
  EXPECT_THAT(target.ask("SELECT pg_terminate_backend(pg_backend_pid())"),
              testing::AllOf(testing::StartsWith("closed:"), HasSubstr("57P01")));
  EXPECT_FALSE(target.connection.is_connected());
  EXPECT_EQ(target.ask("SELECT 3"), "3");
  EXPECT_EQ(target.connection.connect_count(), 2);
}

TEST(PqFaults, SendsAgainOnlyWhatCannotHaveWritten) {
  test::PostgresServer server;
  server.sql("CREATE TABLE written (n int)");
  for (const bool is_read_only : {false, true}) {
    asio::io_context io;
    test::CountingProxy proxy(io, server.port());
    auto target = parse_conninfo(server.dsn()).value();
    target.set("port", std::to_string(proxy.port()));
    Connection connection(io.get_executor(), target, is_read_only ? read_only() : without_backoff());
    ASSERT_TRUE(test::run(io, connection.pipeline({sql("SELECT 1")}, in(5s))));
    // The statements reach the server; the line breaks before a byte of the answer comes back.
    proxy.cut_after(0);
    std::optional<Result<std::vector<Rows>>> answer;
    std::vector<Statement> statements{sql(is_read_only ? "SELECT 4" : "INSERT INTO written VALUES (1)")};
    asio::co_spawn(io, connection.pipeline(statements, in(5s)),
                   [&](std::exception_ptr, Result<std::vector<Rows>> result) { answer.emplace(std::move(result)); });
    ASSERT_TRUE(test::run_until(io, [&] {
      if (proxy.bytes_to_client() > 0 && proxy.connection_count() > 1) proxy.cut_after(static_cast<std::size_t>(-1));
      return answer.has_value();
    }));
    if (is_read_only) {
      ASSERT_TRUE(*answer) << describe(answer->error());
      EXPECT_EQ((**answer)[0].text(0, 0), "4");
      EXPECT_EQ(connection.connect_count(), 2);
    } else {
      ASSERT_FALSE(*answer);
      EXPECT_EQ(answer->error().code, Errc::closed);
      EXPECT_EQ(connection.connect_count(), 1);
    }
  }
  EXPECT_EQ(server.sql("SELECT count(*) FROM written"), "1\n");
}

TEST(PqFaults, GivesAFrozenServerUpAtTheDeadlineAndComesBack) {
  test::PostgresServer server;
  Target target(server.dsn(), without_backoff());
  ASSERT_EQ(target.outcome(), "ok");
  const auto frozen = std::to_string(target.connection.backend_pid());
  std::ignore = test::run_command({"kill", "-STOP", frozen});
  const auto begin = Clock::now();
  EXPECT_EQ(target.outcome(100ms), "timeout");
  EXPECT_LT(Clock::now() - begin, 2s);
  EXPECT_FALSE(target.connection.is_connected());
  EXPECT_EQ(target.ask("SELECT 5"), "5") << "on a new backend";
  std::ignore = test::run_command({"kill", "-CONT", frozen});

  target.connection.close();
  server.freeze();
  EXPECT_THAT(target.ask("SELECT 1", 100ms), HasSubstr("login")) << "the kernel accepts, nobody answers";
  server.thaw();
  ASSERT_TRUE(test::run_until(target.io, [&] { return target.outcome() == "ok"; }));
}

TEST(PqFaults, BoundsALoginByConnectTimeout) {
  test::PostgresServer server;
  server.freeze();
  Target target(server.dsn() + " connect_timeout=1", {});
  const auto begin = Clock::now();
  EXPECT_EQ(target.outcome(30s), "timeout");
  EXPECT_GE(Clock::now() - begin, 900ms);
  EXPECT_LT(Clock::now() - begin, 10s);
  server.thaw();
}

TEST(PqFaults, WaitsLongerAfterEachFailedLogin) {
  asio::io_context io;
  test::CountingProxy proxy(io, test::free_port());  // accepts, finds nobody behind it, closes
  ConnectionOptions options;
  options.backoff_first = 200ms;
  options.backoff_max = 60s;
  auto target = parse_conninfo("host=127.0.0.1 sslmode=disable port=" + std::to_string(proxy.port())).value();
  Connection connection(io.get_executor(), target, options);
  const auto fails = [&] { return !test::run(io, connection.connect(in(5s))); };
  std::vector<Clock::duration> waits;
  auto begin = Clock::now();
  for (std::size_t attempts = 1; attempts <= 3; ++attempts) {
    ASSERT_TRUE(test::run_until(io, [&] { return fails() && proxy.connection_count() == attempts; }));
    waits.push_back(Clock::now() - begin);
    begin = Clock::now();
  }
  // 200 ms, then 400 ms, of each of which up to a half is taken off.
  EXPECT_GE(waits[1], 95ms);
  EXPECT_LT(waits[1], 2s) << "not the 60 s of backoff_max";
  EXPECT_GE(waits[2], 195ms);
  const auto first = test::run(io, connection.connect(in(5s)));
  for (int i = 0; i < 100; ++i) {
    const auto again = test::run(io, connection.connect(in(5s)));
    ASSERT_FALSE(again);
    ASSERT_EQ(describe(again.error()), describe(first.error()));
  }
  EXPECT_EQ(proxy.connection_count(), 3);
}

asio::awaitable<void> give_up_early(Connection& connection, std::vector<Statement> statements, bool& has_ended) {
  auto work = connection.pipeline(std::move(statements), in(60s));
  const auto answer = co_await with_deadline(std::move(work), in(50ms));
  has_ended = !answer && answer.error().code == Errc::timeout;
}

TEST(PqFaults, HonoursACancellationFromOutside) {
  test::PostgresServer server;
  Target target(server.dsn(), {});
  ASSERT_EQ(target.outcome(), "ok");
  bool has_ended = false;
  const auto begin = Clock::now();
  test::run(target.io, give_up_early(target.connection, {sql("SELECT pg_sleep(30)")}, has_ended));
  EXPECT_TRUE(has_ended);
  EXPECT_LT(Clock::now() - begin, 5s);
  EXPECT_FALSE(target.connection.is_connected());
  EXPECT_EQ(target.ask("SELECT 6"), "6") << "and no back-off: it was not the server's fault";
}

TEST(PqFaults, OutlivesItsConnectionObject) {
  test::PostgresServer server;
  asio::io_context io;
  auto connection =
      std::make_unique<Connection>(io.get_executor(), parse_conninfo(server.dsn()).value(), ConnectionOptions{});
  std::string said;
  std::vector<Statement> statements{sql("SELECT pg_sleep(30)")};
  asio::co_spawn(io, connection->pipeline(statements, in(60s)),
                 [&](std::exception_ptr, Result<std::vector<Rows>> result) { said = describe(result.error()); });
  ASSERT_TRUE(test::run_until(io, [&] {
    return server.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(30)'") ==
           "1\n";
  }));
  connection.reset();
  ASSERT_TRUE(test::run_until(io, [&] { return !said.empty(); }));
  EXPECT_THAT(said, testing::StartsWith("closed:"));
}

TEST(PqFaults, CanBeTornDownUnderARunningPipeline) {
  test::PostgresServer server;
  std::vector<Statement> statements{sql("SELECT pg_sleep(30)")};
  auto io = std::make_unique<asio::io_context>();
  Connection connection(io->get_executor(), parse_conninfo(server.dsn()).value(), {});
  asio::co_spawn(*io, connection.pipeline(statements, in(60s)), [](std::exception_ptr, const auto&) {});
  io->run_for(50ms);
  io.reset();  // destroys the coroutine; the sanitizers watch
  EXPECT_FALSE(connection.is_connected());
}

asio::awaitable<std::vector<Result<Rows>>> asked(Connection& connection, std::string text, Deadline deadline) {
  std::vector<Result<Rows>> answer;
  answer.push_back(co_await connection.simple(std::move(text), deadline));
  co_return answer;
}

TEST(PqPgBouncer, ServesTheConsoleBySimpleQueries) {
  test::PostgresServer postgres;
  test::PgBouncerServer pgbouncer(postgres);
  Target console(pgbouncer.console_dsn(), without_backoff());
  for (const std::string show : {"SHOW POOLS", "SHOW STATS_TOTALS", "SHOW DATABASES", "SHOW LISTS", "SHOW CONFIG"}) {
    const auto rows = std::move(test::run(console.io, asked(console.connection, show, in(5s))).front());
    ASSERT_TRUE(rows) << show << ": " << describe(rows.error());
    EXPECT_FALSE(rows->error()) << show;
    EXPECT_GT(rows->row_count(), 0) << show;
  }
  const auto pools = std::move(test::run(console.io, asked(console.connection, "SHOW POOLS", in(5s))).front());
  EXPECT_EQ(pools->text(0, *pools->column("database")), "pgbouncer");
  const auto wrong = std::move(test::run(console.io, asked(console.connection, "SHOW STATE", in(5s))).front());
  ASSERT_TRUE(wrong);
  EXPECT_TRUE(wrong->error()) << "1.18 does not know it";
  EXPECT_EQ(console.connection.server_version() / 100, 118);
  EXPECT_EQ(console.connection.parameter("server_version"), "1.18.0/bouncer");
  EXPECT_EQ(console.connection.connect_count(), 1) << "one connection for all";
}

TEST(PqPgBouncer, RecoversFromAPipelineThatTheConsoleRefuses) {
  test::PostgresServer postgres;
  test::PgBouncerServer pgbouncer(postgres);
  Target console(pgbouncer.console_dsn(), without_backoff());
  EXPECT_EQ(console.ask("SHOW LISTS"), "SQLSTATE 08P01");
  // It hangs up on us a moment later.
  ASSERT_TRUE(test::run_until(console.io, [&] {
    const auto rows = std::move(test::run(console.io, asked(console.connection, "SHOW LISTS", in(5s))).front());
    return rows && rows->row_count() > 0;
  }));
}

TEST(PqPgBouncer, PassesBoundedPipelinesThroughToThePool) {
  test::PostgresServer postgres;
  test::PgBouncerServer pgbouncer(postgres);
  Target target(pgbouncer.dsn("postgres"), without_backoff());
  auto bounded = sql("SELECT current_setting('statement_timeout')");
  bounded.statement_timeout = 70ms;
  const auto rows = target.answer({sql("SELECT 1"), bounded, sql("SELECT current_setting('statement_timeout')")}, 5s);
  ASSERT_TRUE(rows) << describe(rows.error());
  EXPECT_EQ((*rows)[1].text(0, 0), "70ms");
  EXPECT_EQ((*rows)[2].text(0, 0), "0");
}

}  // namespace
}  // namespace midst::pq
