// What arrives at the agent: every request, statement, Redis command and lookup, each once.
#include "tests/integration/api/api_process.hpp"
#include "tests/integration/push/agent_thread.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace midst {
namespace {

using test::ApiProcess;
using test::profile_json;

const std::string fast_push = "[push]\ninterval = \"100ms\"\n";

struct ApiCounting : testing::Test {
  test::AgentThread agent;
  ApiCounting() { agent.listen(); }

  ApiProcess::Variables variables(ApiProcess::Variables more = {}) const {
    more["MIDST_PUSH_SOCKET"] = agent.path();
    return more;
  }
  std::optional<double> value(std::string_view family, std::string_view labels = "") {
    return test::value_of(agent.snapshot(), family, labels);
  }
  /// Waits for the value and then looks once more after a further flush, so that counting too much fails too.
  void expect_settles_at(double expected, const std::string& family, const std::string& labels = {}) {
    EXPECT_TRUE(test::eventually([&] { return value(family, labels) == expected; }, std::chrono::seconds(5)))
        << family << "{" << labels << "} is " << value(family, labels).value_or(std::nan("")) << ", not " << expected;
  }
  double requests(const std::string& method, const std::string& route, int status) {
    return value("http_requests_total",
                 "method=\"" + method + "\",route=\"" + route + "\",status=\"" + std::to_string(status) + "\"")
        .value_or(0);
  }
  double all_requests() {
    const auto snapshot = agent.snapshot();
    const auto* family = snapshot.find("http_requests_total");
    double sum = 0;
    if (family != nullptr)
      for (const auto one : family->values) sum += one;
    return sum;
  }
};

TEST_F(ApiCounting, CountsEachRequestOnceUnderItsTemplateAndStatus) {
  const ApiProcess api(variables(), fast_push);
  (void)api.post("/v1/profiles", profile_json("ada", "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b"));
  for (int i = 0; i < 7; ++i) (void)api.get("/v1/profiles/0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b");
  for (int i = 0; i < 3; ++i) (void)api.get("/v1/profiles/no-uuid-" + std::to_string(i));
  (void)api.get("/v1/profiles/00000000-0000-0000-0000-000000000000");
  for (int i = 0; i < 5; ++i) (void)api.get("/random/" + std::to_string(i) + "?x=" + std::to_string(i));
  (void)api.get("/v1/profiles?limit=1000");
  (void)api.get("/health");
  (void)api.get("/ready");
  test::HttpClient(api.address()).request("BREW", "/health");
  test::HttpClient(api.address()).request("HEAD", "/health");

  const std::string one = R"(route="/v1/profiles/:id")", all = R"(route="/v1/profiles")";
  expect_settles_at(1, "http_requests_total", R"(method="HEAD",route="/health",status="200")");
  expect_settles_at(1, "http_requests_total", R"(method="POST",)" + all + R"(,status="201")");
  expect_settles_at(7, "http_requests_total", R"(method="GET",)" + one + R"(,status="200")");
  expect_settles_at(3, "http_requests_total", R"(method="GET",)" + one + R"(,status="400")");
  expect_settles_at(1, "http_requests_total", R"(method="GET",)" + one + R"(,status="404")");
  expect_settles_at(5, "http_requests_total", R"(method="GET",route="unmatched",status="404")");
  expect_settles_at(1, "http_requests_total", R"(method="GET",)" + all + R"(,status="400")");
  expect_settles_at(1, "http_requests_total", R"(method="GET",route="/health",status="200")");
  expect_settles_at(1, "http_requests_total", R"(method="GET",route="/ready",status="200")");
  expect_settles_at(1, "http_requests_total", R"(method="_OTHER",route="/health",status="405")");
  expect_settles_at(0, "http_requests_total", R"(method="GET",)" + one + R"(,status="500")");
  EXPECT_EQ(all_requests(), 22);

  const auto snapshot = agent.snapshot();
  const auto* durations =
      test::distribution_of(snapshot, "http_request_duration_seconds", R"(method="GET",route="/v1/profiles/:id")");
  ASSERT_NE(durations, nullptr);
  EXPECT_EQ(durations->count, 11U);
  const std::vector<double> bounds(durations->bounds.begin(), durations->bounds.end());
  for (const double bound : {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1.0, 2.5, 5.0, 10.0})
    EXPECT_NE(std::find(bounds.begin(), bounds.end(), bound), bounds.end()) << bound;
}

TEST_F(ApiCounting, CountsStatementsCommandsAndLookupsOnceEach) {
  const test::PostgresServer postgres;
  const test::RedisServer redis;
  const ApiProcess api(variables({{"DATABASE_URL", postgres.dsn()}, {"REDIS_URL", redis.url()}}), fast_push);
  ASSERT_TRUE(api.wait_until_ready());
  const auto gets = [&] { return value("redis_operations_total", R"(operation="get")").value_or(0); };
  EXPECT_EQ(gets(), 0);
  (void)api.get("/v1/profiles");                                                                // miss, select, set
  for (int i = 0; i < 4; ++i) (void)api.get("/v1/profiles");                                    // hit
  (void)api.post("/v1/profiles", profile_json("ada", "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b"));  // insert, unlink, scan
  (void)api.get("/v1/profiles/0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b");                           // miss, select, set
  (void)api.get("/v1/profiles/0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b");                           // hit

  expect_settles_at(5, "cache_hits_total", R"(cache_type="redis")");
  expect_settles_at(2, "cache_misses_total", R"(cache_type="redis")");
  expect_settles_at(0, "cache_hits_total", R"(cache_type="memory")");
  expect_settles_at(7, "redis_operations_total", R"(operation="get")");
  expect_settles_at(2, "redis_operations_total", R"(operation="set")");
  expect_settles_at(2, "redis_operations_total", R"(operation="unlink")");  // the profile's key, the page's key
  expect_settles_at(2, "db_queries_total", R"(operation="select",table="profiles")");
  expect_settles_at(1, "db_queries_total", R"(operation="insert",table="profiles")");
  EXPECT_GE(value("redis_operations_total", R"(operation="scan")").value_or(0), 1);

  const auto snapshot = agent.snapshot();
  const auto* selects =
      test::distribution_of(snapshot, "db_query_duration_seconds", R"(operation="select",table="profiles")");
  ASSERT_NE(selects, nullptr);
  EXPECT_EQ(selects->count, 2U);
  EXPECT_GT(selects->sum, 0);
  const auto* redis_gets = test::distribution_of(snapshot, "redis_operation_duration_seconds", R"(operation="get")");
  ASSERT_NE(redis_gets, nullptr);
  EXPECT_EQ(redis_gets->count, 7U);
  // What Redis itself has counted.
  const auto stats =
      test::run_command({"redis-cli", "-p", std::to_string(redis.port()), "INFO", "commandstats"}).output;
  EXPECT_NE(stats.find("cmdstat_get:calls=7,"), std::string::npos) << stats;
  EXPECT_NE(stats.find("cmdstat_set:calls=2,"), std::string::npos) << stats;
  EXPECT_EQ(stats.find("cmdstat_keys"), std::string::npos) << stats;
}

TEST_F(ApiCounting, CountsMemoryLookupsAsMemoryAndNoStatementsWithoutADatabase) {
  const ApiProcess api(variables(), fast_push);
  (void)api.get("/v1/profiles");
  (void)api.get("/v1/profiles");
  expect_settles_at(1, "cache_hits_total", R"(cache_type="memory")");
  expect_settles_at(1, "cache_misses_total", R"(cache_type="memory")");
  EXPECT_EQ(
      agent.snapshot().find("db_queries_total") == nullptr || agent.snapshot().find("db_queries_total")->values.empty(),
      true);
  EXPECT_EQ(value("cache_hits_total", R"(cache_type="redis")"), std::nullopt);
}

TEST_F(ApiCounting, ShowsPoolConnectionsAndProcess) {
  const test::PostgresServer postgres;
  const ApiProcess api(variables({{"DATABASE_URL", postgres.dsn()}}), fast_push);
  ASSERT_TRUE(api.wait_until_ready());
  test::HttpClient kept(api.address());
  (void)kept.get("/health");
  expect_settles_at(1, "db_pool_connections", R"(state="idle")");
  expect_settles_at(0, "db_pool_connections", R"(state="active")");
  expect_settles_at(0, "db_pool_connections", R"(state="waiting")");
  expect_settles_at(1, "active_connections", R"(type="http_open")");
  expect_settles_at(0, "active_connections", R"(type="http")");
  EXPECT_GT(value("api_process_resident_memory_bytes").value_or(0), 1e6);
  EXPECT_GT(value("api_process_open_fds").value_or(0), 5);
  EXPECT_GT(value("api_process_start_time_seconds").value_or(0), 1.6e9);
  EXPECT_TRUE(value("api_process_cpu_seconds_total", R"(mode="user")"));
}

TEST_F(ApiCounting, CountsRequestsWhoseClientsWentAwayAndLeavesNoneInFlight) {
  const test::PostgresServer postgres;
  const ApiProcess api(variables({{"DATABASE_URL", postgres.dsn()}}),
                       fast_push + "[http]\nrequest_timeout = \"10s\"\n");
  ASSERT_TRUE(api.wait_until_ready());
  (void)api.get("/v1/profiles?limit=100");
  postgres.sql("CREATE TABLE gate (); ");
  // A lock that the list has to wait for, held by a session of ours.
  test::TempDir directory;
  test::Process holder({"psql", "-XAtq", postgres.dsn(), "-c",
                        "BEGIN; LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"},
                       directory.path() / "psql.log", false);
  ASSERT_TRUE(test::eventually([&] {
    return postgres.sql(
               "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
               "AND relation = 'profiles'::regclass") == "1\n";
  }));
  constexpr int count = 6;
  {
    std::vector<std::unique_ptr<test::HttpClient>> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<test::HttpClient>(api.address()));
      clients.back()->send("GET /v1/profiles?offset=" + std::to_string(i) + " HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    expect_settles_at(count, "active_connections", R"(type="http")");
  }
  postgres.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' "
      "AND pid <> pg_backend_pid()");
  expect_settles_at(0, "active_connections", R"(type="http")");
  expect_settles_at(count + 1, "http_requests_total", R"(method="GET",route="/v1/profiles",status="200")");
  expect_settles_at(0, "db_pool_connections", R"(state="active")");
}

TEST_F(ApiCounting, CountsWhatCannotBeReadApart) {
  const ApiProcess api(variables(), fast_push);
  test::HttpClient client(api.address());
  client.send("no request at all\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 400);
  expect_settles_at(1, "api_http_unreadable_requests_total");
  EXPECT_EQ(all_requests(), 0);
}

TEST_F(ApiCounting, SendsItsLastCountsWhenItEnds) {
  ApiProcess api(variables(), "[push]\ninterval = \"10s\"\n");
  for (int i = 0; i < 3; ++i) (void)api.get("/health");
  api.signal(SIGTERM);
  EXPECT_EQ(api.wait_for_exit(), 0);
  expect_settles_at(3, "http_requests_total", R"(method="GET",route="/health",status="200")");
}

}  // namespace
}  // namespace midst
