// What a client sees: profiles through Postgres, PgBouncer or memory, and the cache in front of them.
#include "tests/integration/api/api_process.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace midst {
namespace {

using nlohmann::json;
using test::ApiProcess;
using test::profile_json;

constexpr const char* an_id = "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b";

/// Create, list, get, once through the store and once through the cache.
void expect_round_trip(const ApiProcess& api) {
  ASSERT_TRUE(api.wait_until_ready()) << api.log();
  EXPECT_EQ(api.get("/v1/profiles").body, R"({"ok":true,"offset":0,"limit":20,"data":[],"total":0})");
  const auto created = api.post("/v1/profiles", profile_json("ada", an_id));
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(created.header("Location"), std::string("/v1/profiles/") + an_id);

  const auto listed = api.get("/v1/profiles");
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(listed.header("X-Cache"), "MISS");
  const auto page = json::parse(listed.body);
  EXPECT_EQ(page["total"], 1);
  ASSERT_EQ(page["data"].size(), 1U);
  EXPECT_EQ(page["data"][0]["slug"], "ada");
  EXPECT_EQ(page["data"][0]["createdAt"].get<std::string>().size(), 24U);
  EXPECT_EQ(api.get("/v1/profiles").header("X-Cache"), "HIT");

  const auto path = std::string("/v1/profiles/") + an_id;
  const auto got = api.get(path);
  EXPECT_EQ(got.header("X-Cache"), "MISS");
  EXPECT_EQ(json::parse(got.body), json::parse(created.body));
  const auto again = api.get(path);
  EXPECT_EQ(again.header("X-Cache"), "HIT");
  EXPECT_EQ(again.body, got.body);

  EXPECT_EQ(api.post("/v1/profiles", profile_json("other", an_id)).status, 409);
  EXPECT_EQ(api.get("/v1/profiles/00000000-0000-0000-0000-000000000000").status, 404);
  EXPECT_EQ(api.post("/v1/profiles", profile_json("bob")).status, 201);
  const auto newer = api.get("/v1/profiles?limit=1");
  EXPECT_EQ(json::parse(newer.body)["total"], 2);
  EXPECT_EQ(json::parse(newer.body)["data"][0]["slug"], "bob");
  EXPECT_EQ(api.get("/v1/profiles").header("X-Cache"), "MISS");
  EXPECT_EQ(json::parse(api.get("/v1/profiles?offset=5").body)["data"].size(), 0U);
  EXPECT_EQ(json::parse(api.get("/v1/profiles?offset=5").body)["total"], 2);
}

TEST(ApiProfiles, GoThroughPostgresAndRedis) {
  const test::PostgresServer postgres;
  const test::RedisServer redis;
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}, {"REDIS_URL", redis.url()}});
  expect_round_trip(api);
  EXPECT_EQ(api.get("/ready").body, R"({"status":"ready","checks":{"database":"ok","redis":"ok"}})");
  EXPECT_EQ(postgres.sql("SELECT count(*) FROM profiles WHERE data->>'isActive' = 'true'"), "2\n");
  const auto keys = test::run_command({"redis-cli", "-p", std::to_string(redis.port()), "KEYS", "*"}).output;
  EXPECT_NE(keys.find("midst:profiles:page:0:20"), std::string::npos) << keys;
  EXPECT_NE(keys.find(std::string("midst:profile:") + an_id), std::string::npos) << keys;
}

TEST(ApiProfiles, GoThroughPgBouncerInTransactionMode) {
  const test::PostgresServer postgres;
  const test::PgBouncerServer bouncer(postgres);
  const ApiProcess api({{"DATABASE_URL", bouncer.dsn("postgres")}});
  expect_round_trip(api);
}

TEST(ApiProfiles, GoThroughPreparedStatementsWhenToldTo) {
  const test::PostgresServer postgres;
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}}, "[database]\nprepared_statements = true\npool_size = 1\n");
  expect_round_trip(api);
}

TEST(ApiProfiles, LiveInMemoryWithoutADatabase) {
  const ApiProcess api({});
  expect_round_trip(api);
  EXPECT_EQ(api.get("/ready").body, R"({"status":"ready","checks":{}})");
  EXPECT_NE(api.log().find("profiles are gone with this process"), std::string::npos);
}

TEST(ApiProfiles, InMemoryAreNotShadowedByWhatAnEarlierProcessLeftInRedis) {
  const test::RedisServer redis;
  const ApiProcess::Variables variables{{"REDIS_URL", redis.url()}};
  {
    const ApiProcess earlier(variables);
    ASSERT_TRUE(earlier.wait_until_ready());
    EXPECT_EQ(earlier.post("/v1/profiles", profile_json("ada", an_id)).status, 201);
    EXPECT_EQ(json::parse(earlier.get("/v1/profiles").body)["total"], 1);
    EXPECT_EQ(earlier.get("/v1/profiles").header("X-Cache"), "HIT");
  }
  const ApiProcess later(variables);
  ASSERT_TRUE(later.wait_until_ready());
  EXPECT_EQ(json::parse(later.get("/v1/profiles").body)["total"], 0);
}

TEST(ApiProfiles, AreForgottenByTheCacheOfEveryInstanceThatSharesRedis) {
  const test::PostgresServer postgres;
  const test::RedisServer redis;
  const ApiProcess::Variables variables{{"DATABASE_URL", postgres.dsn()}, {"REDIS_URL", redis.url()}};
  const ApiProcess first(variables), second(variables);
  ASSERT_TRUE(first.wait_until_ready());
  ASSERT_TRUE(second.wait_until_ready());
  EXPECT_EQ(json::parse(second.get("/v1/profiles").body)["total"], 0);
  EXPECT_EQ(second.get("/v1/profiles").header("X-Cache"), "HIT");
  EXPECT_EQ(first.post("/v1/profiles", profile_json("ada")).status, 201);
  EXPECT_EQ(json::parse(second.get("/v1/profiles").body)["total"], 1);
}

TEST(ApiProfiles, UseTheIndexThatWasMadeForTheList) {
  const test::PostgresServer postgres;
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}});
  ASSERT_TRUE(api.wait_until_ready());
  postgres.sql(
      "INSERT INTO profiles SELECT gen_random_uuid(), '{}', now() - n * interval '1 second', now()"
      " FROM generate_series(1, 20000) AS n; ANALYZE profiles");
  const auto plan =
      postgres.sql("EXPLAIN SELECT data, created_at, id FROM profiles ORDER BY created_at DESC, id LIMIT 20 OFFSET 40");
  EXPECT_NE(plan.find("Index Scan using profiles_created_at_id_idx"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("Sort"), std::string::npos) << plan;
  EXPECT_EQ(json::parse(api.get("/v1/profiles?offset=19990&limit=100").body)["data"].size(), 10U);
}

TEST(ApiProfiles, KeepWhatTheyWereGiven) {
  const test::PostgresServer postgres;
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}});
  ASSERT_TRUE(api.wait_until_ready());
  const auto sent = json::parse(
      R"({"slug":"u-1","displayName":"Zoë \"Ω\" \\ 雪 😀","summaryMarkdown":"a\nb\t'; DROP TABLE profiles; --",)"
      R"("email":"z@example.org","website":"https://example.org/?q=1","isActive":false,)"
      R"("externalIds":[{"system":"github","value":"zoe"}],"skills":["c++",{"label":"sql","weight":0.5}],)"
      R"("settings":{"visibility":"private","sectionOrder":["a"],"agentAccess":{"enabled":true}}})");
  const auto created = json::parse(api.post("/v1/profiles", sent.dump()).body)["data"];
  for (const auto& [key, value] : sent.items()) EXPECT_EQ(created[key], value) << key;
  EXPECT_EQ(postgres.sql("SELECT data->>'displayName' FROM profiles"), "Zoë \"Ω\" \\ 雪 😀\n");
}

TEST(ApiProfiles, AnswerEveryBadRequestWithAFourAndTheOneErrorShape) {
  const test::PostgresServer postgres;
  const ApiProcess api({{"DATABASE_URL", postgres.dsn()}});
  ASSERT_TRUE(api.wait_until_ready());
  struct Row {
    const char *method, *target;
    std::string body;
    int status;
  };
  const std::string nested =
      R"({"slug":"a","displayName":"a","skills":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
  const Row rows[] = {
      {"GET", "/v1/profiles/test-profile-7", "", 400},
      {"GET", "/v1/profiles/%00", "", 400},
      {"GET", "/v1/profiles/' OR 1=1", "", 400},
      {"GET", "/v1/profiles/00000000-0000-0000-0000-00000000000%27", "", 400},
      {"GET", "/v1/profiles?limit=0", "", 400},
      {"GET", "/v1/profiles?limit=101", "", 400},
      {"GET", "/v1/profiles?limit=abc", "", 400},
      {"GET", "/v1/profiles?limit=1.5", "", 400},
      {"GET", "/v1/profiles?limit=%zz", "", 400},
      {"GET", "/v1/profiles?offset=-1", "", 400},
      {"GET", "/v1/profiles?offset=9223372036854775808", "", 400},
      {"GET", "/v1/profiles?limit=1&limit=2", "", 400},
      {"POST", "/v1/profiles", "{", 400},
      {"POST", "/v1/profiles", "[]", 400},
      {"POST", "/v1/profiles", "\xff\xfe", 400},
      {"POST", "/v1/profiles", R"({"slug":"a","displayName":"\u0000"})", 400},
      {"POST", "/v1/profiles", R"({"slug":"a","displayName":"\ud800"})", 400},
      {"POST", "/v1/profiles", R"({"slug":"a","displayName":1e999})", 400},
      {"POST", "/v1/profiles", R"({"slug":"a","displayName":"a","id":"x"})", 400},
      {"POST", "/v1/profiles", nested, 400},
      {"POST", "/v1/profiles", std::string(256 * 1024 + 1, ' '), 413},
      {"PUT", "/v1/profiles", "{}", 405},
      {"DELETE", "/health", "", 405},
      {"BREW", "/v1/profiles", "", 405},
      {"GET", "/", "", 404},
      {"GET", "/v1/profiles/", "", 404},
      {"GET", "/v2/profiles", "", 404},
      {"GET", "/.env?x=1", "", 404},
  };
  for (const auto& row : rows) {
    test::HttpClient client(api.address());
    std::string target(row.target);
    while (target.find(' ') != std::string::npos) target.replace(target.find(' '), 1, "%20");
    const auto answer = client.request(row.method, target, "Content-Type: application/json\r\n", row.body);
    const auto what = std::string(row.method) + " " + row.target + " " + row.body.substr(0, 60);
    EXPECT_EQ(answer.status, row.status) << what << "\n" << answer.body;
    const auto body = json::parse(answer.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << what << "\n" << answer.body;
    EXPECT_EQ(body["ok"], false) << what;
    EXPECT_TRUE(body["error"].is_string() && body["message"].is_string()) << what;
    EXPECT_EQ(answer.header("X-API-Version"), "1") << what;
  }
}

}  // namespace
}  // namespace midst
