#include "agent/sources/postgres/top/wait_samples.hpp"

#include "tests/unit/agent/sources/postgres/increases.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gtest/gtest.h>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using Row = std::vector<std::optional<std::string>>;

const std::vector<std::string> columns{"datname", "backend_type", "wait_event_type", "wait_event", "query_id", "count"};

Row backend(std::string datname, std::optional<std::string> type, std::optional<std::string> event, std::string count,
            std::optional<std::string> query = std::nullopt) {
  return {std::move(datname), "client backend", std::move(type), std::move(event), std::move(query), std::move(count)};
}

class WaitSamplesTest : public testing::Test {
 protected:
  Interpretation look(WaitSamples& samples, std::vector<Row> rows) {
    now_ += 1s;
    const test::RecordedRows recorded(columns, std::move(rows));
    return samples.take(recorded.view(), now_);
  }
  metrics::Snapshot page(WaitSamples& samples) {
    metrics::SnapshotBuilder builder;
    samples.add({}, builder);
    return builder.freeze();
  }
  static double value(const metrics::Snapshot& page, std::string_view family, std::string_view labels) {
    const auto* found = page.find(family);
    if (found == nullptr) return -1;
    for (std::size_t i = 0; i < found->values.size(); ++i)
      if (found->labels[i].text == labels) return found->values[i];
    return -1;
  }
  Deadline now_{};
};

constexpr std::string_view cpu =
    R"(backend_type="client backend",datname="shop",wait_event="CPU",wait_event_type="CPU")";

TEST_F(WaitSamplesTest, NoWaitIsCpuAndASeriesGrowsFromZero) {
  WaitSamples samples({});
  (void)look(samples, {backend("shop", {}, {}, "3"), backend("shop", "Lock", "relation", "1", "-77")});
  const auto first = page(samples);
  EXPECT_EQ(value(first, "pg_ash_samples_total", cpu), 0);
  EXPECT_EQ(value(first, "pg_ash_query_samples_total", R"(datname="shop",queryid="-77")"), 0);
  const auto second = page(samples);
  EXPECT_EQ(value(second, "pg_ash_samples_total", cpu), 3);
  EXPECT_EQ(value(second, "pg_ash_samples_total",
                  R"(backend_type="client backend",datname="shop",wait_event="relation",wait_event_type="Lock")"),
            1);
  EXPECT_EQ(value(second, "pg_ash_query_samples_total", R"(datname="shop",queryid="-77")"), 1);
  (void)look(samples, {backend("shop", {}, {}, "2")});
  EXPECT_EQ(value(page(samples), "pg_ash_samples_total", cpu), 5);
}

TEST_F(WaitSamplesTest, TicksAndMissedTicksAreCounted) {
  WaitSamples samples({});
  (void)look(samples, {});
  (void)look(samples, {});
  samples.missed();
  const auto counted = page(samples);
  EXPECT_EQ(value(counted, "pg_ash_ticks_total", ""), 2);
  EXPECT_EQ(value(counted, "pg_ash_missed_ticks_total", ""), 1);
}

TEST_F(WaitSamplesTest, PairsBeyondTheLimitAreCountedByClass) {
  Limits limits;
  limits.waits = 2;
  WaitSamples samples(limits);
  (void)look(samples, {backend("shop", {}, {}, "9"), backend("shop", "IO", "DataFileRead", "8"),
                       backend("shop", "Lock", "tuple", "2"), backend("bank", "Lock", "relation", "3"),
                       backend("bank", "Nonsense", "x", "1")});
  (void)page(samples);
  const auto counted = page(samples);
  EXPECT_EQ(counted.find("pg_ash_samples_total")->values.size(), 4U);
  EXPECT_EQ(value(counted, "pg_ash_samples_total",
                  R"(backend_type="_other",datname="_other",wait_event="_other",wait_event_type="Lock")"),
            5);
  EXPECT_EQ(value(counted, "pg_ash_samples_total",
                  R"(backend_type="_other",datname="_other",wait_event="_other",wait_event_type="_other")"),
            1);
}

TEST_F(WaitSamplesTest, WhatIsNoCountIsLeftOutAndCounted) {
  WaitSamples samples({});
  const auto read = look(samples, {backend("shop", {}, {}, "many"), backend("shop", {}, {}, "0"),
                                   backend("shop", {}, {}, "-1"), backend("shop", {}, {}, "2")});
  EXPECT_EQ(read.unreadable, 3U);
  EXPECT_EQ(read.samples, 1U);
}

TEST_F(WaitSamplesTest, AnAnswerOfAnOldServerHasNoQueries) {
  WaitSamples samples({});
  const test::RecordedRows rows({"datname", "backend_type", "wait_event_type", "wait_event", "count"},
                                {{"shop", "client backend", std::nullopt, std::nullopt, "1"}});
  (void)samples.take(rows.view(), now_);
  EXPECT_EQ(page(samples).find("pg_ash_query_samples_total"), nullptr);
}

TEST_F(WaitSamplesTest, NothingIsLostOrCountedTwiceWhenQueriesComeAndGo) {
  Limits limits;
  limits.statements = 3;
  limits.waits = 4;
  limits.hold = 5s;
  WaitSamples samples(limits);
  test::Increases waits("pg_ash_samples_total"), queries("pg_ash_query_samples_total");
  double sampled = 0, counted = 0, counted_queries = 0;
  (void)waits.scrape(page(samples));
  for (int tick = 0; tick < 600; ++tick) {
    std::vector<Row> rows;
    for (int i = 0; i < 5; ++i) {
      const auto which = std::to_string((tick / 20 + i * i) % 17);
      rows.push_back(backend("d" + which, "IO", "e" + which, std::to_string(1 + (tick + i) % 3), which));
      sampled += 1 + (tick + i) % 3;
    }
    // A row of each pair once, as the server groups them.
    std::sort(rows.begin(), rows.end());
    (void)look(samples, rows);
    if (tick % 7 != 0 && tick < 598) continue;
    const auto scraped = page(samples);
    const auto step = waits.scrape(scraped), query_step = queries.scrape(scraped);
    EXPECT_EQ(step.begun + query_step.begun, 0);
    counted += step.increase;
    counted_queries += query_step.increase;
    EXPECT_LE(queries.now().size(), 4U);
    EXPECT_LE(waits.now().size(), 5U);
  }
  const auto last = page(samples);  // What the last one began at zero.
  counted += waits.scrape(last).increase;
  counted_queries += queries.scrape(last).increase;
  EXPECT_EQ(counted, sampled);
  EXPECT_EQ(counted_queries, sampled);
}

TEST(SampleCounts, KeysAreBoundedAndTheRestCountsThoseBeyond) {
  SampleCounts counts({"key"}, 2, 10min);
  const std::string_view rest[] = {"_other"};
  for (int i = 0; i < 5000; ++i) {
    const auto text = std::to_string(i);
    const std::string_view key[] = {text};
    counts.count(key, rest, 1);
  }
  EXPECT_EQ(counts.key_count(), SampleCounts::max_keys);
  counts.end_look(Deadline{});
  counts.end_look(Deadline{} + 40min);
  EXPECT_EQ(counts.key_count(), 2U) << "what has no series is forgotten when it has become light";
  test::Increases increases("x_total");
  for (int scrape = 0; scrape < 2; ++scrape) {
    metrics::SnapshotBuilder builder;
    counts.add({}, builder.family({"x_total", metrics::MetricType::counter, "", "X."}), builder);
    const auto step = increases.scrape(builder.freeze());
    EXPECT_EQ(step.increase, scrape == 0 ? 0 : 5000);
  }
  EXPECT_EQ(increases.now().at(R"(key="_other")"), 4998);
}

}  // namespace
}  // namespace midst::sources
