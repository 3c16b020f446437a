#include "agent/web/status.hpp"

#include "lib/base/version.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace midst::web {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

scrape::SourceStatus collected(std::string kind, std::string target) {
  scrape::SourceStatus status;
  status.id = {std::move(kind), std::move(target)};
  status.was_collected = true;
  status.is_up = true;
  status.success_age = 3s;
  status.state_age = 61s;
  status.whereabouts = {"redis://h:1/0", 250ms};
  status.last_duration = 1500us;
  status.samples = 40;
  status.series = 55;
  status.bytes = 2048;
  status.attempts = 7;
  status.failures = 2;
  return status;
}

TEST(StatusJson, SaysWhatTheAgentIs) {
  AgentFacts facts;
  facts.uptime = 61s;
  facts.is_ready = false;
  facts.view = "redis";
  facts.has_lifecycle = true;
  facts.reload = {false, true, 1.5, 1, 2, "a.toml:3:1: error: no"};
  facts.push = {3, 400};
  const auto document = Json::parse(status_json({}, facts));
  EXPECT_EQ(document, (Json{{"version", version()},
                            {"uptime_seconds", 61},
                            {"ready", false},
                            {"view", "redis"},
                            {"lifecycle", true},
                            {"probe", false},
                            {"configuration",
                             {{"successful", false},
                              {"loaded_at", 1.5},
                              {"error", "a.toml:3:1: error: no"},
                              {"waits_for_restart", true}}},
                            {"push", {{"clients", 3}, {"series", 400}}},
                            {"targets", Json::array()},
                            {"samples", 0}}));
}

TEST(StatusJson, DescribesATargetThatIsUp) {
  const auto document = Json::parse(status_json({collected("redis", "main")}, AgentFacts{}));
  EXPECT_EQ(document["targets"], (Json::array({{{"kind", "redis"},
                                                {"target", "main"},
                                                {"address", "redis://h:1/0"},
                                                {"state", "up"},
                                                {"state_age_seconds", 61},
                                                {"retry_in_seconds", 0.25},
                                                {"duration_seconds", 0.0015},
                                                {"success_age_seconds", 3},
                                                {"samples", 40},
                                                {"series", 55},
                                                {"max_series", nullptr},
                                                {"bytes", 2048},
                                                {"attempts", 7},
                                                {"failures", 2},
                                                {"last_error", nullptr}}})));
}

TEST(StatusJson, TellsTheLimitOfATargetThatHasOne) {
  auto source = collected("redis", "main");
  source.max_series = 1000;
  const auto document = Json::parse(status_json({source}, AgentFacts{}));
  EXPECT_EQ(document["targets"][0]["max_series"], 1000);
}

TEST(StatusJson, KeepsTheLastErrorOfATargetThatIsDown) {
  auto source = collected("postgres", "main");
  source.is_up = false;
  source.last_error = Error{Errc::auth, "password refused"};
  source.error_age = 9s;
  const auto document = Json::parse(status_json({source}, AgentFacts{}));
  EXPECT_EQ(document["targets"][0]["state"], "down");
  EXPECT_EQ(document["targets"][0]["last_error"],
            (Json{{"reason", "auth"}, {"message", "password refused"}, {"age_seconds", 9}}));
}

TEST(StatusJson, ShowsNothingInventedOfATargetNeverCollected) {
  scrape::SourceStatus source;
  source.id = {"redis", "main"};
  const auto target = Json::parse(status_json({source}, AgentFacts{}))["targets"][0];
  EXPECT_EQ(target["state"], "pending");
  EXPECT_EQ(target["duration_seconds"], nullptr);
  EXPECT_EQ(target["success_age_seconds"], nullptr);
}

TEST(StatusJson, KeepsTheOrderAndSumsTheSamples) {
  const auto document =
      Json::parse(status_json({collected("redis", "b"), collected("redis", "a"), collected("push", "")}, AgentFacts{}));
  EXPECT_EQ(document["samples"], 120);
  EXPECT_EQ(document["targets"][0]["target"], "b");
  EXPECT_EQ(document["targets"][1]["target"], "a");
  EXPECT_EQ(document["targets"][2]["kind"], "push");
}

TEST(StatusJson, ReplacesBytesThatAreNoUtf8) {
  auto source = collected("redis", "main");
  source.last_error = Error{Errc::server, "bad \xFF byte"};
  const auto document = Json::parse(status_json({source}, AgentFacts{}));
  EXPECT_EQ(document["targets"][0]["last_error"]["message"], "bad \xEF\xBF\xBD byte");
}

TEST(StatusJson, ListsCountersWhenThereAreAny) {
  AgentFacts facts;
  facts.counters = {{"midst_agent_http_requests_total", 12}};
  EXPECT_EQ(Json::parse(status_json({}, facts))["counters"], (Json{{"midst_agent_http_requests_total", 12}}));
}

}  // namespace
}  // namespace midst::web
