#include "api/http/routes/profiles.hpp"

#include "api/cache/memory_cache.hpp"
#include "tests/support/loop.hpp"

#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

namespace midst::api {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* ada =
    R"({"id":"0190A6B2-7C3D-7E4F-8A5B-0C1D2E3F4A5B","slug":"ada","displayName":"Ada Lovelace"})";
constexpr const char* ada_id = "0190a6b2-7c3d-7e4f-8a5b-0c1d2e3f4a5b";

/// Hands on to a real store, but lists only after being told to, with what was there when it was asked.
class SlowProfiles final : public Profiles {
 public:
  SlowProfiles(asio::io_context& io, Profiles& below)
      : gate(io, asio::steady_timer::time_point::max()), below_(below) {}
  asio::awaitable<Result<ProfilePage>> list(Page page, Deadline deadline) override {
    auto listing = below_.list(page, deadline);
    auto found = co_await std::move(listing);
    is_waiting = true;
    co_await gate.async_wait(as_result);
    co_return found;
  }
  asio::awaitable<Result<std::string>> get(std::string id, Deadline deadline) override {
    return below_.get(std::move(id), deadline);
  }
  asio::awaitable<Result<std::string>> create(NewProfile profile, Deadline deadline) override {
    return below_.create(std::move(profile), deadline);
  }
  asio::steady_timer gate;
  bool is_waiting = false;

 private:
  Profiles& below_;
};

struct ProfileRoutesTest : testing::Test {
  asio::io_context io;
  std::unique_ptr<Profiles> profiles =
      make_memory_profiles([] { return std::chrono::system_clock::time_point(1'735'689'600'123ms); }, 3);
  MemoryCache cache{{}, {}, [] { return std::chrono::steady_clock::now(); }, [] { return 0.0; }};
  ProfileRoutes routes{*profiles, cache};

  static Call call(std::string query, std::vector<std::string> arguments = {}, std::string body = {}) {
    Call call;
    call.request.query = std::move(query);
    call.request.body = std::move(body);
    call.arguments = std::move(arguments);
    call.deadline = std::chrono::steady_clock::now() + 5s;
    return call;
  }
  net::Response list(std::string query = {}) { return test::run(io, routes.list(call(std::move(query)))).value(); }
  Result<net::Response> get(std::string id) { return test::run(io, routes.get(call({}, {std::move(id)}))); }
  Result<net::Response> create(std::string body) { return test::run(io, routes.create(call({}, {}, std::move(body)))); }

  static std::string header(const net::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return "(none)";
  }
};

TEST_F(ProfileRoutesTest, ListsNothingAtFirst) {
  const auto response = list();
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"ok":true,"offset":0,"limit":20,"data":[],"total":0})");
}

TEST_F(ProfileRoutesTest, CreatesAProfileAndServesItUnderItsLocation) {
  const auto created = create(ada).value();
  EXPECT_EQ(created.status, 201U);
  EXPECT_EQ(header(created, "Location"), std::string("/v1/profiles/") + ada_id);
  const auto data = json::parse(created.body)["data"];
  EXPECT_EQ(data["id"], ada_id);
  EXPECT_EQ(data["displayName"], "Ada Lovelace");
  EXPECT_EQ(data["isActive"], true);
  EXPECT_EQ(data["createdAt"], "2025-01-01T00:00:00.123Z");
  EXPECT_EQ(data["updatedAt"], "2025-01-01T00:00:00.123Z");
  const auto got = get("0190A6B2-7C3D-7E4F-8A5B-0C1D2E3F4A5B").value();
  EXPECT_EQ(got.status, 200U);
  EXPECT_EQ(json::parse(got.body), json::parse(created.body));
}

TEST_F(ProfileRoutesTest, KeepsIdAndTimesItsOwnWhateverIsSent) {
  const auto created = create(R"({"slug":"a","displayName":"A","createdAt":"1999-01-01T00:00:00Z","roles":["admin"]})");
  const auto data = json::parse(created.value().body)["data"];
  EXPECT_EQ(data["createdAt"], "2025-01-01T00:00:00.123Z");
  EXPECT_FALSE(data.contains("roles"));
  EXPECT_EQ(data["id"].get<std::string>().size(), 36U);
  EXPECT_EQ(data["identityId"].get<std::string>().size(), 36U);
}

TEST_F(ProfileRoutesTest, AnswersTheSecondReadFromTheCacheAndAnewAfterAWrite) {
  EXPECT_EQ(header(list(), "X-Cache"), "MISS");
  EXPECT_EQ(header(list(), "X-Cache"), "HIT");
  EXPECT_EQ(header(list("offset=0&limit=20"), "X-Cache"), "HIT");
  EXPECT_EQ(header(list("limit=21"), "X-Cache"), "MISS");
  (void)create(ada);
  EXPECT_EQ(header(list(), "X-Cache"), "MISS");
  EXPECT_EQ(json::parse(list().body)["total"], 1);
  EXPECT_EQ(header(get(ada_id).value(), "X-Cache"), "MISS");
  EXPECT_EQ(header(get(ada_id).value(), "X-Cache"), "HIT");
}

TEST_F(ProfileRoutesTest, PagesFromTheNewestToTheOldest) {
  for (const auto* slug : {"first", "second", "third"})
    (void)create(R"({"displayName":"x","slug":")" + std::string(slug) + "\"}");
  const auto page = json::parse(list("offset=1&limit=1").body);
  EXPECT_EQ(page["total"], 3);
  EXPECT_EQ(page["offset"], 1);
  EXPECT_EQ(page["limit"], 1);
  ASSERT_EQ(page["data"].size(), 1U);
  EXPECT_EQ(page["data"][0]["slug"], "second");
  EXPECT_EQ(json::parse(list("offset=3").body)["data"].size(), 0U);
}

TEST_F(ProfileRoutesTest, DoesNotCacheAPageThatWasReadBeforeAWrite) {
  SlowProfiles slow(io, *profiles);
  ProfileRoutes slow_routes(slow, cache);
  std::optional<net::Response> listed;
  asio::co_spawn(io, slow_routes.list(call({})),
                 [&](std::exception_ptr, Result<net::Response> response) { listed = response.value(); });
  ASSERT_TRUE(test::run_until(io, [&] { return slow.is_waiting; }));
  (void)test::run(io, slow_routes.create(call({}, {}, ada)));
  slow.gate.cancel();
  ASSERT_TRUE(test::run_until(io, [&] { return listed.has_value(); }));
  EXPECT_EQ(json::parse(listed->body)["total"], 0);
  EXPECT_EQ(json::parse(list().body)["total"], 1);
}

TEST_F(ProfileRoutesTest, RefusesAnIdThatIsNoUuidAndDoesNotFindOneThatIs) {
  EXPECT_EQ(get("test-profile-7").value().status, 400U);
  EXPECT_EQ(get(ada_id).error().code, Errc::not_found);
}

TEST_F(ProfileRoutesTest, RefusesASecondProfileOfTheSameId) {
  EXPECT_EQ(create(ada).value().status, 201U);
  EXPECT_EQ(create(ada).error().code, Errc::conflict);
}

TEST_F(ProfileRoutesTest, RefusesMoreThanTheStoreInMemoryTakes) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(create(R"({"slug":"a","displayName":"A"})").value().status, 201U);
  EXPECT_EQ(create(R"({"slug":"a","displayName":"A"})").error().code, Errc::limit);
}

TEST_F(ProfileRoutesTest, ExplainsWhatIsWrongWithABody) {
  struct Row {
    const char *body, *part;
  };
  for (const auto& row :
       {Row{"", "malformed_json"}, Row{"{", "malformed_json"}, Row{R"({"a":"\u0000"})", "U+0000"},
        Row{"[]", R"("body":"must be an object")"}, Row{"{}", R"("slug":"is required")"},
        Row{R"({"slug":"a","displayName":""})", "displayName"}, Row{R"({"slug":"A","displayName":"x"})", "slug"},
        Row{R"({"slug":"a","displayName":"x","id":"1"})", R"("id":"must be a UUID")"},
        Row{R"({"slug":"a","displayName":"x","email":"no"})", "email"},
        Row{R"({"slug":"a","displayName":"x","website":"ftp://x"})", "website"},
        Row{R"({"slug":"a","displayName":"x","settings":{"visibility":"all"}})", "settings.visibility"},
        Row{R"({"slug":"a","displayName":"x","externalIds":[{"system":"myspace","value":"v"}]})",
            "externalIds[0].system"}}) {
    const auto response = create(row.body).value();
    EXPECT_EQ(response.status, 400U) << row.body;
    EXPECT_NE(response.body.find(row.part), std::string::npos) << response.body;
  }
}

TEST_F(ProfileRoutesTest, TakesJsonOnly) {
  for (const auto& [type, status] : std::map<std::string, unsigned>{{"application/json", 201},
                                                                    {"Application/JSON; charset=utf-8", 201},
                                                                    {"", 201},
                                                                    {"text/plain", 415},
                                                                    {"application/x-www-form-urlencoded", 415}}) {
    auto request = call({}, {}, R"({"slug":"a","displayName":"A"})");
    request.request.headers.emplace_back("Content-Type", type);
    EXPECT_EQ(test::run(io, routes.create(std::move(request))).value().status, status) << type;
  }
}

TEST_F(ProfileRoutesTest, RefusesPagesThatAreNotOne) {
  for (const auto* query : {"limit=0", "limit=101", "offset=-1", "limit=ten", "offset=1.5", "offset=2147483648"}) {
    const auto response = list(query);
    EXPECT_EQ(response.status, 400U) << query;
    EXPECT_NE(response.body.find("validation_failed"), std::string::npos) << query;
  }
  EXPECT_EQ(list("offset=2147483647&limit=100").status, 200U);
}

}  // namespace
}  // namespace midst::api
