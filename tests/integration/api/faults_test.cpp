// Servers that die, hang and come back under the API.
#include "tests/integration/api/api_process.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace midst {
namespace {

using nlohmann::json;
using test::ApiProcess;
using test::eventually;
using test::profile_json;

struct ApiFaults : testing::Test {
  test::PostgresServer postgres;
  test::RedisServer redis;
  ApiProcess api{{{"DATABASE_URL", postgres.dsn()}, {"REDIS_URL", redis.url()}},
                 "[http]\nrequest_timeout = \"1s\"\n[cache]\nretry_interval = \"100ms\"\n"};
  ApiFaults() { EXPECT_TRUE(api.wait_until_ready()) << api.log(); }

  std::size_t count_in_log(const std::string& text) const {
    const auto log = api.log();
    std::size_t count = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
    return count;
  }
  int total() const { return json::parse(api.get("/v1/profiles").body)["total"].get<int>(); }
};

TEST_F(ApiFaults, LosingRedisFailsNoRequestAndIsSaidOnce) {
  EXPECT_EQ(total(), 0);
  redis.kill();
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(api.post("/v1/profiles", profile_json("p" + std::to_string(i))).status, 201);
    EXPECT_EQ(total(), i);
  }
  EXPECT_EQ(api.get("/v1/profiles").header("X-Cache"), "HIT");
  const auto ready = api.get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, R"({"status":"degraded","checks":{"database":"ok","redis":"down"}})");
  EXPECT_EQ(api.get("/health").status, 200);
  EXPECT_EQ(count_in_log("redis is away"), 1U);
  redis.start();
  EXPECT_TRUE(eventually([&] { return api.get("/ready").status == 200; })) << api.log();
  EXPECT_EQ(count_in_log("cache uses redis"), 2U);
  EXPECT_EQ(total(), 5);
}

TEST_F(ApiFaults, NothingStaleIsServedAfterRedisHungThroughAWrite) {
  EXPECT_EQ(total(), 0);
  EXPECT_EQ(api.get("/v1/profiles").header("X-Cache"), "HIT");
  redis.freeze();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(api.post("/v1/profiles", profile_json("ada")).status, 201);
  EXPECT_EQ(total(), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  redis.thaw();
  ASSERT_TRUE(eventually([&] { return count_in_log("cache uses redis") == 2; })) << api.log();
  EXPECT_EQ(total(), 1);
}

TEST_F(ApiFaults, LosingPostgresIsSaidPlainlyAndPasses) {
  EXPECT_EQ(api.post("/v1/profiles", profile_json("ada", "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b")).status, 201);
  EXPECT_EQ(api.get("/v1/profiles/0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b").status, 200);
  postgres.kill();
  for (int i = 0; i < 3; ++i) {
    for (const auto& answer : {api.get("/v1/profiles?limit=3"), api.post("/v1/profiles", profile_json("bob"))}) {
      EXPECT_EQ(answer.status, 503) << answer.body;
      EXPECT_EQ(json::parse(answer.body)["ok"], false);
      EXPECT_EQ(json::parse(answer.body)["error"], "storage_unavailable");
      EXPECT_EQ(answer.header("Retry-After"), "1");
    }
  }
  EXPECT_EQ(api.get("/ready").body, R"({"status":"degraded","checks":{"database":"down","redis":"ok"}})");
  EXPECT_EQ(api.get("/v1/profiles/0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b").header("X-Cache"), "HIT");
  postgres.start();
  EXPECT_TRUE(eventually([&] { return api.get("/ready").status == 200; })) << api.log();
  EXPECT_TRUE(eventually([&] { return api.post("/v1/profiles", profile_json("bob")).status == 201; }));
  EXPECT_TRUE(eventually([&] { return api.get("/v1/profiles?limit=3").status == 200; }));
}

TEST_F(ApiFaults, AHangingPostgresCostsARequestItsTimeoutAndNoMore) {
  EXPECT_EQ(api.get("/v1/profiles?limit=3").status, 200);
  postgres.sql("SELECT 1");
  // The backends of the pool hang, not only the postmaster.
  const auto pids = postgres.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'midst-api'");
  std::istringstream lines(pids);
  std::vector<pid_t> backends;
  for (pid_t pid; lines >> pid;) backends.push_back(pid);
  ASSERT_FALSE(backends.empty());
  postgres.freeze();
  for (const auto pid : backends) ::kill(pid, SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = api.get("/v1/profiles?limit=4");
  const auto took = std::chrono::steady_clock::now() - start;
  for (const auto pid : backends) ::kill(pid, SIGCONT);
  postgres.thaw();
  EXPECT_EQ(answer.status, 503) << answer.body;
  EXPECT_EQ(json::parse(answer.body)["error"], "timeout");
  EXPECT_LT(took, std::chrono::milliseconds(2500));
  EXPECT_TRUE(eventually([&] { return api.get("/v1/profiles?limit=4").status == 200; }));
}

TEST_F(ApiFaults, ARestartOfPostgresIsNoInternalError) {
  EXPECT_EQ(api.get("/v1/profiles?limit=3").status, 200);
  postgres.kill(SIGINT);  // Fast shutdown: backends say 57P01 before they go.
  EXPECT_EQ(api.get("/v1/profiles?limit=4").status, 503);
  postgres.start();
  EXPECT_TRUE(eventually([&] {
    const auto status = api.get("/v1/profiles?limit=4").status;
    EXPECT_TRUE(status == 200 || status == 503) << status;
    return status == 200;
  }));
}

TEST(ApiStart, WaitsForADatabaseThatComesLater) {
  test::PostgresServer postgres;
  postgres.kill(SIGINT);
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}});
  EXPECT_EQ(api.get("/ready").status, 503);
  EXPECT_EQ(api.get("/health").status, 200);
  const auto answer = api.get("/v1/profiles");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(json::parse(answer.body)["error"], "storage_unavailable");
  postgres.start();
  EXPECT_TRUE(api.wait_until_ready()) << api.log();
  EXPECT_EQ(api.get("/v1/profiles").status, 200);
}

TEST(ApiStop, GivesAnswersUnderWayTheirTime) {
  test::PostgresServer postgres;
  ApiProcess api({{"DATABASE_URL", postgres.dsn()}});
  ASSERT_TRUE(api.wait_until_ready());
  test::TempDir directory;
  test::Process holder({"psql", "-XAtq", postgres.dsn(), "-c",
                        "BEGIN; LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"},
                       directory.path() / "psql.log", false);
  const auto waiting = [&](const std::string& granted) {
    return postgres.sql("SELECT count(*) FROM pg_locks WHERE relation = 'profiles'::regclass AND granted = " + granted);
  };
  ASSERT_TRUE(eventually([&] { return waiting("true") == "1\n"; }));
  test::HttpClient client(api.address());
  client.send("GET /v1/profiles HTTP/1.1\r\nHost: test\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return waiting("false") == "1\n"; }));
  api.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return api.log().find("msg=stopping") != std::string::npos; }));
  holder.stop(SIGKILL);
  postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
      "AND pid <> pg_backend_pid()");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(api.wait_for_exit(), 0);
  EXPECT_THROW(test::HttpClient(api.address()).get("/health"), std::runtime_error);
}

}  // namespace
}  // namespace midst
