// The schema: applied once, by whoever comes first, and never over a history that says otherwise.
#include "api/repositories/migrations.hpp"

#include "tests/integration/api/api_process.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

using namespace std::chrono_literals;

struct MigrationsTest : testing::Test {
  test::PostgresServer postgres;
  asio::io_context io;

  Result<std::vector<int>> apply(std::span<const Migration> migrations, const std::string& dsn = {}) {
    pq::Connection connection(io.get_executor(), pq::parse_conninfo(dsn.empty() ? postgres.dsn() : dsn).value(), {});
    return test::run(io, migrate(connection, migrations, std::chrono::steady_clock::now() + 20s));
  }
};

TEST_F(MigrationsTest, ApplyEachFileOnceAndRememberItsChecksum) {
  EXPECT_EQ(apply(all_migrations()).value().size(), all_migrations().size());
  EXPECT_EQ(apply(all_migrations()).value().size(), 0U);
  EXPECT_EQ(postgres.sql("SELECT version, name, checksum FROM midst_migrations"),
            "1|001_profiles|" + migration_checksum(all_migrations()[0].sql) + "\n");
  EXPECT_EQ(
      postgres.sql("SELECT column_name, data_type, is_nullable FROM information_schema.columns"
                   " WHERE table_name = 'profiles' ORDER BY ordinal_position"),
      "id|uuid|NO\ndata|jsonb|NO\ncreated_at|timestamp with time zone|NO\nupdated_at|timestamp with time zone|NO\n");
}

TEST_F(MigrationsTest, ApplyOnlyWhatIsMissing) {
  const std::vector<Migration> first{{1, "001_a", "CREATE TABLE a ()"}};
  const std::vector<Migration> both{{1, "001_a", "CREATE TABLE a ()"},
                                    {2, "002_b", "CREATE TABLE b (); CREATE TABLE c ();"}};
  EXPECT_EQ(apply(first).value(), std::vector<int>{1});
  EXPECT_EQ(apply(both).value(), std::vector<int>{2});
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM pg_tables WHERE tablename IN ('a', 'b', 'c')"), "3\n");
}

TEST_F(MigrationsTest, RefuseAFileThatWasChangedAfterItHadBeenApplied) {
  EXPECT_TRUE(apply(std::vector<Migration>{{1, "001_a", "CREATE TABLE a ()"}}));
  const auto outcome = apply(std::vector<Migration>{{1, "001_a", "CREATE TABLE a (b int)"}});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::config);
  EXPECT_NE(outcome.error().message.find("001_a was changed"), std::string::npos);
}

TEST_F(MigrationsTest, RefuseADatabaseThatIsNewerThanTheProgram) {
  EXPECT_TRUE(apply(std::vector<Migration>{{1, "001_a", "CREATE TABLE a ()"}, {7, "007_b", "CREATE TABLE b ()"}}));
  const auto outcome = apply(std::vector<Migration>{{1, "001_a", "CREATE TABLE a ()"}});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::config);
  EXPECT_NE(outcome.error().message.find("migration 7"), std::string::npos);
}

TEST_F(MigrationsTest, LeaveNothingOfTheOneThatFails) {
  const std::vector<Migration> migrations{{1, "001_a", "CREATE TABLE a ()"},
                                          {2, "002_b", "CREATE TABLE b (); CREATE TABLE b ();"}};
  const auto outcome = apply(migrations);
  ASSERT_FALSE(outcome);
  EXPECT_NE(outcome.error().message.find("migration 002_b"), std::string::npos) << outcome.error().message;
  EXPECT_EQ(postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"),
            "a\nmidst_migrations\n");
  EXPECT_EQ(postgres.sql("SELECT version FROM midst_migrations"), "1\n");
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0\n");
}

TEST_F(MigrationsTest, ReportAConflictInsideAMigrationInsteadOfTryingForEver) {
  const auto outcome =
      apply(std::vector<Migration>{{1, "001_a", "CREATE TABLE a (b int PRIMARY KEY); INSERT INTO a VALUES (1), (1);"}});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::conflict);
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM midst_migrations"), "0\n");
}

TEST_F(MigrationsTest, WaitForAnInstanceThatIsAtWork) {
  test::TempDir directory;
  test::Process holder({"psql", "-XAtq", postgres.dsn(), "-c",
                        "BEGIN; SELECT pg_advisory_xact_lock(469919626100); SELECT pg_sleep(600)"},
                       directory.path() / "psql.log", false);
  const auto locks = [&](const std::string& granted) {
    return postgres.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted = " + granted);
  };
  ASSERT_TRUE(test::eventually([&] { return locks("true") == "1\n"; }));
  const test::ApiProcess api(test::ApiProcess::Variables{{"DATABASE_URL", postgres.dsn()}});
  ASSERT_TRUE(test::eventually([&] { return locks("false") == "1\n"; }));
  EXPECT_EQ(api.get("/ready").status, 503);
  EXPECT_EQ(postgres.sql("SELECT to_regclass('profiles') IS NULL"), "t\n");
  postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
      "AND pid <> pg_backend_pid()");
  EXPECT_TRUE(api.wait_until_ready()) << api.log();
}

TEST_F(MigrationsTest, WorkThroughPgBouncerInTransactionMode) {
  const test::PgBouncerServer bouncer(postgres);
  EXPECT_EQ(apply(all_migrations(), bouncer.dsn("postgres")).value().size(), all_migrations().size());
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0\n");
}

TEST_F(MigrationsTest, TakeTurnsWhenInstancesStartTogether) {
  const test::ApiProcess::Variables variables{{"DATABASE_URL", postgres.dsn()}};
  const test::ApiProcess first(variables), second(variables), third(variables);
  for (const auto* api : {&first, &second, &third}) {
    EXPECT_TRUE(api->wait_until_ready()) << api->log();
    EXPECT_EQ(api->log().find("trying again"), std::string::npos) << api->log();
  }
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM midst_migrations"), "1\n");
}

TEST_F(MigrationsTest, EndAProgramThatTheDatabaseContradicts) {
  EXPECT_TRUE(apply(all_migrations()));
  postgres.sql("UPDATE midst_migrations SET checksum = 'other'");
  test::ApiProcess api(test::ApiProcess::Variables{{"DATABASE_URL", postgres.dsn()}});
  EXPECT_EQ(api.wait_for_exit(), 78);
  EXPECT_NE(api.log().find("001_profiles was changed"), std::string::npos) << api.log();
}

}  // namespace
}  // namespace midst::api
