#include "agent/ingest/store.hpp"

#include "tests/support/loop.hpp"
#include "tests/unit/agent/ingest/pushed.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest {
namespace {

using namespace std::chrono_literals;
using namespace test;
using wire::MetricKind;

double own(Store& store, std::string_view name, std::string_view reason) {
  const auto page = store.snapshot(start);
  const auto* found = page.find(name);
  const auto labels = "reason=\"" + std::string(reason) + "\"";
  for (std::size_t i = 0; i < found->labels.size(); ++i)
    if (found->labels[i].text == labels) return found->values[i];
  ADD_FAILURE() << name << " has no " << labels;
  return -1;
}

TEST(Store, HasEveryOwnSampleFromTheStart) {
  Store store({});
  const auto page = store.snapshot(start);
  for (const auto& spec : store.specs()) EXPECT_NE(page.find(spec.name), nullptr) << spec.name;
  EXPECT_EQ(dump(page, "midst_push_dropped_total"),
            "{reason=\"unknown_series\"}0. {reason=\"refused_series\"}0. {reason=\"counter_decrease\"}0. "
            "{reason=\"invalid_value\"}0. {reason=\"bucket_mismatch\"}0. {reason=\"exemplar_limit\"}0. ");
  EXPECT_EQ(page.families().size(), store.specs().size());
}

TEST(Store, IsASourceThatAlwaysAnswers) {
  Store store({});
  boost::asio::io_context io;
  const auto page = midst::test::run(io, store.collect(Deadline::max()));
  ASSERT_TRUE(page);
  EXPECT_NE(page->find("midst_push_series"), nullptr);
  EXPECT_EQ(store.id().kind, "push");
  EXPECT_TRUE(store.down(Error{}).families().empty());
}

TEST(Store, KeepsNamesLabelNamesAndHelpAsSent) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "http_requests_total", MetricKind::counter, {"method", "route", "status"}));
  store.define(key, wire::SeriesDefinition{0, 0, {"GET", "/v1/\"x\"", "200"}});
  apply(store, key, 1, {{0, 3}});
  const auto page = store.snapshot(start);
  EXPECT_EQ(dump(page, "http_requests_total"), R"({method="GET",route="/v1/\"x\"",status="200"}3. )");
  EXPECT_EQ(page.find("http_requests_total")->help, "Help.");
  EXPECT_EQ(page.find("http_requests_total")->type, metrics::MetricType::counter);
}

TEST(Store, AppliesAbsoluteValuesOnceHoweverOftenTheyCome) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  apply(store, key, 1, {{0, 5}}, false);
  apply(store, key, 1, {{0, 5}}, false);
  apply(store, key, 1, {{0, 5}});
  apply(store, key, 1, {{0, 5}});
  apply(store, key, 2, {{0, 8}});
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{}8. ");
}

TEST(Store, CountsWhatItCannotApply) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter));
  auto histogram = family(1, "h", MetricKind::histogram);
  histogram.bounds = {1};
  store.define(key, histogram);
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  store.define(key, wire::SeriesDefinition{1, 1, {}});
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{2, 9, {}}), Refusal::unknown_family);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{3, 0, {"too many"}}), Refusal::invalid);
  apply(store, key, 1, {{0, 5}, {2, 1}, {3, 1}, {77, 1}});
  apply(store, key, 2, {{0, 4}});
  apply(store, key, 3, {{0, -1}});
  apply(store, key, 4, {{0, std::nan("")}});
  apply(store, key, 5, {{0, std::numeric_limits<double>::infinity()}, {1, 1}});
  const auto made = values(6, [](wire::SnapEncoder& encoder) {
    encoder.add(1, std::vector<std::uint64_t>{1, 2, 3}, 1);
    encoder.add(1, std::vector<std::uint64_t>{1, 2}, std::nan(""));
    encoder.add(1, std::vector<std::uint64_t>{1, 2}, 1);
    encoder.add(1, std::vector<std::uint64_t>{9, 1}, 1);
    encoder.add(0, std::vector<std::uint64_t>{9, 1}, 1);
    encoder.add(55, std::vector<std::uint64_t>{9, 1}, 1);
  });
  ASSERT_TRUE(store.apply(key, made.snap));
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{}5. ");
  EXPECT_EQ(dump(store.snapshot(start), "h"), "{}1/3 ");
  EXPECT_EQ(own(store, "midst_push_dropped_total", "refused_series"), 2);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "unknown_series"), 2);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "counter_decrease"), 3);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "invalid_value"), 5);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "bucket_mismatch"), 1);
}

TEST(Store, RefusesColumnsThatDoNotFit) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  const auto refuses = [&](auto change) {
    wire::Snap snap;
    snap.seq = 1;
    change(snap);
    const auto applied = store.apply(key, snap);
    return !applied && applied.error().code == Errc::protocol;
  };
  using namespace std::string_view_literals;
  EXPECT_FALSE(refuses([](wire::Snap&) {}));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.integer_ids = "\x01"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.integer_values = "\x01"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.double_ids = "\x01"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.double_values = "12345678"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.double_ids = "\x01"sv, snap.double_values = "1234567"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.integer_ids = "\x80"sv, snap.integer_values = "\x01"sv; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.histograms = {"\x12\x01\x80"sv}; }));
  EXPECT_TRUE(refuses([](wire::Snap& snap) { snap.histograms = {"\x12\x05\x01"sv}; }));
}

TEST(Store, ASumNeverDecreasesWhenAClientEnds) {
  Store store({});
  std::vector<std::uint64_t> keys;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    keys.push_back(store.attach(hello(i), {}, start).key);
    store.define(keys.back(), family(0, "a_total", MetricKind::counter));
    store.define(keys.back(), wire::SeriesDefinition{0, 0, {}});
  }
  apply(store, keys[0], 1, {{0, 600'000}});
  apply(store, keys[1], 1, {{0, 300'000}});
  apply(store, keys[2], 1, {{0, 100'000}});
  store.retire(keys[0]);
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{}1000000. ");
  store.detach(keys[1], start);
  EXPECT_EQ(dump(store.snapshot(start + 2min), "a_total"), "{}1000000. ");
  apply(store, keys[2], 2, {{0, 100'001}});
  EXPECT_EQ(dump(store.snapshot(start + 2min), "a_total"), "{}1000001. ");
}

TEST(Store, ReattachesWithinAndAfterTheGracePeriod) {
  Store store({});
  auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  apply(store, key, 4, {{0, 10}});
  store.detach(key, start);

  auto again = store.attach(hello(1, store.epoch()), {}, start + 59s);
  EXPECT_FALSE(again.welcome.wants_full);
  EXPECT_EQ(again.welcome.last_seq, 4u);
  apply(store, again.key, 5, {{0, 11}});
  store.detach(again.key, start + 60s);

  again = store.attach(hello(1, store.epoch()), {}, start + 120s);
  EXPECT_TRUE(again.welcome.wants_full);
  store.define(again.key, family(0, "a_total", MetricKind::counter));
  EXPECT_EQ(store.define(again.key, wire::SeriesDefinition{0, 0, {}}), Refusal::none);
  apply(store, again.key, 6, {{0, 15}});
  EXPECT_EQ(dump(store.snapshot(start + 120s), "a_total"), "{}15. ");
  EXPECT_EQ(store.counters().instances, 1u);
}

TEST(Store, AForgottenInstanceIsNotedButNotCountedAgain) {
  StoreLimits limits;
  limits.max_instances = 1;
  Store store(limits);
  const auto define_all = [&](std::uint64_t key) {
    store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
    store.define(key, wire::SeriesDefinition{0, 0, {"x"}});
  };
  auto key = store.attach(hello(1), {}, start).key;
  define_all(key);
  apply(store, key, 1, {{0, 10}});
  store.detach(key, start);
  key = store.attach(hello(2), {}, start).key;  // pushes the first one out
  define_all(key);
  apply(store, key, 1, {{0, 1}});
  store.detach(key, start);

  key = store.attach(hello(1, store.epoch()), {}, start).key;
  define_all(key);
  apply(store, key, 2, {{0, 12}}, false);
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{n=\"x\"}11. ");
  apply(store, key, 2, {});
  store.define(key, wire::SeriesDefinition{1, 0, {"new"}});
  apply(store, key, 3, {{0, 13}, {1, 5}});
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{n=\"x\"}12. {n=\"new\"}5. ");
}

TEST(Store, AConnectionLostBeforeItsFirstSnapArrivedCostsNothing) {
  Store store({});
  auto key = store.attach(hello(1), {}, start).key;
  store.detach(key, start);  // with a SNAP of this epoch sent but not read
  key = store.attach(hello(1, store.epoch()), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  apply(store, key, 2, {{0, 10}});
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{}10. ");
}

TEST(Store, ANewerConnectionOfAnInstanceSupersedesTheOlder) {
  Store store({});
  const auto first = store.attach(hello(1), {}, start).key;
  const auto second = store.attach(hello(1), {}, start).key;
  EXPECT_FALSE(store.is_attached(first));
  EXPECT_TRUE(store.is_attached(second));
  store.detach(first, start);  // the old connection notices late
  EXPECT_TRUE(store.is_attached(second));
  EXPECT_EQ(own(store, "midst_push_disconnects_total", "superseded"), 1);
}

TEST(Store, OneSeriesMoreThanAClientMayHaveGoesToOverflow) {
  StoreLimits limits;
  limits.max_series_per_client = 2;
  Store store(limits);
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{0, 0, {"0"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{1, 0, {"1"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{2, 0, {"2"}}), Refusal::client_limit);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{3, 0, {"3"}}), Refusal::client_limit);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{4, 0, {"__overflow__"}}), Refusal::none)
      << "the client's own overflow";
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{2, 0, {"2"}}), Refusal::none)
      << "said again, it stays where it is";
  apply(store, key, 1, {{0, 1}, {1, 2}, {2, 4}, {3, 8}, {4, 16}});
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), R"({n="0"}1. {n="1"}2. {n="__overflow__"}28. )");
  EXPECT_EQ(own(store, "midst_push_series_rejected_total", "client_limit"), 2);
  const auto too_far = static_cast<std::uint32_t>(2 + limits.max_families_per_client);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{too_far - 1, 0, {"4"}}), Refusal::client_limit);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{too_far, 0, {"5"}}), Refusal::client_limit);
  apply(store, key, 2, {{too_far - 1, 1}, {too_far, 1}});
  EXPECT_EQ(own(store, "midst_push_dropped_total", "unknown_series"), 1);
}

TEST(Store, OneSeriesMoreThanAFamilyOrTheStoreMayHaveGoesToOverflow) {
  StoreLimits limits;
  limits.max_series_per_family = 2;
  limits.max_series = 4;
  Store store(limits);
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
  store.define(key, family(1, "b_total", MetricKind::counter, {"n"}));
  store.define(key, family(2, "c_total", MetricKind::counter));
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{0, 0, {"0"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{1, 0, {"1"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{2, 0, {"2"}}), Refusal::family_limit);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{3, 1, {"0"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{4, 1, {"1"}}), Refusal::total_limit);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{5, 2, {}}), Refusal::none)
      << "without labels there is nothing to divert";
  apply(store, key, 1, {{2, 7}, {4, 9}, {5, 1}});
  const auto page = store.snapshot(start);
  EXPECT_EQ(dump(page, "a_total"), R"({n="0"}0. {n="1"}0. {n="__overflow__"}7. )");
  EXPECT_EQ(dump(page, "b_total"), R"({n="0"}0. {n="__overflow__"}9. )");
  EXPECT_EQ(dump(page, "c_total"), "{}1. ");
  EXPECT_EQ(dump(page, "midst_push_series"), "{}6. ");
}

TEST(Store, BytesOfLabelsAreBoundedToo) {
  StoreLimits limits;
  limits.max_bytes = 2 * (std::string_view("n=\"aaaa\"").size());
  Store store(limits);
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{0, 0, {"aaaa"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{1, 0, {"b"}}), Refusal::total_limit);
}

TEST(Store, RememberedValuesOfTheLongGoneMakeRoomForTheLiving) {
  StoreLimits limits;
  limits.max_client_values = 3;
  Store store(limits);
  auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
  store.define(key, wire::SeriesDefinition{0, 0, {"0"}});
  store.define(key, wire::SeriesDefinition{1, 0, {"1"}});
  apply(store, key, 1, {{0, 1}, {1, 1}});
  store.detach(key, start);
  key = store.attach(hello(2), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter, {"n"}));
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{0, 0, {"0"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{1, 0, {"1"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{2, 0, {"2"}}), Refusal::none);
  EXPECT_EQ(store.define(key, wire::SeriesDefinition{3, 0, {"3"}}), Refusal::total_limit);
  EXPECT_EQ(store.clients().size(), 1u);
  apply(store, key, 1, {{0, 1}});
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), R"({n="0"}2. {n="1"}1. {n="2"}0. )");
}

struct BadFamily {
  wire::FamilyDefinition definition;
  Refusal reason;
};

TEST(Store, RefusesBadFamiliesWithTheirReason) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  ASSERT_EQ(store.define(key, family(0, "good_total", MetricKind::counter, {"a", "b"})), Refusal::none);
  std::vector<BadFamily> bad{
      {family(1, "", MetricKind::counter), Refusal::invalid},
      {family(1, "0x", MetricKind::counter), Refusal::invalid},
      {family(1, "a b", MetricKind::counter), Refusal::invalid},
      {family(1, "a\nb", MetricKind::counter), Refusal::invalid},
      {family(1, "ok", MetricKind::counter, {"a:b"}), Refusal::invalid},
      {family(1, "ok", MetricKind::counter, {"__name__"}), Refusal::invalid},
      {family(1, "ok", MetricKind::histogram, {"le"}), Refusal::invalid},
      {family(1, "ok", MetricKind::counter, {"a", "a"}), Refusal::invalid},
      {family(1, "ok", MetricKind::counter, {""}), Refusal::invalid},
      {family(1, "redis_x", MetricKind::counter), Refusal::reserved_name},
      {family(1, "pg_x", MetricKind::counter), Refusal::reserved_name},
      {family(1, "pgbouncer_x", MetricKind::counter), Refusal::reserved_name},
      {family(1, "midst_x", MetricKind::counter), Refusal::reserved_name},
      {family(1, "process_x", MetricKind::counter), Refusal::reserved_name},
      {family(1, "good_total", MetricKind::gauge, {"a", "b"}), Refusal::type_conflict},
      {family(1, "good_total", MetricKind::counter, {"b", "a"}), Refusal::label_conflict},
      {family(1, "good_total", MetricKind::counter, {"a"}), Refusal::label_conflict},
      {family(0, "other_total", MetricKind::counter), Refusal::redefined},
      {family(1024, "far_total", MetricKind::counter), Refusal::too_many},
  };
  for (const auto& bounds :
       {std::vector<double>{2, 1}, std::vector<double>{1, 1},
        std::vector<double>{1, std::numeric_limits<double>::infinity()}, std::vector<double>{std::nan("")}}) {
    bad.push_back({family(1, "ok", MetricKind::histogram), Refusal::invalid});
    bad.back().definition.bounds = bounds;
  }
  bad.push_back({family(1, "ok", MetricKind::counter), Refusal::invalid});
  bad.back().definition.bounds = {1};
  bad.push_back({family(1, "ok", MetricKind::counter), Refusal::invalid});
  bad.back().definition.merge = 1;
  for (const auto& [definition, reason] : bad)
    EXPECT_EQ(store.define(key, definition), reason) << definition.name << " as " << wire::word(reason);
  EXPECT_EQ(store.define(key, family(1023, "redis_operations_total", MetricKind::counter)), Refusal::none);
  EXPECT_EQ(store.define(key, family(0, "good_total", MetricKind::counter, {"a", "b"})), Refusal::none);
}

TEST(Store, OneFamilyTooManyIsRefused) {
  StoreLimits limits;
  limits.max_families = 2;
  Store store(limits);
  const auto key = store.attach(hello(1), {}, start).key;
  EXPECT_EQ(store.define(key, family(0, "a", MetricKind::gauge)), Refusal::none);
  EXPECT_EQ(store.define(key, family(1, "b", MetricKind::gauge)), Refusal::none);
  EXPECT_EQ(store.define(key, family(2, "c", MetricKind::gauge)), Refusal::too_many);
  EXPECT_EQ(own(store, "midst_push_families_rejected_total", "too_many"), 1);
}

TEST(Store, AFamilyThatNobodyReportsAnyMoreMayBeRedefined) {
  Store store({});
  auto histogram = family(0, "h", MetricKind::histogram, {"n"});
  histogram.bounds = {1};
  auto key = store.attach(hello(1), {}, start).key;
  store.define(key, histogram);
  store.define(key, wire::SeriesDefinition{0, 0, {"x"}});
  const auto old = values(1, [](wire::SnapEncoder& encoder) { encoder.add(0, std::vector<std::uint64_t>{1, 2}, 1); });
  ASSERT_TRUE(store.apply(key, old.snap));
  store.detach(key, start);

  histogram.bounds = {1, 2};
  key = store.attach(hello(2), {}, start).key;
  EXPECT_EQ(store.define(key, histogram), Refusal::bounds_conflict) << "the other one may come back";
  store.detach(key, start);
  key = store.attach(hello(2), {}, start + 61s).key;
  EXPECT_EQ(store.define(key, histogram), Refusal::none);
  store.define(key, wire::SeriesDefinition{0, 0, {"x"}});
  EXPECT_EQ(dump(store.snapshot(start), "h"), "{n=\"x\"}0/0/0 ");

  const auto late = store.attach(hello(1, store.epoch()), {}, start + 62s);
  EXPECT_TRUE(late.welcome.wants_full);
  EXPECT_EQ(late.welcome.last_seq, 0u) << "its old values are forgotten with the family";
}

TEST(Store, GaugesGoWithTheirClientAndFreeTheirPlace) {
  StoreLimits limits;
  limits.max_series = 2;
  Store store(limits);
  for (std::uint8_t round = 1; round <= 50; ++round) {
    const auto key = store.attach(hello(round), {}, start).key;
    auto level = family(0, "level", MetricKind::gauge, {"n"});
    level.merge = static_cast<std::uint8_t>(push::GaugeMerge::max);
    store.define(key, level);
    ASSERT_EQ(store.define(key, wire::SeriesDefinition{0, 0, {std::to_string(round)}}), Refusal::none);
    ASSERT_EQ(store.define(key, wire::SeriesDefinition{1, 0, {"same"}}), Refusal::none);
    apply(store, key, 1, {{0, round}, {1, -0.5}});
    ASSERT_EQ(dump(store.snapshot(start), "level"),
              "{n=\"" + std::to_string(round) + "\"}" + std::to_string(round) + ". {n=\"same\"}-0.5 ");
    store.retire(key);
    ASSERT_EQ(dump(store.snapshot(start), "level"), "absent");
  }
  EXPECT_EQ(dump(store.snapshot(start), "midst_push_series"), "{}0. ");
}

TEST(Store, AGaugeWithoutAValueIsNotShown) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "level", MetricKind::gauge));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  EXPECT_EQ(dump(store.snapshot(start), "level"), "absent");
}

/// Clients that count, die, return, are doubled and delayed, and forgotten, against a ledger.
TEST(Store, AnyInterleavingKeepsCountersMonotonicAndEqualToTheLedger) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto chance = [&](unsigned in) { return random() % in == 0; };
    Store store({});
    struct Client {
      std::uint8_t id = 0;
      std::uint64_t key = 0, seq = 0;
      double counted = 0;
      bool is_told = false, knows = false;
    };
    std::vector<Client> clients;
    std::uint8_t next_id = 1;
    double ledger = 0, shown = 0;
    auto now = start;
    const auto connect = [&](Client& client) {
      const auto made = store.attach(hello(client.id, client.is_told ? store.epoch() : 0), {}, now);
      client.key = made.key;
      if (made.welcome.wants_full || !client.knows) {
        store.define(client.key, family(0, "a_total", MetricKind::counter, {"n"}));
        ASSERT_EQ(store.define(client.key, wire::SeriesDefinition{0, 0, {"x"}}), Refusal::none);
      }
    };
    const auto send = [&](Client& client, bool is_last) {
      apply(store, client.key, ++client.seq, {{0, client.counted}}, is_last);
      client.is_told = true;
      client.knows = client.knows || is_last;
    };
    for (int step = 0; step < 250; ++step) {
      now += std::chrono::seconds(random() % 5);
      if (clients.size() < 4 && chance(5)) clients.push_back({next_id++, 0, 0, 0, false, false});
      if (clients.empty()) continue;
      auto& client = clients[random() % clients.size()];
      const double amount = random() % 100;
      client.counted += amount;
      if (client.key == 0) connect(client);
      switch (random() % 6) {
        case 0:
          send(client, false);
          [[fallthrough]];  // cut off in the middle of a snapshot
        case 1:
          store.detach(client.key, now);
          client.key = 0;
          break;
        case 2:
          send(client, true);
          ledger += client.counted;
          store.retire(client.key);
          clients.erase(clients.begin() + (&client - clients.data()));
          break;
        case 3:
          connect(client);
          break;  // dials again before the old connection is gone
        default:
          send(client, true);
      }
      if (chance(20)) now += 2min;
      const auto page = store.snapshot(now);
      const auto* found = page.find("a_total");
      const double value = found == nullptr ? 0 : found->values[0];
      ASSERT_GE(value, shown);
      shown = value;
    }
    for (auto& client : clients) {
      if (client.key == 0) connect(client);
      send(client, true);
      ledger += client.counted;
    }
    ASSERT_FALSE(HasFatalFailure());
    const auto page = store.snapshot(now);
    if (const auto* found = page.find("a_total")) {
      ASSERT_EQ(found->values[0], ledger);
    }
  }
}

class Foreign final : public Contributor {
 public:
  void write(metrics::SnapshotBuilder& builder, SteadyTime now) override {
    builder.add({"foreign", metrics::MetricType::gauge, "", "Test."},
                std::chrono::duration<double>(now - start).count());
  }
  std::vector<metrics::MetricSpec> specs() const override {
    return {{"foreign", metrics::MetricType::gauge, "", "Test."}};
  }
  bool has_family(std::string_view name) const override { return name == "foreign"; }
};

TEST(Store, WritesContributorsIntoItsSnapshotAndLeavesThemTheirNames) {
  Store store({});
  Foreign foreign;
  store.add(foreign);
  EXPECT_EQ(dump(store.snapshot(start + 7s), "foreign"), "{}7. ");
  EXPECT_EQ(store.specs().back().name, "foreign");
  const auto key = store.attach(hello(1), {}, start).key;
  EXPECT_EQ(store.define(key, family(0, "foreign", MetricKind::gauge)), Refusal::type_conflict);
  EXPECT_EQ(store.define(key, family(0, "native", MetricKind::gauge)), Refusal::none);
  EXPECT_TRUE(store.has_family("native"));
  EXPECT_FALSE(store.has_family("foreign"));
}

wire::Exemplar exemplar(std::uint32_t id, std::uint32_t bucket, std::uint8_t trace, std::uint64_t unix_time_ns) {
  wire::Exemplar made{id, bucket, 0.25, unix_time_ns, {}};
  made.trace.trace_id.fill(trace);
  made.trace.span_id.fill(0xb0);
  return made;
}

void apply_exemplars(Store& store, std::uint64_t key, std::uint64_t seq, const std::vector<wire::Exemplar>& exemplars) {
  const auto made = values(seq, [&](wire::SnapEncoder& encoder) {
    for (const auto& each : exemplars) encoder.add(each);
  });
  ASSERT_TRUE(store.apply(key, made.snap));
}

std::string exemplars_of(Store& store, std::string_view name) {
  const auto page = store.snapshot(start);
  std::string out;
  for (const auto& each : page.find(name)->exemplars)
    out += std::to_string(each.sample) + "/" + std::to_string(each.bucket) + " " +
           std::string(each.labels.text.substr(each.labels.text.find("trace_id") + 10, 4)) + " at " +
           std::to_string(static_cast<int>(each.timestamp_seconds)) + "; ";
  return out;
}

TEST(Store, KeepsTheNewestExemplarOfEveryBucket) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  auto definition = family(0, "took_seconds", MetricKind::histogram);
  definition.bounds = {1, 2};
  store.define(key, definition);
  store.define(key, family(1, "a_total", MetricKind::counter));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  store.define(key, wire::SeriesDefinition{1, 1, {}});
  constexpr std::uint64_t second = 1'000'000'000;
  apply_exemplars(
      store, key, 1,
      {exemplar(0, 0, 0xa1, 5 * second), exemplar(0, 2, 0xa2, 5 * second), exemplar(1, 0, 0xa3, 6 * second)});
  EXPECT_EQ(exemplars_of(store, "took_seconds"), "0/0 a1a1 at 5; 0/2 a2a2 at 5; ");
  EXPECT_EQ(exemplars_of(store, "a_total"), "0/0 a3a3 at 6; ");
  const auto page = store.snapshot(start);
  EXPECT_EQ(page.find("a_total")->exemplars[0].labels.text,
            "span_id=\"b0b0b0b0b0b0b0b0\",trace_id=\"a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3\"");
  EXPECT_EQ(page.find("a_total")->exemplars[0].value, 0.25);
  apply_exemplars(store, key, 2, {exemplar(0, 0, 0xa4, 7 * second), exemplar(0, 2, 0xa5, 4 * second)});
  EXPECT_EQ(exemplars_of(store, "took_seconds"), "0/0 a4a4 at 7; 0/2 a2a2 at 5; ");
}

TEST(Store, RefusesExemplarsThatFitNoSeriesWithAReason) {
  Store store({});
  const auto key = store.attach(hello(1), {}, start).key;
  store.define(key, family(0, "a_total", MetricKind::counter));
  store.define(key, family(1, "level", MetricKind::gauge));
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  store.define(key, wire::SeriesDefinition{1, 1, {}});
  auto infinite = exemplar(0, 0, 0xa1, 1);
  infinite.value = std::numeric_limits<double>::infinity();
  apply_exemplars(
      store, key, 1,
      {exemplar(0, 1, 0xa1, 1), exemplar(0, 0, 0, 1), exemplar(1, 0, 0xa1, 1), exemplar(2, 0, 0xa1, 1), infinite});
  EXPECT_EQ(exemplars_of(store, "a_total"), "");
  EXPECT_EQ(own(store, "midst_push_dropped_total", "invalid_value"), 4);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "unknown_series"), 1);
}

TEST(Store, KeepsAsManyExemplarsAsItsLimitAndCountsOneMore) {
  StoreLimits limits;
  limits.max_exemplars = 2;
  Store store(limits);
  const auto key = store.attach(hello(1), {}, start).key;
  auto definition = family(0, "took_seconds", MetricKind::histogram);
  definition.bounds = {1, 2};
  store.define(key, definition);
  store.define(key, wire::SeriesDefinition{0, 0, {}});
  apply_exemplars(store, key, 1, {exemplar(0, 0, 0xa1, 1), exemplar(0, 1, 0xa2, 1)});
  EXPECT_EQ(own(store, "midst_push_dropped_total", "exemplar_limit"), 0);
  apply_exemplars(store, key, 2, {exemplar(0, 2, 0xa3, 1), exemplar(0, 1, 0xa4, 1)});
  EXPECT_EQ(own(store, "midst_push_dropped_total", "exemplar_limit"), 1);
  EXPECT_EQ(exemplars_of(store, "took_seconds"), "0/0 a1a1 at 0; 0/1 a4a4 at 0; ");
}

TEST(Store, AFamilyThatIsReplacedTakesItsExemplarsAlong) {
  StoreLimits limits;
  limits.max_exemplars = 1;
  Store store(limits);
  const auto first = store.attach(hello(1), {}, start).key;
  store.define(first, family(0, "a_total", MetricKind::counter));
  store.define(first, wire::SeriesDefinition{0, 0, {}});
  apply_exemplars(store, first, 1, {exemplar(0, 0, 0xa1, 1)});
  store.retire(first);
  const auto second = store.attach(hello(2), {}, start).key;
  store.define(second, family(0, "a_total", MetricKind::counter, {"new"}));
  store.define(second, wire::SeriesDefinition{0, 0, {"x"}});
  EXPECT_EQ(exemplars_of(store, "a_total"), "");
  apply_exemplars(store, second, 1, {exemplar(0, 0, 0xa2, 1)});
  EXPECT_EQ(exemplars_of(store, "a_total"), "0/0 a2a2 at 0; ");
  EXPECT_EQ(own(store, "midst_push_dropped_total", "exemplar_limit"), 0);
}

TEST(Store, ARemovedGaugeHasNoValueAndACounterCannotBeRemoved) {
  Store store({});
  const auto one = store.attach(hello(1), {}, start).key, two = store.attach(hello(2), {}, start).key;
  for (const auto key : {one, two}) {
    auto level = family(0, "level", MetricKind::gauge);
    level.merge = 1;
    store.define(key, level);
    store.define(key, family(1, "a_total", MetricKind::counter));
    store.define(key, wire::SeriesDefinition{0, 0, {}});
    store.define(key, wire::SeriesDefinition{1, 1, {}});
    apply(store, key, 1, {{0, 5}, {1, 7}});
  }
  EXPECT_EQ(dump(store.snapshot(start), "level"), "{}10. ");
  const auto removal = [](wire::SnapEncoder& encoder) {
    encoder.remove(0);
    encoder.remove(1);
    encoder.remove(2);
  };
  ASSERT_TRUE(store.apply(one, values(2, removal).snap));
  EXPECT_EQ(dump(store.snapshot(start), "level"), "{}5. ");
  EXPECT_EQ(dump(store.snapshot(start), "a_total"), "{}14. ");
  EXPECT_EQ(own(store, "midst_push_dropped_total", "invalid_value"), 1);
  EXPECT_EQ(own(store, "midst_push_dropped_total", "unknown_series"), 1);
  ASSERT_TRUE(store.apply(two, values(2, removal).snap));
  EXPECT_EQ(dump(store.snapshot(start), "level"), "absent");
  apply(store, one, 3, {{0, 3}});
  EXPECT_EQ(dump(store.snapshot(start), "level"), "{}3. ");
  auto broken = values(4, removal).snap;
  broken.removed_ids = "\x80";
  EXPECT_FALSE(store.apply(one, broken));
}

}  // namespace
}  // namespace midst::ingest
