#include "agent/sources/postgres/collector_memory.hpp"

#include "agent/sources/postgres/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;

const Deadline start{1000s};

ServerFacts server(int version, Edition edition = Edition::current) {
  ServerFacts facts;
  facts.version = version;
  facts.edition = edition;
  return facts;
}

CollectorMemory prepared(const Collector& collector, int version = 150'000) {
  CollectorMemory memory(collector, Schedule{collector.ttl}, Limits{});
  EXPECT_EQ(memory.prepare(server(version)), Change::none);
  return memory;
}

TEST(CollectorMemory, ACollectorWithoutTtlIsDueAtEveryScrape) {
  auto memory = prepared(wal_collector);
  EXPECT_TRUE(memory.is_due(start));
  EXPECT_EQ(memory.succeed({}, 3ms, start), Change::none);
  EXPECT_TRUE(memory.is_ok());
  EXPECT_TRUE(memory.is_due(start));
  EXPECT_EQ(memory.last_duration(), 3ms);
}

TEST(CollectorMemory, SettingsAreKeptForAMinuteUnlessExpired) {
  auto memory = prepared(settings_collector);
  EXPECT_EQ(memory.succeed({}, 1ms, start), Change::none);
  EXPECT_FALSE(memory.is_due(start + 59999ms));
  EXPECT_TRUE(memory.is_due(start + 60s));
  memory.expire();
  EXPECT_TRUE(memory.is_due(start + 1s));
  EXPECT_TRUE(memory.is_ok());
}

TEST(CollectorMemory, WhatTheServerOrRoleDoesNotAllowRestsForFiveMinutes) {
  for (const auto code : {Errc::noperm, Errc::unsupported}) {
    auto memory = prepared(wal_collector);
    EXPECT_EQ(memory.fail(Error{code, "no"}, 1ms, start), Change::failed);
    EXPECT_FALSE(memory.is_ok());
    EXPECT_FALSE(memory.is_due(start + 5min - 1ms));
    EXPECT_TRUE(memory.is_due(start + 5min));
    EXPECT_THAT(memory.failures(), testing::ElementsAre(testing::Pair(code, 1)));
  }
}

TEST(CollectorMemory, AFailureOfAnotherKindIsTriedAgainAtOnce) {
  auto memory = prepared(wal_collector);
  EXPECT_EQ(memory.fail(Error{Errc::server, "division by zero"}, 1ms, start), Change::failed);
  EXPECT_TRUE(memory.is_due(start));
}

TEST(CollectorMemory, ATimeoutRestsLongerEachTimeUntilAnAnswerComes) {
  auto memory = prepared(wal_collector);
  auto now = start;
  for (const auto rest : {15s, 30s, 60s, 120s, 240s, 300s, 300s}) {
    (void)memory.fail(Error{Errc::timeout, "statement timeout"}, 2s, now);
    EXPECT_FALSE(memory.is_due(now + rest - 1ms));
    now += rest;
    EXPECT_TRUE(memory.is_due(now));
  }
  (void)memory.succeed({}, 1ms, now);
  (void)memory.fail(Error{Errc::timeout, "statement timeout"}, 2s, now);
  EXPECT_TRUE(memory.is_due(now + 15s));
}

TEST(CollectorMemory, AWaitForALockInVainIsTriedAgainAtOnce) {
  auto memory = prepared(wal_collector);
  (void)memory.fail(Error{Errc::timeout, "lock timeout"}, 100ms, start);
  EXPECT_TRUE(memory.is_due(start));
}

TEST(CollectorMemory, ACollectorThatCostsMoreThanItsShareIsAskedLessOften) {
  CollectorMemory memory(wal_collector, Schedule{0ms, 0.05}, Limits{});
  (void)memory.prepare(server(150'000));
  (void)memory.succeed({}, 40ms, start);
  EXPECT_EQ(memory.interval(), 0s);  // 0.8 s: nobody scrapes that often
  (void)memory.succeed({}, 500ms, start);
  EXPECT_EQ(memory.interval(), 10s);
  EXPECT_FALSE(memory.is_due(start + 10s - 1ms));
  EXPECT_TRUE(memory.is_due(start + 10s));
  // One cheap answer does not make it cheap: a fifth of the way.
  (void)memory.succeed({}, 0ms, start);
  EXPECT_EQ(memory.interval(), 8s);
}

TEST(CollectorMemory, AShareOfZeroSlowsNothingDown) {
  CollectorMemory memory(wal_collector, Schedule{0ms, 0}, Limits{});
  (void)memory.prepare(server(150'000));
  (void)memory.succeed({}, 5s, start);
  EXPECT_TRUE(memory.is_due(start));
}

TEST(CollectorMemory, AMissingExtensionIsAFailureThatIsNotAskedFor) {
  constexpr Query query{.name = "q", .sql = "SELECT 1 FROM {schema}.t", .columns = {}};
  const Collector collector{.name = "c", .queries = std::span(&query, 1), .extension = "some_extension"};
  CollectorMemory memory(collector, {}, Limits{});
  auto facts = server(150'000);
  EXPECT_EQ(memory.prepare(facts), Change::failed);
  EXPECT_TRUE(memory.is_offered());
  EXPECT_FALSE(memory.is_due(start));
  EXPECT_FALSE(memory.is_ok());
  EXPECT_THAT(memory.last_error()->message, testing::HasSubstr("CREATE EXTENSION some_extension"));
  facts.extensions["some_extension"] = {"odd \"schema", "1.0"};
  EXPECT_EQ(memory.plan_again(facts), Change::none);
  ASSERT_TRUE(memory.is_due(start));
  EXPECT_EQ(memory.queries().front().sql, "SELECT 1 FROM \"odd \"\"schema\".t");
}

TEST(CollectorMemory, OnlyAChangeIsWorthALine) {
  auto memory = prepared(wal_collector);
  EXPECT_EQ(memory.fail(Error{Errc::timeout, "first"}, 1ms, start), Change::failed);
  EXPECT_EQ(memory.fail(Error{Errc::timeout, "second"}, 1ms, start), Change::none);
  EXPECT_EQ(memory.fail(Error{Errc::server, "another kind"}, 1ms, start), Change::failed);
  EXPECT_EQ(memory.succeed({}, 1ms, start), Change::recovered);
  EXPECT_EQ(memory.succeed({}, 1ms, start), Change::none);
  EXPECT_THAT(memory.failures(), testing::ElementsAre(testing::Pair(Errc::timeout, 2), testing::Pair(Errc::server, 1)));
}

TEST(CollectorMemory, ANewConnectionForgetsTheBackOffButNotTheCounters) {
  auto memory = prepared(wal_collector);
  (void)memory.fail(Error{Errc::noperm, "no"}, 1ms, start);
  (void)memory.prepare(server(160'000));
  EXPECT_TRUE(memory.is_due(start));
  EXPECT_EQ(memory.failures().at(Errc::noperm), 1U);
  EXPECT_EQ(memory.fail(Error{Errc::noperm, "no"}, 1ms, start), Change::none);
}

TEST(CollectorMemory, StatementsFollowTheServerVersion) {
  auto memory = prepared(stat_checkpointer_collector);
  EXPECT_TRUE(memory.queries().empty());
  EXPECT_FALSE(memory.is_due(start));
  (void)memory.prepare(server(170'002));
  ASSERT_EQ(memory.queries().size(), 1U);
  EXPECT_EQ(memory.queries().front().query->from_version, 170'000);
}

TEST(CollectorMemory, TheOlderEditionHasItsOwnActivity) {
  auto memory = prepared(stat_activity_collector);
  (void)memory.prepare(server(150'000, Edition::v0_11));
  ASSERT_EQ(memory.queries().size(), 1U);
  EXPECT_EQ(memory.queries().front().query->name, "stat_activity_by_state");
  (void)memory.prepare(server(150'000));
  EXPECT_EQ(memory.queries().front().query->name, "stat_activity");
}

}  // namespace
}  // namespace midst::sources
