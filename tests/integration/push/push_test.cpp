#include "lib/push/client.hpp"
#include "tests/integration/push/agent_thread.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace midst {
namespace {

using namespace std::chrono_literals;
using push::Client;
using push::GaugeMerge;
using test::AgentThread;
using test::distribution_of;
using test::value_of;

constexpr auto limit = 10s;

push::ClientOptions options_for(const AgentThread& agent) {
  push::ClientOptions options;
  options.socket_path = agent.path();
  options.flush_interval = 100ms;
  options.resource = "push_test";
  return options;
}

TEST(Push, CountsOfManyThreadsAddUpToTheLedger) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto requests = client.counter("jobs_total", "Jobs.", {"kind"});
  constexpr int threads = 8, rounds = 20'000;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      const auto own = requests.with({t % 2 == 0 ? "even" : "odd"});
      const auto shared = requests.with({"shared"});
      for (int i = 0; i < rounds; ++i) {
        own.add();
        shared.add(3);
      }
    });
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "jobs_total", "kind=\"even\""), threads / 2 * rounds);
  EXPECT_EQ(value_of(page, "jobs_total", "kind=\"odd\""), threads / 2 * rounds);
  EXPECT_EQ(value_of(page, "jobs_total", "kind=\"shared\""), 3.0 * threads * rounds);
}

TEST(Push, CountsOfLivingThreadsAreReadWhileTheyGrow) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("ticks_total", "Ticks.").with({});
  std::atomic<bool> must_stop{false};
  std::atomic<std::uint64_t> ledger{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < 4; ++t)
    workers.emplace_back([&] {
      std::uint64_t mine = 0;
      while (!must_stop) {
        counter.add();
        ++mine;
      }
      ledger += mine;
    });
  double before = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.flush(limit));
    const auto now = value_of(agent.snapshot(), "ticks_total").value_or(-1);
    EXPECT_GE(now, before);
    before = now;
  }
  must_stop = true;
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "ticks_total"), static_cast<double>(ledger.load()));
}

TEST(Push, WhatWasCountedBeforeTheAgentExistsArrives) {
  AgentThread agent;
  Client client(options_for(agent));
  const auto counter = client.counter("early_total", "Early.").with({});
  counter.add(41);
  while (client.stats().skipped_flushes == 0) EXPECT_FALSE(client.flush(20ms));
  EXPECT_FALSE(client.stats().is_connected);
  counter.add();
  agent.listen();
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "early_total"), 42);
}

TEST(Push, ASeriesThatNobodyTouchedAppearsAtZero) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  static_cast<void>(client.counter("zero_total", "Zero.", {"a", "b"}).with({"x", "y"}));
  static_cast<void>(client.histogram("zero_seconds", "Zero.", {1, 2}).with({}));
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "zero_total", "a=\"x\",b=\"y\""), 0);
  ASSERT_NE(distribution_of(page, "zero_seconds"), nullptr);
  EXPECT_EQ(distribution_of(page, "zero_seconds")->count, 0u);
  EXPECT_EQ(page.find("zero_seconds")->unit, "seconds");
}

TEST(Push, AnotherListenerOfTheSameStoreContinuesTheInstance) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("kept_total", "Kept.").with({});
  double ledger = 0;
  for (int i = 0; i < 5; ++i) {
    counter.add(10);
    ledger += 10;
    ASSERT_TRUE(client.flush(limit));
    agent.hang_up();
    counter.add(1);
    ledger += 1;
    agent.listen();
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), "kept_total"), ledger);
  }
  EXPECT_EQ(value_of(agent.snapshot(), "midst_push_clients_total"), 1);
}

TEST(Push, AnAgentThatHasLostItsStateBeginsAtZeroAndCountsWhatIsAdded) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("told_total", "Told.").with({});
  const auto histogram = client.histogram("told_seconds", "Told.", {0.5}).with({});
  for (int i = 0; i < 5; ++i) {
    counter.add(2);
    histogram.observe(0.25);
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), "told_total"), 2);
    EXPECT_EQ(distribution_of(agent.snapshot(), "told_seconds")->count, 1U);
    agent.hang_up();
    agent.replace_store();
    agent.listen();
    ASSERT_TRUE(client.flush(limit));
    EXPECT_EQ(value_of(agent.snapshot(), "told_total"), 0);
    EXPECT_EQ(distribution_of(agent.snapshot(), "told_seconds")->count, 0U);
  }
}

TEST(Push, AnAgentWithItsStateHasEverythingOnce) {
  AgentThread agent;
  agent.replace_store_and_keep_state();
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("told_total", "Told.", {"n"});
  const auto histogram = client.histogram("told_seconds", "Told.", {0.5}).with({});
  double ledger = 0;
  for (int i = 0; i < 5; ++i) {
    for (int n = 0; n < 3000; ++n) counter.with({std::to_string(n)}).add(2);
    histogram.observe(0.25);
    ledger += 2;
    ASSERT_TRUE(client.flush(limit));
    agent.hang_up();
    agent.replace_store_and_keep_state();
    const auto restored = agent.snapshot();
    for (const double value : restored.find("told_total")->values) ASSERT_EQ(value, ledger);
    agent.listen();
    ASSERT_TRUE(client.flush(limit));
    const auto page = agent.snapshot();
    ASSERT_EQ(page.find("told_total")->values.size(), 3000u);
    for (const double value : page.find("told_total")->values) ASSERT_EQ(value, ledger);
    EXPECT_EQ(distribution_of(page, "told_seconds")->count, static_cast<std::uint64_t>(i + 1));
  }
}

TEST(Push, AHundredReconnectsUnderLoadLoseAndDoubleNothing) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("storm_total", "Storm.", {"n"});
  const auto histogram = client.histogram("storm_seconds", "Storm.", {1, 2, 4}).with({});
  std::atomic<bool> must_stop{false};
  std::atomic<std::uint64_t> ledger{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < 2; ++t)
    workers.emplace_back([&] {
      std::vector<push::Counter> handles;
      for (int n = 0; n < 50; ++n) handles.push_back(counter.with({std::to_string(n)}));
      std::uint64_t mine = 0;
      for (; !must_stop; ++mine) {
        for (const auto& handle : handles) handle.add();
        histogram.observe(static_cast<double>(mine % 5));
      }
      ledger += mine;
    });
  double before = 0;
  for (int i = 0; i < 100; ++i) {
    agent.hang_up();
    agent.listen();
    if (i % 10 == 0) {
      ASSERT_TRUE(client.flush(limit));
    }
    const auto now = value_of(agent.snapshot(), "storm_total", "n=\"7\"").value_or(0);
    EXPECT_GE(now, before);
    before = now;
  }
  must_stop = true;
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  for (const double value : page.find("storm_total")->values) EXPECT_EQ(value, static_cast<double>(ledger.load()));
  EXPECT_EQ(distribution_of(page, "storm_seconds")->count, ledger.load());
  EXPECT_EQ(value_of(page, "midst_push_dropped_total", "reason=\"counter_decrease\""), 0);
}

TEST(Push, TwoClientsSumUpAndTheSumOutlivesThem) {
  AgentThread agent;
  agent.listen();
  auto first = std::make_unique<Client>(options_for(agent));
  auto second = std::make_unique<Client>(options_for(agent));
  first->counter("shared_total", "Shared.").with({}).add(600);
  second->counter("shared_total", "Shared.").with({}).add(300);
  second->gauge("load", "Load.").with({}).set(5);
  ASSERT_TRUE(first->flush(limit));
  ASSERT_TRUE(second->flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "shared_total"), 900);
  second->counter("shared_total", "Shared.").with({}).add(1);
  second.reset();  // its last snapshot and BYE
  EXPECT_TRUE(agent.wait_for(
      [](const auto& page) { return value_of(page, "midst_push_clients", "state=\"connected\"") == 1; }));
  EXPECT_EQ(value_of(agent.snapshot(), "shared_total"), 901);
  EXPECT_EQ(value_of(agent.snapshot(), "load"), std::nullopt);
  first->counter("shared_total", "Shared.").with({}).add(1);
  ASSERT_TRUE(first->flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "shared_total"), 902);
  first.reset();
  EXPECT_TRUE(agent.wait_for(
      [](const auto& page) { return value_of(page, "midst_push_disconnects_total", "reason=\"bye\"") == 2; }));
  EXPECT_EQ(value_of(agent.snapshot(), "shared_total"), 902);
}

TEST(Push, AShortLivedClientDeliversAtItsEnd) {
  AgentThread agent;
  agent.listen();
  for (int i = 0; i < 20; ++i) {
    Client client(options_for(agent));
    client.counter("brief_total", "Brief.").with({}).add();
  }
  EXPECT_TRUE(agent.wait_for([](const auto& page) { return value_of(page, "brief_total") == 20; }));
}

TEST(Push, EndsInTimeWithoutAnAgent) {
  AgentThread agent;
  const auto start = std::chrono::steady_clock::now();
  {
    Client client(options_for(agent));
    client.counter("lost_total", "Lost.").with({}).add();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms);  // 50 ms on an idle machine
}

TEST(Push, GaugesMergeAsTheirFamilySays) {
  AgentThread agent;
  agent.listen();
  Client first(options_for(agent));
  auto second = std::make_unique<Client>(options_for(agent));
  const auto set = [](Client& client, double value) {
    client.gauge("g_sum", "Sum.").with({}).set(value);
    client.gauge("g_min", "Min.", {}, GaugeMerge::min).with({}).set(value);
    client.gauge("g_max", "Max.", {}, GaugeMerge::max).with({}).set(value);
    client.gauge("g_last", "Last.", {}, GaugeMerge::last).with({}).set(value);
    EXPECT_TRUE(client.flush(limit));
  };
  set(first, -2);
  set(*second, 7);
  auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "g_sum"), 5);
  EXPECT_EQ(value_of(page, "g_min"), -2);
  EXPECT_EQ(value_of(page, "g_max"), 7);
  EXPECT_EQ(value_of(page, "g_last"), 7);
  second.reset();
  EXPECT_TRUE(agent.wait_for([](const auto& now) { return value_of(now, "g_sum") == -2; }));
  page = agent.snapshot();
  EXPECT_EQ(value_of(page, "g_max"), -2);
  EXPECT_EQ(value_of(page, "g_last"), 7) << "last is kept after its client has ended";
  first.gauge("g_sum", "Sum.").with({}).add(0.5);
  ASSERT_TRUE(first.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "g_sum"), -1.5);
}

TEST(Push, HistogramsAreExactAndMerge) {
  AgentThread agent;
  agent.listen();
  Client first(options_for(agent)), second(options_for(agent));
  const std::vector<double> bounds{0.25, 1, 8};
  const auto a = first.histogram("took_seconds", "Took.", bounds, {"route"}).with({"/x"});
  const auto b = second.histogram("took_seconds", "Took.", bounds, {"route"}).with({"/x"});
  for (const double value : {0.125, 0.25, 0.5, 1.0, 1.5, 8.0, 9.0}) a.observe(value);
  a.observe(std::nan(""));
  std::thread([&] { a.observe(0.5); }).join();
  b.observe(100);
  b.observe(-1);
  ASSERT_TRUE(first.flush(limit));
  ASSERT_TRUE(second.flush(limit));
  const auto page = agent.snapshot();
  const auto* merged = distribution_of(page, "took_seconds", "route=\"/x\"");
  ASSERT_NE(merged, nullptr);
  EXPECT_EQ(std::vector<double>(merged->bounds.begin(), merged->bounds.end()), bounds);
  EXPECT_EQ(std::vector<std::uint64_t>(merged->cumulative.begin(), merged->cumulative.end()),
            (std::vector<std::uint64_t>{3, 6, 8}));
  EXPECT_EQ(merged->count, 10u);
  EXPECT_EQ(merged->sum, 0.125 + 0.25 + 0.5 + 1 + 1.5 + 8 + 9 + 0.5 + 100 - 1);
}

TEST(Push, ManyBoundsFindTheRightBucket) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  std::vector<double> bounds;
  for (int i = 1; i <= 64; ++i) bounds.push_back(i);
  const auto histogram = client.histogram("wide", "Wide.", bounds).with({});
  for (int i = 0; i <= 65; ++i) histogram.observe(i);  // 0 and 1 in the first bucket, 65 beyond the last
  for (int i = 1; i <= 64; ++i) histogram.observe(i - 0.5);
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  const auto* wide = distribution_of(page, "wide");
  ASSERT_NE(wide, nullptr);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(wide->cumulative[i], 2 * (i + 1) + 1) << "le " << i + 1;
  EXPECT_EQ(wide->count, 130u);
}

TEST(Push, SeriesBeyondTheClientsLimitGoToTheOverflowSeries) {
  AgentThread agent;
  agent.listen();
  auto options = options_for(agent);
  options.max_series = 3;
  Client client(options);
  const auto family = client.counter("hits_total", "Hits.", {"path", "code"});
  for (int i = 0; i < 10; ++i) family.with({std::to_string(i), "200"}).add();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(page.find("hits_total")->values.size(), 4u);
  EXPECT_EQ(value_of(page, "hits_total", "code=\"200\",path=\"2\""), 1);
  EXPECT_EQ(value_of(page, "hits_total", "code=\"__overflow__\",path=\"__overflow__\""), 7);
  EXPECT_EQ(client.stats().overflowed_series, 7u);
  EXPECT_EQ(value_of(page, "midst_push_client_overflowed_series_total"), 7);
}

TEST(Push, TheAgentsLimitPerClientReachesTheClient) {
  ingest::StoreLimits limits;
  limits.max_series_per_client = 5;
  AgentThread agent(limits);
  agent.listen();
  Client client(options_for(agent));
  const auto family = client.counter("many_total", "Many.", {"n"});
  for (int i = 0; i < 8; ++i) family.with({std::to_string(i)}).add();  // before WELCOME or after: both must do
  ASSERT_TRUE(client.flush(limit));
  for (int i = 8; i < 20; ++i) family.with({std::to_string(i)}).add();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  double sum = 0;
  for (const double value : page.find("many_total")->values) sum += value;
  EXPECT_EQ(sum, 20);
  EXPECT_EQ(page.find("many_total")->values.size(), 6u);
  EXPECT_GE(value_of(page, "many_total", "n=\"__overflow__\"").value_or(0), 12);
}

TEST(Push, AContradictingFamilyIsRefusedWithItsReason) {
  AgentThread agent;
  agent.listen();
  Client first(options_for(agent)), second(options_for(agent));
  first.counter("thing_total", "Thing.", {"a"}).with({"1"}).add(3);
  first.histogram("took_seconds", "Took.", {1, 2}).with({}).observe(1);
  ASSERT_TRUE(first.flush(limit));
  second.gauge("thing_total", "Thing.", {"a"}).with({"1"}).set(9);
  second.histogram("took_seconds", "Took.", {1, 3}).with({}).observe(1);
  second.counter("redis_up", "Not ours.").with({}).add();
  second.counter("redis_operations_total", "Ours.", {"operation"}).with({"get"}).add(2);
  ASSERT_TRUE(second.flush(limit));
  ASSERT_TRUE(second.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "thing_total", "a=\"1\""), 3);
  EXPECT_EQ(distribution_of(page, "took_seconds")->count, 1u);
  EXPECT_EQ(page.find("redis_up"), nullptr);
  EXPECT_EQ(value_of(page, "redis_operations_total", "operation=\"get\""), 2);
  const auto refused = [&](const char* reason) {
    return value_of(page, "midst_push_families_rejected_total", std::string("reason=\"") + reason + "\"");
  };
  EXPECT_EQ(refused("type_conflict"), 1);
  EXPECT_EQ(refused("bounds_conflict"), 1);
  EXPECT_EQ(refused("reserved_name"), 1);
  EXPECT_EQ(refused("label_conflict"), 0);
  EXPECT_EQ(second.stats().rejected_series, 3u);
}

TEST(Push, AContradictionInsideOneClientCountsNowhere) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto good = client.counter("one_total", "One.", {"a"});
  client.counter("one_total", "One.", {"b"}).with({"x"}).add();
  client.counter("not a name", "Bad.").with({}).add();
  good.with({"x"}).add();
  good.with({"too", "many"}).add();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(page.find("one_total")->values.size(), 1u);
  EXPECT_EQ(value_of(page, "one_total", "a=\"x\""), 1);
  EXPECT_EQ(client.stats().rejected_series, 3u);
}

TEST(Push, AmountsThatAreNoAmountsAreIgnored) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("sane_total", "Sane.").with({});
  counter.add(1.5);
  counter.add(-1);
  counter.add(std::nan(""));
  counter.add(std::numeric_limits<double>::infinity());
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "sane_total"), 1.5);
}

TEST(Push, ManySeriesTakeSeveralFrames) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto family = client.counter("wide_total", "Wide.", {"n"});
  for (int i = 0; i < 9000; ++i) family.with({std::to_string(i)}).add(i + 0.5);
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  ASSERT_EQ(page.find("wide_total")->values.size(), 9000u);
  for (int i = 0; i < 9000; ++i) ASSERT_EQ(page.find("wide_total")->values[static_cast<std::size_t>(i)], i + 0.5);
  EXPECT_GE(value_of(page, "midst_push_frames_total", "type=\"snap\"").value_or(0), 2);
}

TEST(Push, CallbacksSetGaugesBeforeEachFlush) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto gauge = client.gauge("calls", "Calls.").with({});
  double calls = 0;
  client.before_flush([&] { gauge.set(++calls); });
  ASSERT_TRUE(client.flush(limit));
  const auto first = value_of(agent.snapshot(), "calls").value_or(-1);
  ASSERT_TRUE(client.flush(limit));
  EXPECT_GT(value_of(agent.snapshot(), "calls").value_or(-1), first);
}

TEST(Push, AClientThatIsGoneForLongComesBackWithoutLossOrDouble) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("slept_total", "Slept.").with({});
  client.gauge("awake", "Awake.").with({}).set(1);
  counter.add(5);
  ASSERT_TRUE(client.flush(limit));
  agent.hang_up();
  counter.add(2);
  EXPECT_EQ(value_of(agent.snapshot(30s), "awake"), 1) << "within the grace period it counts as alive";
  EXPECT_EQ(value_of(agent.snapshot(61s), "awake"), std::nullopt);
  EXPECT_EQ(value_of(agent.snapshot(61s), "slept_total"), 7) << "its memory is read as long as it lives";
  agent.listen();
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "slept_total"), 7);
  EXPECT_EQ(value_of(agent.snapshot(), "awake"), 1);
}

TEST(Push, HandlesOfAThreadThatEndsAreNotLost) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("ended_total", "Ended.").with({});
  for (int i = 0; i < 200; ++i) std::thread([&] { counter.add(0.5); }).join();
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "ended_total"), 100);
}

TEST(Push, TwoClientsInOneProcessKeepApart) {
  AgentThread one, other;
  one.listen();
  other.listen();
  auto first = std::make_unique<Client>(options_for(one));
  Client second(options_for(other));
  const auto a = first->counter("apart_total", "Apart.").with({});
  const auto b = second.counter("apart_total", "Apart.").with({});
  for (int i = 0; i < 1000; ++i) {
    a.add();
    b.add(2);
  }
  ASSERT_TRUE(first->flush(limit));
  ASSERT_TRUE(second.flush(limit));
  EXPECT_EQ(value_of(one.snapshot(), "apart_total"), 1000);
  EXPECT_EQ(value_of(other.snapshot(), "apart_total"), 2000);
  first = std::make_unique<Client>(options_for(one));  // a third, perhaps where the first was in memory
  first->counter("apart_total", "Apart.").with({}).add();
  ASSERT_TRUE(first->flush(limit));
  EXPECT_EQ(value_of(one.snapshot(), "apart_total"), 1001);
}

#if defined(__SANITIZE_THREAD__)
TEST(Push, DISABLED_AForkedChildIsAnInstanceOfItsOwn) {  // TSan ends a child that starts a thread
#else
TEST(Push, AForkedChildIsAnInstanceOfItsOwn) {
#endif
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("forked_total", "Forked.").with({});
  const auto histogram = client.histogram("forked_seconds", "Forked.", {1}).with({});
  const auto gauge = client.gauge("forked_level", "Forked.").with({});
  counter.add(100);
  histogram.observe(0.5);
  gauge.set(10);
  std::atomic<bool> must_stop{false};
  std::thread other([&] {
    while (!must_stop) counter.add(0);  // a thread that the child does not have
  });
  ASSERT_TRUE(client.flush(limit));
  counter.add(1);  // not yet flushed: the child must not take it along
  for (int i = 0; i < 10; ++i) {
    const auto child = ::fork();
    if (child == 0) {
      counter.add(5);
      histogram.observe(2);
      gauge.add(1);
      // Failing here must be seen by the parent, and nothing of the test framework may run twice.
      ::_exit(client.flush(limit) ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  must_stop = true;
  other.join();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  EXPECT_EQ(value_of(page, "forked_total"), 101 + 10 * 5);
  EXPECT_EQ(distribution_of(page, "forked_seconds")->count, 11u);
  EXPECT_EQ(value_of(page, "midst_push_clients_total"), 11);
  EXPECT_EQ(client.stats().reconnects, 0u) << "the parent's connection must survive its children";
}

/// A process that counts, says so, and waits to be killed.
[[noreturn]] void count_and_wait(const push::ClientOptions& options, int told, std::uint64_t rounds) {
  push::Client client(options);
  const auto counter = client.counter("killed_total", "Killed.", {"n"});
  const auto known = counter.with({"known"});
  known.add(1);
  if (!client.flush(limit)) ::_exit(1);
  const auto histogram = client.histogram("killed_seconds", "Killed.", {1}).with({});
  std::thread other([&] { known.add(static_cast<double>(rounds)); });
  other.join();
  for (std::uint64_t i = 0; i < rounds; ++i) counter.with({"new"}).add(0.5);
  histogram.observe(0.25);
  histogram.observe(4);
  if (::write(told, "x", 1) != 1) ::_exit(2);
  for (;;) ::pause();
}

TEST(Push, AClientThatIsKilledBetweenTwoFlushesLosesNothing) {
  AgentThread agent;
  agent.replace_store_and_keep_state();
  agent.listen();
  auto options = options_for(agent);
  options.flush_interval = 10s;
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const auto child = ::fork();
    if (child == 0) count_and_wait(options, told[1], 1000);
    char byte = 0;
    ASSERT_EQ(::read(told[0], &byte, 1), 1);
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(agent.wait_for([](const auto& page) {
      return value_of(page, "midst_push_clients", "state=\"connected\"") == 0 &&
             value_of(page, "midst_push_clients", "state=\"lost\"") == 0;
    }));
    const auto page = agent.snapshot();
    ASSERT_EQ(value_of(page, "killed_total", "n=\"known\""), static_cast<double>(i) * 1001);
    ASSERT_EQ(value_of(page, "killed_total", "n=\"new\""), static_cast<double>(i) * 500);
    ASSERT_EQ(distribution_of(page, "killed_seconds")->count, 2 * i);
    ASSERT_EQ(distribution_of(page, "killed_seconds")->sum, static_cast<double>(i) * 4.25);
    ASSERT_EQ(value_of(page, "midst_push_shared_memory_total", "outcome=\"taken\""), static_cast<double>(i));
  }
  agent.hang_up();
  agent.replace_store_and_keep_state();
  EXPECT_EQ(value_of(agent.snapshot(), "killed_total", "n=\"known\""), 20'020);
  ::close(told[0]);
  ::close(told[1]);
}

TEST(Push, APageShowsWhatAClientHasCountedSinceItsLastFlush) {
  AgentThread agent;
  agent.listen();
  auto options = options_for(agent);
  options.flush_interval = 10s;
  Client client(options);
  const auto counter = client.counter("fresh_total", "Fresh.").with({});
  ASSERT_TRUE(client.flush(limit));
  counter.add(3);
  EXPECT_EQ(value_of(agent.snapshot(), "fresh_total"), 3);
  counter.add(4);
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "fresh_total"), 7);
  EXPECT_EQ(value_of(agent.snapshot(), "midst_push_dropped_total", "reason=\"counter_decrease\""), 0);
}

TEST(Push, WithoutSharedMemoryOnlySnapshotsCount) {
  AgentThread agent;
  agent.listen();
  auto options = options_for(agent);
  options.flush_interval = 10s;
  options.shared_memory = false;
  Client client(options);
  const auto counter = client.counter("told_total", "Told.").with({});
  ASSERT_TRUE(client.flush(limit));
  counter.add(3);
  EXPECT_EQ(value_of(agent.snapshot(), "told_total"), 0);
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(value_of(agent.snapshot(), "told_total"), 3);
}

#if !defined(__SANITIZE_THREAD__)
TEST(Push, AChildThatOnlySetsAGaugeIsHeard) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto gauge = client.gauge("child_level", "Level.", {}, GaugeMerge::last).with({});
  ASSERT_TRUE(client.flush(limit));
  int hold[2];
  ASSERT_EQ(::pipe(hold), 0);
  const auto child = ::fork();
  if (child == 0) {
    gauge.set(7);
    char byte = 0;
    ::_exit(static_cast<int>(::read(hold[0], &byte, 1)) - 1);
  }
  EXPECT_TRUE(agent.wait_for([](const auto& page) { return value_of(page, "child_level") == 7; }));
  ASSERT_EQ(::write(hold[1], "x", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(hold[0]);
  ::close(hold[1]);
}
#endif

TEST(Push, AClientWhoseDescriptorWasTakenOverLeavesItAlone) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto counter = client.counter("closed_total", "Closed.").with({});
  counter.add();
  ASSERT_TRUE(client.flush(limit));
  // As daemons do: close whatever is open, and get the same numbers again for something else.
  const auto is_push_socket = [&](int number) {
    sockaddr_un peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(number, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.sun_family == AF_UNIX &&
           agent.path() == static_cast<const char*>(peer.sun_path);
  };
  int number = 3;
  while (number < 1024 && !is_push_socket(number)) ++number;
  ASSERT_LT(number, 1024);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_EQ(::dup2(pair[0], number), number);
  counter.add();
  ASSERT_TRUE(client.flush(limit)) << "it dials anew";
  EXPECT_EQ(value_of(agent.snapshot(), "closed_total"), 2);
  char byte = 0;
  EXPECT_EQ(::recv(pair[1], &byte, 1, MSG_DONTWAIT), -1) << "nothing was written into the other's socket";
  ::close(number);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST(Push, AnAgentThatDoesNotReadNeverBlocksTheProgram) {
  test::TemporaryDirectory directory;
  push::ClientOptions options;
  options.socket_path = directory.file("push.sock");
  options.flush_interval = 100ms;
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  options.socket_path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  const auto start = std::chrono::steady_clock::now();
  {
    Client client(options);
    const auto counter = client.counter("deaf_total", "Deaf.").with({});
    while (client.stats().skipped_flushes < 2) counter.add();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  ::close(listener);
}

push::TraceContext trace_of(std::uint8_t id) {
  push::TraceContext trace;
  trace.trace_id.fill(id);
  trace.span_id.fill(static_cast<std::uint8_t>(id + 1));
  return trace;
}

/// "bucket:first byte of the trace id=value" of every exemplar of the family.
std::vector<std::string> exemplars_of(const metrics::Snapshot& page, std::string_view family) {
  std::vector<std::string> found;
  for (const auto& each : page.find(family)->exemplars) {
    const auto text = each.labels.text;
    found.push_back(std::to_string(each.bucket) + ":" + std::string(text.substr(text.find("trace_id") + 10, 2)) + "=" +
                    std::to_string(each.value).substr(0, 4));
  }
  return found;
}

TEST(Push, TheNewestExemplarOfEachBucketArrives) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto histogram = client.histogram("took_seconds", "Time.", {1, 2}).with({});
  const auto counter = client.counter("done_total", "Done.").with({});
  ASSERT_TRUE(client.flush(limit));
  EXPECT_TRUE(exemplars_of(agent.snapshot(), "took_seconds").empty());
  const auto before = std::chrono::system_clock::now().time_since_epoch();
  histogram.observe(0.25, trace_of(0x11));
  histogram.observe(0.50, trace_of(0x22));
  histogram.observe(8.25, trace_of(0x33));
  histogram.observe(1.50);
  histogram.observe(1.75, push::TraceContext{});
  counter.add(2, trace_of(0x44));
  counter.add(-1, trace_of(0x55));
  ASSERT_TRUE(client.flush(limit));
  auto page = agent.snapshot();
  EXPECT_EQ(exemplars_of(page, "took_seconds"), (std::vector<std::string>{"0:22=0.50", "2:33=8.25"}));
  EXPECT_EQ(exemplars_of(page, "done_total"), std::vector<std::string>{"0:44=2.00"});
  EXPECT_EQ(distribution_of(page, "took_seconds")->count, 5u);
  EXPECT_EQ(distribution_of(page, "took_seconds")->sum, 12.25);
  EXPECT_EQ(value_of(page, "done_total"), 2);
  const auto seconds = page.find("done_total")->exemplars[0].timestamp_seconds;
  EXPECT_GE(seconds, std::chrono::duration<double>(before).count() - 1);
  EXPECT_LE(seconds, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count() + 1);
  histogram.observe(0.75, trace_of(0x66));
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(exemplars_of(agent.snapshot(), "took_seconds"), (std::vector<std::string>{"0:66=0.75", "2:33=8.25"}));
}

TEST(Push, ExemplarsOfManyThreadsAndSeriesTakeSeveralFramesAndLoseNoCount) {
  AgentThread agent;
  agent.listen();
  Client client(options_for(agent));
  const auto family = client.histogram("many_seconds", "Many.", {1}, {"n"});
  constexpr int threads = 4, series = 1500, rounds = 3;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int round = 0; round < rounds; ++round)
        for (int n = 0; n < series; ++n)
          family.with({std::to_string(n)}).observe(0.5, trace_of(static_cast<std::uint8_t>(t + 1)));
    });
  for (auto& worker : workers) worker.join();
  ASSERT_TRUE(client.flush(limit));
  const auto page = agent.snapshot();
  const auto* found = page.find("many_seconds");
  ASSERT_EQ(found->distributions.size(), static_cast<std::size_t>(series));
  for (const auto& each : found->distributions) EXPECT_EQ(each.count, static_cast<std::uint64_t>(threads * rounds));
  EXPECT_EQ(found->exemplars.size(), static_cast<std::size_t>(series));
}

TEST(Push, AnExemplarOfBeforeTheAgentExistsIsSentWhenItDoes) {
  AgentThread agent;
  Client client(options_for(agent));
  client.counter("early_total", "Early.").with({}).add(1, trace_of(0x77));
  while (client.stats().skipped_flushes == 0) EXPECT_FALSE(client.flush(20ms));
  agent.listen();
  ASSERT_TRUE(client.flush(limit));
  EXPECT_EQ(exemplars_of(agent.snapshot(), "early_total"), std::vector<std::string>{"0:77=1.00"});
}

}  // namespace
}  // namespace midst
