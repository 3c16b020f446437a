#include "agent/sources/postgres/collector_memory.hpp"

#include "agent/sources/postgres/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;

const Deadline start{1000s};

CollectorMemory prepared(const Collector& collector, int version = 150'000) {
  CollectorMemory memory(collector);
  memory.prepare(version, Edition::current);
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
  EXPECT_EQ(memory.fail(Error{Errc::timeout, "statement timeout"}, 1ms, start), Change::failed);
  EXPECT_TRUE(memory.is_due(start));
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
  memory.prepare(160'000, Edition::current);
  EXPECT_TRUE(memory.is_due(start));
  EXPECT_EQ(memory.failures().at(Errc::noperm), 1U);
  EXPECT_EQ(memory.fail(Error{Errc::noperm, "no"}, 1ms, start), Change::none);
}

TEST(CollectorMemory, StatementsFollowTheServerVersion) {
  auto memory = prepared(stat_checkpointer_collector);
  EXPECT_TRUE(memory.queries().empty());
  EXPECT_FALSE(memory.is_due(start));
  memory.prepare(170'002, Edition::current);
  ASSERT_EQ(memory.queries().size(), 1U);
  EXPECT_EQ(memory.queries().front()->before_version, 180'000);
  EXPECT_EQ(prepared(stat_progress_vacuum_collector).queries().size(), 2U);
}

TEST(CollectorMemory, TheOlderEditionHasItsOwnActivity) {
  CollectorMemory memory(stat_activity_collector);
  memory.prepare(150'000, Edition::v0_11);
  ASSERT_EQ(memory.queries().size(), 1U);
  EXPECT_EQ(memory.queries().front()->name, "stat_activity_by_state");
  memory.prepare(150'000, Edition::current);
  EXPECT_EQ(memory.queries().front()->name, "stat_activity");
}

}  // namespace
}  // namespace midst::sources
