// A Store that ends and one that takes over its state file. Dropping the first without a word is what SIGKILL does: the
// file is written by stores to memory alone.
#include "agent/ingest/store.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/ingest/pushed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

namespace midst::ingest {
namespace {

using namespace std::chrono_literals;
using namespace test;
using wire::MetricKind;

class StoreState : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (folder_.path() / "push.state").string(); }

  void restart(StoreLimits limits = {}) {
    store_.reset();
    store_ = std::make_unique<Store>(limits);
    const auto kept = store_->keep_state(path(), start);
    ASSERT_TRUE(kept) << kept.error().message;
  }
  std::string page(std::string_view name, SteadyTime now = start) { return dump(store_->snapshot(now), name); }
  std::uint64_t attach(std::uint8_t instance, std::uint64_t epoch = 0) {
    return store_->attach(hello(instance, epoch), {}, start).key;
  }
  std::uint64_t counter(std::uint8_t instance) {
    const auto key = attach(instance);
    store_->define(key, family(0, "a_total", MetricKind::counter, {"x"}));
    store_->define(key, wire::SeriesDefinition{0, 0, {"y"}});
    return key;
  }

  midst::test::TempDir folder_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreState, TotalsAndClientsGoOnWhereTheyWere) {
  restart();
  const auto key = counter(1);
  store_->define(key, family(1, "level", MetricKind::gauge));
  auto took = family(2, "took_seconds", MetricKind::histogram);
  took.bounds = {1, 2};
  store_->define(key, took);
  store_->define(key, wire::SeriesDefinition{1, 1, {}});
  store_->define(key, wire::SeriesDefinition{2, 2, {}});
  const auto made = values(1, [](wire::SnapEncoder& encoder) {
    encoder.add(0, std::uint64_t{7});
    encoder.add(1, 2.5);
    encoder.add(2, {1, 2, 3}, 12);
  });
  ASSERT_TRUE(store_->apply(key, made.snap));
  const auto epoch = store_->epoch();
  for (int times = 0; times < 3; ++times) {
    restart();
    EXPECT_EQ(store_->epoch(), epoch);
    EXPECT_EQ(page("a_total"), "{x=\"y\"}7. ");
    EXPECT_EQ(page("level"), "{}2.5 ");
    EXPECT_EQ(page("took_seconds"), "{}1/3/6 ");
  }
  const auto again = store_->attach(hello(1, epoch), {}, start);
  EXPECT_FALSE(again.welcome.wants_full);
  EXPECT_EQ(again.welcome.last_seq, 1U);
  apply(*store_, again.key, 2, {{0, 9}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}9. ");
  restart();
  EXPECT_EQ(page("a_total"), "{x=\"y\"}9. ");
  EXPECT_EQ(page("midst_push_state_kept"), "{}1. ");
}

TEST_F(StoreState, WhatAnEndedClientHasCountedStaysAndItsGaugesGo) {
  restart();
  const auto key = counter(1);
  store_->define(key, family(1, "level", MetricKind::gauge, {}));
  store_->define(key, wire::SeriesDefinition{1, 1, {}});
  apply(*store_, key, 1, {{0, 5}});
  store_->retire(key);
  restart();
  EXPECT_EQ(page("a_total"), "{x=\"y\"}5. ");
  EXPECT_EQ(page("level"), "absent");
  EXPECT_TRUE(store_->clients().empty());
  apply(*store_, counter(2), 1, {{0, 3}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}8. ");
}

TEST_F(StoreState, AnInstanceWithoutAWordIsLostFromTheRestartOnAndRetiresAfterTheGrace) {
  restart();
  apply(*store_, counter(1), 1, {{0, 5}});
  restart();
  EXPECT_EQ(page("midst_push_clients"), "{state=\"connected\"}0. {state=\"lost\"}1. ");
  EXPECT_EQ(page("midst_push_clients", start + 60s), "{state=\"connected\"}0. {state=\"lost\"}0. ");
  restart();
  const auto back = store_->attach(hello(1, store_->epoch()), {}, start);
  EXPECT_TRUE(back.welcome.wants_full);
  store_->define(back.key, family(0, "a_total", MetricKind::counter, {"x"}));
  store_->define(back.key, wire::SeriesDefinition{0, 0, {"y"}});
  apply(*store_, back.key, 2, {{0, 6}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}6. ");
}

TEST_F(StoreState, OverflowSeriesStayWhatTheyWere) {
  StoreLimits limits;
  limits.max_series_per_client = 1;
  restart(limits);
  const auto key = counter(1);
  EXPECT_EQ(store_->define(key, wire::SeriesDefinition{1, 0, {"z"}}), Refusal::client_limit);
  apply(*store_, key, 1, {{0, 1}, {1, 2}});
  restart(limits);
  EXPECT_EQ(page("a_total"), "{x=\"y\"}1. {x=\"__overflow__\"}2. ");
  const auto back = attach(1, store_->epoch());
  EXPECT_EQ(store_->define(back, wire::SeriesDefinition{2, 0, {"v"}}), Refusal::client_limit);
  apply(*store_, back, 2, {{1, 4}, {2, 10}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}1. {x=\"__overflow__\"}14. ");
}

TEST_F(StoreState, IfItIsGoneTotalsBeginAtZeroAndOnlyWhatIsAddedCounts) {
  restart();
  apply(*store_, counter(1), 1, {{0, 600}});
  const auto epoch = store_->epoch();
  std::filesystem::remove(path());
  restart();
  EXPECT_NE(store_->epoch(), epoch);
  const auto back = store_->attach(hello(1, epoch), {}, start);
  EXPECT_TRUE(back.welcome.wants_full);
  store_->define(back.key, family(0, "a_total", MetricKind::counter, {"x"}));
  store_->define(back.key, wire::SeriesDefinition{0, 0, {"y"}});
  apply(*store_, back.key, 2, {{0, 610}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}0. ");
  apply(*store_, back.key, 3, {{0, 615}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}5. ");
  apply(*store_, counter(2), 1, {{0, 3}});
  EXPECT_EQ(page("a_total"), "{x=\"y\"}8. ");
}

TEST_F(StoreState, ADamagedOneIsSetAsideAndSaid) {
  restart();
  apply(*store_, counter(1), 1, {{0, 5}});
  store_.reset();
  const auto good = midst::test::read_file(path());
  const auto at = good.find("a_total");
  ASSERT_NE(at, std::string::npos);
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('b');
  }
  restart();
  EXPECT_EQ(page("a_total"), "absent");
  EXPECT_EQ(page("midst_push_state_set_aside_total"), "{}1. ");
  EXPECT_EQ(midst::test::read_file(path() + ".damaged").size(), good.size());
  apply(*store_, counter(1), 1, {{0, 5}});
  restart();
  EXPECT_EQ(page("a_total"), "{x=\"y\"}5. ");
  EXPECT_EQ(page("midst_push_state_set_aside_total"), "{}0. ");
}

TEST_F(StoreState, OneThatDoesNotHoldTogetherIsNotTakenInPart) {
  restart();
  apply(*store_, counter(1), 1, {{0, 5}});
  store_.reset();
  {
    const auto file = StateFile::open(path()).value().file;
    ASSERT_TRUE(file->append("?what no version has written"));
  }
  restart();
  EXPECT_EQ(page("a_total"), "absent");
  EXPECT_EQ(page("midst_push_clients"), "{state=\"connected\"}0. {state=\"lost\"}0. ");
  EXPECT_EQ(page("midst_push_state_set_aside_total"), "{}1. ");
}

/// Counts as a text protocol would.
class Counting final : public Contributor {
 public:
  void write(metrics::SnapshotBuilder& builder, SteadyTime) override {
    builder.add({"lines_total", metrics::MetricType::counter, "", "Test."}, total);
  }
  std::vector<metrics::MetricSpec> specs() const override { return {}; }
  bool has_family(std::string_view) const override { return false; }
  std::string state() const override { return std::to_string(total); }
  Result<Done> restore(std::string_view state) override {
    total = state.empty() ? 0 : std::stod(std::string(state));
    return Done{};
  }
  double total = 0;
};

TEST_F(StoreState, ContributorsHaveWhatTheLastPageHasShown) {
  Counting before;
  store_ = std::make_unique<Store>(StoreLimits{});
  store_->add(before);
  ASSERT_TRUE(store_->keep_state(path(), start));
  before.total = 41;
  EXPECT_EQ(page("lines_total"), "{}41. ");
  before.total = 42;
  EXPECT_EQ(page("lines_total"), "{}42. ");
  before.total = 99;
  store_.reset();
  Counting after;
  store_ = std::make_unique<Store>(StoreLimits{});
  store_->add(after);
  ASSERT_TRUE(store_->keep_state(path(), start));
  EXPECT_EQ(after.total, 42);
  store_->save_contributors();
  store_.reset();
  Counting third;
  store_ = std::make_unique<Store>(StoreLimits{});
  store_->add(third);
  ASSERT_TRUE(store_->keep_state(path(), start));
  EXPECT_EQ(third.total, 42);
}

/// A client of the property test and what it has counted.
struct Teller {
  std::uint8_t id = 0;
  std::uint64_t key = 0, seq = 0, epoch = 0, count = 0, sent = 0;
  bool is_defined = false;
};

TEST_F(StoreState, AnyOrderOfEndsLossesAndRestartsKeepsPagesRisingAndTotalsExact) {
  std::mt19937 random(4711);
  const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  restart();
  std::vector<Teller> clients(6);
  std::uint8_t last_id = 0;
  std::uint64_t ledger = 0;
  for (auto& client : clients) client.id = ++last_id;
  double shown = 0;
  const auto tell = [&](Teller& client, bool is_acked) {
    if (client.key == 0 || !store_->is_attached(client.key)) {
      const auto made = store_->attach(hello(client.id, client.epoch), {}, start);
      client.key = made.key;
      client.is_defined = client.is_defined && !made.welcome.wants_full;
    }
    if (!std::exchange(client.is_defined, true)) {
      store_->define(client.key, family(0, "a_total", MetricKind::counter));
      store_->define(client.key, wire::SeriesDefinition{0, 0, {}});
    }
    client.epoch = store_->epoch();
    apply(*store_, client.key, ++client.seq, {{0, static_cast<double>(client.count)}}, is_acked);
    if (is_acked) client.sent = client.count;
  };
  for (int step = 0; step < 4000; ++step) {
    auto& client = clients[static_cast<std::size_t>(pick(6))];
    switch (pick(12)) {
      case 0:  // the agent is killed
        restart();
        for (auto& each : clients) each.key = 0;
        break;
      case 1:  // the connection breaks
        if (client.key != 0) store_->detach(std::exchange(client.key, 0), start);
        break;
      case 2:  // the client ends, and another one begins
        tell(client, true);
        store_->retire(client.key);
        client = Teller{};
        client.id = ++last_id == 0 ? ++last_id : last_id;
        break;
      case 3: {
        const auto page = store_->snapshot(start);
        const auto* found = page.find("a_total");
        const double now = found == nullptr ? 0 : found->values.front();
        ASSERT_GE(now, shown) << step;
        ASSERT_LE(now, static_cast<double>(ledger)) << step;
        shown = now;
        break;
      }
      case 4:
        tell(client, false);
        break;
      case 5:
      case 6:
        tell(client, true);
        break;
      default: {
        const auto more = static_cast<std::uint64_t>(pick(100));
        client.count += more;
        ledger += more;
      }
    }
  }
  restart();
  for (auto& each : clients) {
    each.key = 0;
    tell(each, true);
  }
  EXPECT_EQ(page("a_total"), "{}" + std::to_string(ledger) + ". ");
}

}  // namespace
}  // namespace midst::ingest
