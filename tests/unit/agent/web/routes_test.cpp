#include "agent/web/routes.hpp"

#include "lib/metrics/encode.hpp"
#include "tests/support/fake_source.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace midst::web {
namespace {

using namespace std::chrono_literals;
using net::Request;
using net::Response;

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() {
    redis_ = add("redis", "main", 1);
    cache_ = add("redis", "cache", 2);
    postgres_ = add("postgres", "main", 3);
    pgbouncer_ = add("pgbouncer", "pool", 4);
    push_ = add("push", "", 5);
    agent_ = add("agent", "", 6);
  }

  test::FakeSource* add(std::string kind, std::string target, double value) {
    auto source = std::make_unique<test::FakeSource>(scrape::SourceId{std::move(kind), std::move(target)});
    source->value = value;
    auto* seen = source.get();
    scraper_.add(std::move(source));
    return seen;
  }

  Response ask(std::string_view method, std::string_view target, net::Headers headers = {}) {
    Request request;
    request.method = method;
    request.path = target.substr(0, target.find('?'));
    if (const auto query = target.find('?'); query != std::string_view::npos) request.query = target.substr(query + 1);
    request.headers = std::move(headers);
    const auto handler = make_handler(scraper_, options_, hooks_);
    return test::run(io_, handler(std::move(request)));
  }
  Response get(std::string_view target, net::Headers headers = {}) { return ask("GET", target, std::move(headers)); }

  /// @return which sources were asked since the last call, by their values: "1 3".
  std::string asked() {
    std::string names;
    for (auto* source : {redis_, cache_, postgres_, pgbouncer_, push_, agent_}) {
      if (source->collects > 0) names += std::to_string(static_cast<int>(source->value)) + ' ';
      source->collects = 0;
    }
    return names.substr(0, names.size() - (names.empty() ? 0 : 1));
  }

  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (key == name) return value;
    return {};
  }

  asio::io_context io_{1};
  scrape::Scraper scraper_{io_.get_executor(), scrape::ScraperOptions{0ms}};
  WebOptions options_;
  Hooks hooks_;
  test::FakeSource *redis_, *cache_, *postgres_, *pgbouncer_, *push_, *agent_;
};

TEST_F(RoutesTest, MetricsAsksEverySourceAndShowsWhatItSaid) {
  const auto answer = get("/metrics");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(asked(), "1 2 3 4 5 6");
  EXPECT_NE(answer.body.find("fake_value{target=\"cache\"} 2\n"), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("midst_agent_target_up{kind=\"pgbouncer\",target=\"pool\"} 1\n"), std::string::npos);
}

struct SelectionCase {
  std::string_view target, asked;
};

constexpr SelectionCase selections[] = {
    {"/metrics?target=main", "1 3"},
    {"/metrics?target=main&target=pool", "1 3 4"},
    {"/metrics?collect[]=redis", "1 2"},
    {"/metrics?collect%5B%5D=redis&collect[]=push", "1 2 5"},
    {"/metrics?collect[]=agent", "6"},
    {"/metrics?target=main&collect[]=postgres", "3"},
    {"/metrics/redis", "1 2"},
    {"/metrics/redis?target=cache", "2"},
    {"/metrics/redis?collect[]=redis", "1 2"},
    {"/metrics/postgres", "3"},
    {"/metrics/pgbouncer", "4"},
    {"/metrics/api", "5"},
};

TEST_F(RoutesTest, SelectionsAskNoSourceTheyLeaveOut) {
  for (const auto& each : selections) {
    EXPECT_EQ(get(each.target).status, 200U) << each.target;
    EXPECT_EQ(asked(), each.asked) << each.target;
  }
}

TEST_F(RoutesTest, ViewsShowNothingOfTheAgentItself) {
  EXPECT_EQ(get("/metrics/redis").body.find("midst_agent"), std::string::npos);
  EXPECT_NE(get("/metrics").body.find("midst_agent"), std::string::npos);
}

struct BadCase {
  std::string_view target, body;
};

constexpr BadCase bad_requests[] = {
    {"/metrics?collect[]=mysql", "unknown collect[] \"mysql\"; known: redis, postgres, pgbouncer, push, agent\n"},
    {"/metrics?collect[]=", "unknown collect[] \"\"; known: redis, postgres, pgbouncer, push, agent\n"},
    {"/metrics?collect[]=%3Cb%3E%0A", "unknown collect[] \"<b>\\n\"; known: redis, postgres, pgbouncer, push, agent\n"},
    {"/metrics?target=nobody", "unknown target \"nobody\"; known: cache, main, pool\n"},
    {"/metrics?target=main&target=", "unknown target \"\"; known: cache, main, pool\n"},
    {"/metrics/redis?collect[]=postgres", "this page shows redis alone; leave collect[] out\n"},
};

TEST_F(RoutesTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  for (const auto& each : bad_requests) {
    const auto answer = get(each.target);
    EXPECT_EQ(answer.status, 400U) << each.target;
    EXPECT_EQ(answer.body, each.body);
  }
  EXPECT_EQ(asked(), "");
}

TEST_F(RoutesTest, UnknownNamesAreQuotedOnlyInPart) {
  const auto answer = get("/metrics?target=" + std::string(5000, 'a'));
  EXPECT_EQ(answer.body, "unknown target \"" + std::string(64, 'a') + "\"; known: cache, main, pool\n");
}

TEST_F(RoutesTest, AListenerWithAViewServesItOnMetrics) {
  options_.view = "api";
  EXPECT_EQ(get("/metrics").status, 200U);
  EXPECT_EQ(asked(), "5");
  EXPECT_EQ(get("/metrics?collect[]=redis").body, "this page shows push alone; leave collect[] out\n");
}

TEST(Views, AreTheFourThatTheContractNames) {
  EXPECT_EQ(views(), (std::vector<std::string_view>{"redis", "postgres", "pgbouncer", "api"}));
}

TEST_F(RoutesTest, TheFormatFollowsAccept) {
  const auto openmetrics = get("/metrics", {{"Accept", "application/openmetrics-text;version=1.0.0"}});
  EXPECT_EQ(openmetrics.content_type, metrics::content_type(metrics::Format::openmetrics));
  EXPECT_TRUE(openmetrics.body.ends_with("# EOF\n"));
  const auto protobuf = get("/metrics", {{"Accept",
                                          "application/vnd.google.protobuf;proto=io.prometheus.client."
                                          "MetricFamily;encoding=delimited"}});
  EXPECT_EQ(protobuf.content_type, metrics::content_type(metrics::Format::protobuf));
  EXPECT_EQ(get("/metrics", {{"Accept", "text/html"}}).content_type, metrics::content_type(metrics::Format::text));
}

struct BudgetCase {
  std::string_view header;
  std::chrono::milliseconds limit, budget;
};

constexpr BudgetCase budgets[] = {
    {"", 9000ms, 9000ms},    {"10", 9000ms, 9000ms},     {"10.000000", 9000ms, 9000ms}, {"9.5", 9000ms, 9000ms},
    {"5", 9000ms, 4500ms},   {"1", 9000ms, 500ms},       {"0.6", 9000ms, 300ms},        {"0.5", 9000ms, 250ms},
    {"0.001", 9000ms, 1ms},  {"0", 9000ms, 9000ms},      {"-3", 9000ms, 9000ms},        {"nan", 9000ms, 9000ms},
    {"inf", 9000ms, 9000ms}, {"soon", 9000ms, 9000ms},   {"5s", 9000ms, 9000ms},        {"1e300", 9000ms, 9000ms},
    {" 5 ", 9000ms, 4500ms}, {"30", 20'000ms, 20'000ms}, {"10", 9900ms, 9500ms},
};

TEST(ScrapeBudget, LeavesHalfASecondForTheWayBack) {
  for (const auto& each : budgets) EXPECT_EQ(scrape_budget(each.header, each.limit), each.budget) << each.header;
}

TEST_F(RoutesTest, SourcesAreToldTheDeadlineOfTheScrape) {
  const auto before = std::chrono::steady_clock::now();
  get("/metrics", {{"X-Prometheus-Scrape-Timeout-Seconds", "3"}});
  const auto after = std::chrono::steady_clock::now();
  EXPECT_GE(redis_->last_deadline, before + 2500ms);
  EXPECT_LE(redis_->last_deadline, after + 2500ms);
}

TEST_F(RoutesTest, ALateSourceDoesNotHoldBackTheOthers) {
  postgres_->takes = 60s;
  const auto answer = get("/metrics", {{"X-Prometheus-Scrape-Timeout-Seconds", "0.1"}});
  EXPECT_EQ(answer.status, 200U);
  EXPECT_NE(answer.body.find("midst_agent_target_up{kind=\"postgres\",target=\"main\"} 0\n"), std::string::npos);
  EXPECT_NE(answer.body.find("midst_agent_target_up{kind=\"redis\",target=\"main\"} 1\n"), std::string::npos);
}

TEST_F(RoutesTest, ProbeIsOffUnlessTurnedOn) {
  const auto answer = get("/probe?target=main");
  EXPECT_EQ(answer.status, 404U);
  EXPECT_EQ(answer.body, "probing is off; set probe = true under [web] to turn it on\n");
  EXPECT_EQ(asked(), "");
}

TEST_F(RoutesTest, ProbeCollectsConfiguredTargetsAndNothingElse) {
  options_.probe = true;
  const auto answer = get("/probe?target=main");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(asked(), "1 3");
  EXPECT_EQ(answer.body.find("midst_agent"), std::string::npos);
  EXPECT_EQ(get("/probe").body, "name a target, like /probe?target=NAME; known: cache, main, pool\n");
  const auto unknown = get("/probe?target=redis://evil:6379");
  EXPECT_EQ(unknown.status, 400U);
  EXPECT_EQ(unknown.body, "unknown target \"redis://evil:6379\"; known: cache, main, pool\n");
  EXPECT_EQ(asked(), "");
}

TEST_F(RoutesTest, HealthIsOneWordAndReadinessIsAsked) {
  EXPECT_EQ(get("/-/healthy").body, "healthy\n");
  EXPECT_EQ(get("/-/ready").status, 200U);
  hooks_.is_ready = [] { return false; };
  const auto answer = get("/-/ready");
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(answer.body, "not ready\n");
  EXPECT_EQ(get("/-/healthy").status, 200U);
}

TEST_F(RoutesTest, ReloadIsOffUnlessTurnedOn) {
  int reloads = 0;
  hooks_.reload = [&]() -> Result<std::string> { return ++reloads, "1 target"; };
  const auto refused = ask("POST", "/-/reload");
  EXPECT_EQ(refused.status, 403U);
  EXPECT_EQ(refused.body, "reloading over HTTP is off; set lifecycle = true under [web], or send SIGHUP\n");
  EXPECT_EQ(reloads, 0);
  options_.lifecycle = true;
  EXPECT_EQ(ask("POST", "/-/reload").body, "reloaded: 1 target\n");
  EXPECT_EQ(ask("PUT", "/-/reload").status, 200U);
  EXPECT_EQ(reloads, 2);
}

TEST_F(RoutesTest, AFailedReloadSaysWhereTheFaultIs) {
  options_.lifecycle = true;
  hooks_.reload = []() -> Result<std::string> { return Error{Errc::config, "agent.toml:3:1: unknown key \"listeen\""}; };
  const auto answer = ask("POST", "/-/reload");
  EXPECT_EQ(answer.status, 400U);
  EXPECT_EQ(answer.body, "agent.toml:3:1: unknown key \"listeen\"\n");
}

TEST_F(RoutesTest, WrongMethodsAreToldTheRightOnes) {
  const auto post = ask("POST", "/metrics");
  EXPECT_EQ(post.status, 405U);
  EXPECT_EQ(header(post, "Allow"), "GET, HEAD");
  const auto reload = get("/-/reload");
  EXPECT_EQ(reload.status, 405U);
  EXPECT_EQ(header(reload, "Allow"), "PUT, POST");
  EXPECT_EQ(ask("GET, HEAD", "/metrics").status, 405U);
}

TEST_F(RoutesTest, HeadIsAnsweredAsGetIs) {
  for (const auto* path : {"/metrics", "/-/healthy", "/-/ready", "/", "/api/v1/status"})
    EXPECT_EQ(ask("HEAD", path).status, 200U) << path;
}

TEST_F(RoutesTest, OtherPathsAreUnknownAndNotRepeated) {
  for (const auto* path : {"/nothing", "/metrics/", "/metrics/mysql", "/ui/", "/index.html", "//", "/../etc/passwd"}) {
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_EQ(answer.body, "no such page; the start page at / links to all there are\n");
  }
}

TEST_F(RoutesTest, EveryAnswerForbidsSniffing) {
  for (const auto* path : {"/", "/metrics", "/nothing", "/api/v1/status"})
    EXPECT_EQ(header(get(path), "X-Content-Type-Options"), "nosniff") << path;
}

TEST_F(RoutesTest, TheStatusPageIsSelfContained) {
  const auto page = get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(header(page, "Content-Security-Policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  EXPECT_TRUE(page.body.starts_with("<!doctype html>\n<html lang=\"en\">"));
  const auto script = get("/ui/app.js");
  const auto style = get("/ui/style.css");
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(style.content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/ui/icon.svg").content_type, "image/svg+xml");
  for (const auto* text : {&page.body, &script.body, &style.body}) {
    EXPECT_EQ(text->find("//cdn"), std::string::npos);
    EXPECT_EQ(text->find("https://"), std::string::npos);
    EXPECT_EQ(text->find("innerHTML"), std::string::npos);
    EXPECT_EQ(text->find(" style="), std::string::npos) << "the policy forbids inline styles";
  }
  EXPECT_EQ(asked(), "") << "looking at the page must not load the targets";
}

TEST_F(RoutesTest, EveryLinkOfTheStatusPageLeadsSomewhere) {
  const auto page = get("/").body;
  int links = 0;
  for (const std::string_view attribute : {"href=\"/", "src=\"/"}) {
    for (auto at = page.find(attribute); at != std::string::npos; at = page.find(attribute, at + 1)) {
      const auto begin = page.find('"', at) + 1;
      const auto path = page.substr(begin, page.find('"', begin) - begin);
      EXPECT_EQ(get(path).status, 200U) << path;
      ++links;
    }
  }
  EXPECT_GE(links, 10);
}

TEST_F(RoutesTest, StatusIsJsonAboutEverySource) {
  postgres_->fails_with = Error{Errc::auth, "password refused"};
  get("/metrics");
  hooks_.started = std::chrono::steady_clock::now() - 90s;
  hooks_.counters = [] { return std::vector<Counter>{{"midst_agent_http_requests_total", 12}}; };
  const auto answer = get("/api/v1/status");
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(header(answer, "Cache-Control"), "no-store");
  const auto document = nlohmann::json::parse(answer.body);
  EXPECT_EQ(document["targets"].size(), 6U);
  EXPECT_EQ(document["targets"][0]["state"], "up");
  EXPECT_EQ(document["targets"][2]["state"], "down");
  EXPECT_EQ(document["targets"][2]["last_error"]["message"], "password refused");
  EXPECT_GE(document["uptime_seconds"], 90);
  EXPECT_LT(document["uptime_seconds"], 120);
  EXPECT_FALSE(document.contains("counters"));
  const auto live = nlohmann::json::parse(get("/api/v1/live").body);
  EXPECT_EQ(live["counters"]["midst_agent_http_requests_total"], 12);
}

asio::awaitable<Result<std::shared_ptr<const metrics::Exposition>>> page_with(std::string name, double value) {
  metrics::SnapshotBuilder builder;
  builder.add({name, metrics::MetricType::gauge, "", "Shown once."}, value);
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots{
      std::make_shared<const metrics::Snapshot>(builder.freeze())};
  co_return std::make_shared<const metrics::Exposition>(metrics::merge(std::move(snapshots)));
}

asio::awaitable<Result<std::shared_ptr<const metrics::Exposition>>> page_error(Error error) {
  co_return error;
}

asio::awaitable<Result<std::vector<std::string>>> nodes(std::vector<std::string> found) {
  co_return found;
}

TEST_F(RoutesTest, ScrapesOnceWithTheChecksOfTheRequest) {
  EXPECT_EQ(get("/scrape?target=main").status, 404U);
  ProbeRequest seen;
  options_.probe = true;
  hooks_.scrape_once = [&seen](ProbeRequest probe) {
    seen = std::move(probe);
    return page_with("once", 7);
  };
  const auto answer = get("/scrape?target=redis://127.0.0.1:6379&check-keys=db0%3Da*&count-keys=b&other=x");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_NE(answer.body.find("once 7\n"), std::string::npos) << answer.body;
  EXPECT_EQ(seen.target, "redis://127.0.0.1:6379");
  const std::vector<std::pair<std::string, std::string>> checks{{"check-keys", "db0=a*"}, {"count-keys", "b"}};
  EXPECT_EQ(seen.checks, checks);
  EXPECT_EQ(asked(), "");
}

TEST_F(RoutesTest, TellsTheCallersMistakesApartInAScrapeOnce) {
  options_.probe = true;
  hooks_.scrape_once = [](ProbeRequest) { return page_error({Errc::config, "no such target"}); };
  EXPECT_EQ(get("/scrape?target=x").status, 400U);
  EXPECT_EQ(get("/scrape?target=x").body, "no such target\n");
  hooks_.scrape_once = [](ProbeRequest) { return page_error({Errc::timeout, "late"}); };
  EXPECT_EQ(get("/scrape?target=x").status, 502U);
}

TEST_F(RoutesTest, TellsTheTextsOfStatementsByTarget) {
  EXPECT_EQ(get("/queries").status, 404U);
  options_.queries = true;
  EXPECT_EQ(get("/queries").status, 404U);
  hooks_.statement_texts = [] {
    return std::vector<std::pair<std::string, std::string>>{{"main", R"([{"queryid":"1","query":"SELECT $1"}])"},
                                                            {"o\"ther", "[]"}};
  };
  const auto answer = get("/queries");
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body, R"({"targets":[{"target":"main","queries":[{"queryid":"1","query":"SELECT $1"}]},)"
                         R"({"target":"o\"ther","queries":[]}]})");
  EXPECT_EQ(get("/queries?target=nobody").status, 400U);
}

TEST_F(RoutesTest, AnswersClusterDiscoveryInTheFormOfHttpServiceDiscovery) {
  EXPECT_EQ(get("/discover-cluster-nodes").status, 404U);
  options_.discovery = true;
  std::string target;
  hooks_.discover = [&target](std::string asked_for, Deadline) {
    target = std::move(asked_for);
    return nodes({"redis://10.0.0.1:6379", "redis://[::1]:6380"});
  };
  const auto answer = get("/discover-cluster-nodes?target=main");
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body, R"([{"targets":["redis://10.0.0.1:6379","redis://[::1]:6380"],"labels":{}}])");
  EXPECT_EQ(target, "main");
  hooks_.discover = [](std::string, Deadline) { return nodes({}); };
  EXPECT_EQ(get("/discover-cluster-nodes").body, R"([{"targets":[],"labels":{}}])");
}

TEST_F(RoutesTest, ALoadBalancerLearnsTheRoleOfAPostgres) {
  constexpr metrics::MetricSpec up{"pg_up", metrics::MetricType::gauge, "", "Up."};
  constexpr metrics::MetricSpec is_replica{"pg_replication_is_replica", metrics::MetricType::gauge, "", "Role."};
  postgres_->also = {{up, 1}, {is_replica, 0}};
  EXPECT_EQ(get("/primary").status, 200U);
  EXPECT_EQ(get("/primary?target=main").body, "primary\n");
  EXPECT_EQ(get("/replica").status, 404U);
  EXPECT_EQ(asked(), "3");  // and nobody else
  postgres_->also = {{up, 1}, {is_replica, 1}};
  EXPECT_EQ(get("/replica").status, 200U);
  EXPECT_EQ(get("/primary").body, "replica\n");
  EXPECT_EQ(asked(), "3");
  postgres_->fails_with = Error{Errc::connect_refused, "no"};
  EXPECT_EQ(get("/primary").status, 503U);
  EXPECT_EQ(get("/replica").status, 503U);
  EXPECT_EQ(get("/primary?target=nobody").status, 400U);
  (void)add("postgres", "second", 7);
  EXPECT_EQ(get("/primary").body, "2 Postgres targets; name one, like /primary?target=NAME\n");
}

}  // namespace
}  // namespace midst::web
