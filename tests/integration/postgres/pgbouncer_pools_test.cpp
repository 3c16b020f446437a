// What a real PgBouncer does with its clients, as the source shows it: waiting, paused, saturated, locked out, hung.
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::value_of;
using testing::HasSubstr;

asio::awaitable<std::vector<Result<Snapshot>>> collected(scrape::Source& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

asio::awaitable<bool> executed(std::shared_ptr<pq::Connection> connection, std::string sql, Deadline deadline) {
  const auto rows = co_await connection->simple(std::move(sql), deadline);
  co_return rows && !rows->error();
}

asio::awaitable<void> execute_later(std::shared_ptr<pq::Connection> connection, std::string sql, Deadline deadline) {
  std::ignore = co_await connection->simple(std::move(sql), deadline);
}

class PgbouncerPools : public testing::Test {
 protected:
  static void SetUpTestSuite() { postgres_ = std::make_unique<test::PostgresServer>(); }
  static void TearDownTestSuite() { postgres_.reset(); }

  void start(const std::vector<std::string>& settings) {
    pooler_ = std::make_unique<test::PgBouncerServer>(*postgres_, settings);
  }

  [[nodiscard]] PgbouncerOptions options() const {
    PgbouncerOptions options;
    options.conninfo = pq::parse_conninfo(pooler_->console_dsn()).value();
    options.ttl = {{"clients", 0ms}, {"servers", 0ms}, {"config", 0ms}, {"users", 0ms}};
    return options;
  }

  [[nodiscard]] Result<Snapshot> collect(scrape::Source& source, std::chrono::milliseconds time = 5s) {
    return std::move(test::run(io_, collected(source, std::chrono::steady_clock::now() + time)).front());
  }

  /// Collects until a value of the page is as wanted. @return that page's value.
  template <class IsWanted>
  double wait_for(PgbouncerSource& source, std::string_view family, const test::Labels& labels, IsWanted is_wanted) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    for (;;) {
      const auto page = collect(source);
      const auto value = page ? value_of(*page, family, labels) : std::nullopt;
      if (value && is_wanted(*value)) return *value;
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("never as wanted: " + std::string(family));
    }
  }

  [[nodiscard]] std::shared_ptr<pq::Connection> client(const std::string& database) {
    return std::make_shared<pq::Connection>(io_.get_executor(), pq::parse_conninfo(pooler_->dsn(database)).value(),
                                            pq::ConnectionOptions{});
  }

  /// A client in a transaction that is left open. simple() ends one, so it waits in a statement instead.
  std::shared_ptr<pq::Connection> busy_client(const std::string& database) {
    auto connection = client(database);
    asio::co_spawn(io_, execute_later(connection, "SELECT pg_sleep(60)", std::chrono::steady_clock::now() + 60s),
                   asio::detached);
    return connection;
  }

  [[nodiscard]] bool execute(const std::shared_ptr<pq::Connection>& connection, const std::string& sql) {
    return test::run(io_, executed(connection, sql, std::chrono::steady_clock::now() + 10s));
  }

  static std::unique_ptr<test::PostgresServer> postgres_;
  std::unique_ptr<test::PgBouncerServer> pooler_;
  boost::asio::io_context io_;
};

std::unique_ptr<test::PostgresServer> PgbouncerPools::postgres_;

const test::Labels of_postgres{{"database", "postgres"}, {"user", "postgres"}};

TEST_F(PgbouncerPools, AWaitingClientIsShownWithItsWaitToTheFractionOfASecond) {
  start({"default_pool_size = 1"});
  PgbouncerSource source(io_.get_executor(), options());
  const auto holder = busy_client("postgres");
  wait_for(source, "pgbouncer_pools_server_active_connections", of_postgres, [](double n) { return n == 1; });
  const auto began = std::chrono::steady_clock::now();
  const auto waiter = busy_client("postgres");
  wait_for(source, "pgbouncer_pools_client_maxwait_seconds", of_postgres, [](double wait) { return wait > 0.2; });
  const std::chrono::duration<double> least = std::chrono::steady_clock::now() - began;
  const auto page = collect(source);
  const std::chrono::duration<double> most = std::chrono::steady_clock::now() - began;
  ASSERT_TRUE(page) << describe(page.error());
  const auto wait = value_of(*page, "pgbouncer_pools_client_maxwait_seconds", of_postgres).value_or(-1);
  EXPECT_LE(wait, most.count());
  // The login of the one who waits, and the clock of PgBouncer, which stands still while it works.
  EXPECT_GT(wait, least.count() - 0.2);
  EXPECT_NE(wait, static_cast<int>(wait));
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_client_waiting_connections", of_postgres), 1);
  EXPECT_EQ(value_of(*page, "midst_pgbouncer_pool_saturation_ratio", of_postgres), 1);
  EXPECT_EQ(value_of(*page, "midst_pgbouncer_pool_limit_connections", of_postgres), 1);
  EXPECT_EQ(
      value_of(
          *page, "pgbouncer_client_connections",
          {{"database", "postgres"}, {"user", "postgres"}, {"application_name", "midst-agent"}, {"state", "waiting"}}),
      1);
  EXPECT_EQ(
      value_of(
          *page, "pgbouncer_server_connections",
          {{"database", "postgres"}, {"user", "postgres"}, {"application_name", "midst-agent"}, {"state", "active"}}),
      1);
}

TEST_F(PgbouncerPools, InSessionModeAnIdleClientHoldsItsServer) {
  start({"pool_mode = session", "default_pool_size = 4", "reserve_pool_size = 1"});
  PgbouncerSource source(io_.get_executor(), options());
  const auto holder = client("postgres");
  ASSERT_TRUE(execute(holder, "SELECT 1"));
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_server_active_connections", of_postgres), 1);
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_info",
                     {{"database", "postgres"}, {"user", "postgres"}, {"pool_mode", "session"}}),
            1);
  EXPECT_EQ(value_of(*page, "midst_pgbouncer_pool_saturation_ratio", of_postgres), 0.2);
}

TEST_F(PgbouncerPools, ThePausedAndTheDisabledDatabaseAreToldApart) {
  // Databases that are not listed are forgotten when their last connection is closed, which PAUSE does.
  const auto server = " = host=127.0.0.1 port=" + std::to_string(postgres_->port());
  start({"[databases]", "a" + server, "b" + server});
  for (const auto* const name : {"a", "b"}) {
    postgres_->sql("CREATE DATABASE " + std::string(name) + " STRATEGY file_copy");
    ASSERT_TRUE(execute(client(name), "SELECT 1"));
  }
  const auto console = client("pgbouncer");
  ASSERT_TRUE(execute(console, "PAUSE a"));
  ASSERT_TRUE(execute(console, "DISABLE b"));
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  const auto of = [&](const std::string& family, const std::string& name) {
    return value_of(*page, family,
                    {{"name", name},
                     {"host", "127.0.0.1"},
                     {"port", std::to_string(postgres_->port())},
                     {"database", name},
                     {"force_user", ""},
                     {"pool_mode", ""}});
  };
  EXPECT_EQ(of("pgbouncer_databases_paused", "a"), 1);
  EXPECT_EQ(of("pgbouncer_databases_paused", "b"), 0);
  EXPECT_EQ(of("pgbouncer_databases_disabled", "a"), 0);
  EXPECT_EQ(of("pgbouncer_databases_disabled", "b"), 1);
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
}

TEST_F(PgbouncerPools, TwentyDatabasesHaveAPoolEach) {
  start({});
  for (int i = 0; i < 20; ++i) {
    const auto name = "shop" + std::to_string(i);
    postgres_->sql("CREATE DATABASE " + name + " STRATEGY file_copy");
    ASSERT_TRUE(execute(client(name), "SELECT 1"));
  }
  auto few = options();
  few.limits.pools = 5;
  PgbouncerSource all(io_.get_executor(), options()), some(io_.get_executor(), few);
  const auto page = collect(all), folded = collect(some);
  ASSERT_TRUE(page) << describe(page.error());
  ASSERT_TRUE(folded) << describe(folded.error());
  EXPECT_EQ(page->find("pgbouncer_pools_server_idle_connections")->values.size(), 21);
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_server_idle_connections", {{"database", "shop7"}, {"user", "postgres"}}),
            1);
  EXPECT_EQ(folded->find("pgbouncer_pools_server_idle_connections")->values.size(), 6);
}

TEST_F(PgbouncerPools, AHungPoolerIsDownInTimeAndComesBack) {
  start({});
  PgbouncerSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  pooler_->freeze();
  const auto began = std::chrono::steady_clock::now();
  const auto hung = collect(source, 300ms);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, Errc::timeout);
  const auto down = source.down(hung.error());
  EXPECT_EQ(value_of(down, "pgbouncer_up", {}), 0);
  EXPECT_EQ(down.find("pgbouncer_pools_server_idle_connections"), nullptr);
  pooler_->thaw();
  wait_for(source, "pgbouncer_up", {}, [](double is_up) { return is_up == 1; });
}

TEST_F(PgbouncerPools, TheConsoleOverTlsWithAPasswordFileIsReadAnewWhenItChanges) {
  test::Certificates certificates;
  certificates.issue("server", "DNS:localhost,IP:127.0.0.1");
  for (const auto* const name : {"server.crt", "server.key"})
    std::filesystem::permissions(certificates.file(name), std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
  start({"auth_type = md5", "client_tls_sslmode = require", "client_tls_cert_file = " + certificates.file("server.crt"),
         "client_tls_key_file = " + certificates.file("server.key")});
  std::ofstream(pooler_->directory() / "users.txt") << "\"stats\" \"right\"\n";
  pooler_->kill();
  pooler_->start();
  const test::TempDir folder;
  const auto file = folder.path() / "password";
  std::ofstream(file) << "wrong";
  auto guarded = options();
  guarded.conninfo.set("user", "stats");
  guarded.conninfo.set("sslmode", "verify-full");
  guarded.conninfo.set("sslrootcert", certificates.ca());
  guarded.password = [file]() -> Result<std::string> { return test::read_file(file); };
  PgbouncerSource source(io_.get_executor(), guarded);
  const auto refused = collect(source);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::auth) << describe(refused.error());
  EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("wrong")));
  std::ofstream(file) << "right";
  wait_for(source, "pgbouncer_up", {}, [](double is_up) { return is_up == 1; });
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_client_tls_connections", {{"database", "pgbouncer"}, {"user", "stats"}}), 1);
}

TEST_F(PgbouncerPools, ThePoolsAreComparedWithWhatTheServerBehindThemGrants) {
  start({"default_pool_size = 7", "reserve_pool_size = 2"});
  const auto limits = std::make_shared<ServerLimits>();
  PostgresOptions server;
  server.name = "db";
  server.conninfo = pq::parse_conninfo(postgres_->dsn()).value();
  server.server_limits = limits;
  PostgresSource behind(io_.get_executor(), server);
  auto joined = options();
  joined.postgres = "db";
  joined.server_limits = limits;
  PgbouncerSource source(io_.get_executor(), joined);
  const auto user = client("postgres");
  ASSERT_TRUE(execute(user, "SELECT 1"));
  auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(page->find("midst_pgbouncer_postgres_connections_ratio"), nullptr);
  ASSERT_TRUE(collect(behind));
  page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "midst_pgbouncer_postgres_connections_ratio", {{"postgres", "db"}}), 1.0 / 97);
  EXPECT_EQ(value_of(*page, "midst_pgbouncer_postgres_demand_ratio", {{"postgres", "db"}}), 9.0 / 97);
  postgres_->kill();
  ASSERT_FALSE(collect(behind));
  page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(page->find("midst_pgbouncer_postgres_connections_ratio"), nullptr);
  postgres_->start();
}

TEST_F(PgbouncerPools, ItsProcessIsShownByItsPidFile) {
  start({});
  const test::TempDir folder;
  const auto file = folder.path() / "pgbouncer.pid";
  std::ofstream(file) << pooler_->pid() << "\n";
  auto with_file = options();
  with_file.pid_file = file;
  PgbouncerSource source(io_.get_executor(), with_file);
  auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_GT(value_of(*page, "pgbouncer_process_resident_memory_bytes", {}), 1e6);
  EXPECT_GT(value_of(*page, "pgbouncer_process_open_fds", {}), 5);
  pooler_->freeze();
  const auto hung = collect(source, 200ms);
  ASSERT_FALSE(hung);
  EXPECT_NE(source.down(hung.error()).find("pgbouncer_process_resident_memory_bytes"), nullptr);
  pooler_->kill();
  EXPECT_EQ(source.down(hung.error()).find("pgbouncer_process_resident_memory_bytes"), nullptr);
}

}  // namespace
}  // namespace midst::sources
