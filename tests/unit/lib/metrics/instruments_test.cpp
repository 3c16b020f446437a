#include "lib/metrics/instruments.hpp"

#include "lib/metrics/encode.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace midst::metrics {
namespace {

constexpr MetricSpec errors{"errors_total", MetricType::counter, "", "Errors."};
constexpr MetricSpec open{"open_connections", MetricType::gauge, "", "Open now."};
constexpr MetricSpec took{"took_seconds", MetricType::histogram, "seconds", "Took."};

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string page(const Instruments& instruments) {
  SnapshotBuilder builder;
  instruments.collect(builder);
  return encode(merge({std::make_shared<const Snapshot>(builder.freeze())}), Format::text);
}

TEST(Instruments, ShowASeriesAtZeroAsSoonAsItIsNamed) {
  Instruments instruments(0);
  (void)instruments.counter(errors, {{"reason", "timeout"}});
  (void)instruments.gauge(open);
  (void)instruments.histogram(took, {0.5});
  EXPECT_EQ(page(instruments),
            "# HELP errors_total Errors.\n# TYPE errors_total counter\nerrors_total{reason=\"timeout\"} 0\n"
            "# HELP open_connections Open now.\n# TYPE open_connections gauge\nopen_connections 0\n"
            "# HELP took_seconds Took.\n# TYPE took_seconds histogram\ntook_seconds_bucket{le=\"0.5\"} 0\n"
            "took_seconds_bucket{le=\"+Inf\"} 0\ntook_seconds_sum 0\ntook_seconds_count 0\n");
}

TEST(Instruments, KeepSeriesInTheOrderTheyWereNamed) {
  Instruments instruments(0);
  for (const auto* reason : {"zeta", "alpha", "mid", "alpha"}) instruments.counter(errors, {{"reason", reason}}).add();
  EXPECT_EQ(page(instruments),
            "# HELP errors_total Errors.\n# TYPE errors_total counter\nerrors_total{reason=\"zeta\"} 1\n"
            "errors_total{reason=\"alpha\"} 2\nerrors_total{reason=\"mid\"} 1\n");
}

TEST(Counter, IgnoresWhatNoCounterCanCount) {
  Instruments instruments(0);
  const auto counter = instruments.counter(errors);
  counter.add(2.5);
  for (const double amount : {-1.0, nan, infinity}) counter.add(amount);
  EXPECT_EQ(counter.value(), 2.5);
}

TEST(Gauge, IsSetAndChanged) {
  Instruments instruments(0);
  const auto gauge = instruments.gauge(open);
  gauge.set(5);
  gauge.add(-7.5);
  EXPECT_EQ(gauge.value(), -2.5);
}

TEST(Histogram, CountsABoundInItsOwnBucketAndIgnoresNan) {
  Instruments instruments(0);
  const auto histogram = instruments.histogram(took, {0.5, 1}, {{"kind", "redis"}});
  for (const double value : {0.5, 0.75, 1.0, 8.0, nan}) histogram.observe(value);
  SnapshotBuilder builder;
  instruments.collect(builder);
  const auto snapshot = builder.freeze();
  const auto& distribution = snapshot.find("took_seconds")->distributions[0];
  EXPECT_EQ(std::vector<double>(distribution.bounds.begin(), distribution.bounds.end()), (std::vector{0.5, 1.0}));
  EXPECT_EQ(std::vector<std::uint64_t>(distribution.cumulative.begin(), distribution.cumulative.end()),
            (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(distribution.count, 4U);
  EXPECT_EQ(distribution.sum, 10.25);
}

TEST(Histogram, KeepsTheBoundsOfItsFamilysFirstSeries) {
  Instruments instruments(0);
  (void)instruments.histogram(took, {0.5}, {{"kind", "a"}});
  instruments.histogram(took, {7, 8, 9}, {{"kind", "b"}}).observe(0.25);
  SnapshotBuilder builder;
  instruments.collect(builder);
  const auto snapshot = builder.freeze();
  const auto& distribution = snapshot.find("took_seconds")->distributions[1];
  EXPECT_EQ(std::vector<double>(distribution.bounds.begin(), distribution.bounds.end()), (std::vector{0.5}));
  EXPECT_EQ(distribution.cumulative[0], 1U);
}

TEST(Instruments, ReturnTheSameSeriesForTheSameLabelsInAnyOrder) {
  Instruments instruments(0);
  instruments.counter(errors, {{"a", "1"}, {"b", "2"}}).add(1);
  instruments.counter(errors, {{"b", "2"}, {"a", "1"}}).add(2);
  EXPECT_EQ(instruments.counter(errors, {{"a", "1"}, {"b", "2"}}).value(), 3);
}

TEST(Instruments, RefuseAFamilyOfAnotherTypeAndCountIt) {
  Instruments instruments(0);
  instruments.counter(errors).add(1);
  const auto gauge = instruments.gauge(errors);
  gauge.set(9);
  gauge.add(1);
  EXPECT_EQ(gauge.value(), 0);
  EXPECT_EQ(instruments.refused_series(), 1U);
  EXPECT_EQ(page(instruments), "# HELP errors_total Errors.\n# TYPE errors_total counter\nerrors_total 1\n");
}

TEST(Instruments, RefuseNamesThatAreNone) {
  Instruments instruments(0);
  instruments.counter({"no name", MetricType::counter, "", ""}).add();
  instruments.counter(errors, {{"no label", "x"}}).add();
  EXPECT_EQ(instruments.refused_series(), 2U);
  EXPECT_EQ(page(instruments), "");
}

TEST(Instruments, HoldExactlyTheirLimitOfSeries) {
  Instruments instruments(0);
  for (std::size_t i = 0; i < Instruments::max_series; ++i)
    instruments.counter(errors, {{"i", std::to_string(i)}}).add();
  EXPECT_EQ(instruments.refused_series(), 0U);
  const auto over = instruments.counter(errors, {{"i", "one more"}});
  over.add();
  EXPECT_EQ(over.value(), 0);
  EXPECT_EQ(instruments.refused_series(), 1U);
  EXPECT_EQ(instruments.counter(errors, {{"i", "0"}}).value(), 1);
}

TEST(Instruments, SayWhenTheirCountersBegan) {
  Instruments instruments(1'700'000'000.5);
  (void)instruments.counter(errors);
  (void)instruments.gauge(open);
  (void)instruments.histogram(took, {1});
  SnapshotBuilder builder;
  instruments.collect(builder);
  const auto snapshot = builder.freeze();
  EXPECT_EQ(snapshot.find("errors_total")->created[0], 1'700'000'000.5);
  EXPECT_EQ(snapshot.find("took_seconds")->created[0], 1'700'000'000.5);
  EXPECT_TRUE(snapshot.find("open_connections")->created.empty());
  EXPECT_EQ(snapshot.find("took_seconds")->unit, "seconds");
}

TEST(Instruments, CountEveryAddOfSeveralThreadsWhileTheyAreCollected) {
  Instruments instruments(0);
  const auto counter = instruments.counter(errors);
  const auto histogram = instruments.histogram(took, {1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        counter.add();
        histogram.observe(0.5);
        instruments.counter(errors, {{"thread", std::to_string(t)}}).add();
      }
    });
  for (int i = 0; i < 20; ++i) EXPECT_NE(page(instruments), "");
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 8000);
  EXPECT_EQ(instruments.counter(errors, {{"thread", "3"}}).value(), 2000);
  EXPECT_NE(page(instruments).find("took_seconds_count 8000\n"), std::string::npos);
}

}  // namespace
}  // namespace midst::metrics
