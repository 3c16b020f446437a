// One page written by us and by prometheus-cpp in the same run. Time and bytes a series are in the counters.
//   encode_bench --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//   --benchmark_report_aggregates_only=true
#include "lib/metrics/encode.hpp"

#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace midst::metrics {
namespace {

constexpr std::size_t families = 20;
constexpr std::array bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};

/// The labels of one series: about 100 bytes, as pg_stat_user_tables has them.
struct Names {
  std::string table;
  std::array<Label, 4> labels;
  explicit Names(std::size_t i)
      : table("table_with_a_name_" + std::to_string(i)),
        labels{
            {{"datname", "production"}, {"schemaname", "public"}, {"relname", table}, {"server", "127.0.0.1:5432"}}} {}
};

double value_of(std::size_t i, bool is_whole) {
  return is_whole ? static_cast<double>(i * 7919 % 1'000'003) : static_cast<double>(i * 7919) / 1234.5;
}

Exposition page_of_gauges(std::size_t series, bool is_whole) {
  SnapshotBuilder builder;
  for (std::size_t i = 0; i < series; ++i) {
    const auto name = "pg_stat_user_tables_column_" + std::to_string(i % families);
    const Names names(i / families);
    builder.family({name, MetricType::gauge, "", "Some help for this column."})
        .add(builder.labels(names.labels), value_of(i, is_whole));
  }
  return merge({std::make_shared<const Snapshot>(builder.freeze())});
}

Exposition page_of_histograms(std::size_t series) {
  SnapshotBuilder builder;
  auto& family = builder.family({"http_request_duration_seconds", MetricType::histogram, "seconds", "Durations."});
  std::array<std::uint64_t, bounds.size()> counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = 1000 * i;
  for (std::size_t i = 0; i < series; ++i)
    family.add(builder.labels(Names(i).labels),
               {.bounds = bounds, .cumulative = counts, .quantile_values = {}, .sum = 1234.5, .count = 12'000});
  return merge({std::make_shared<const Snapshot>(builder.freeze())});
}

void count(benchmark::State& state, std::size_t series, std::size_t bytes) {
  state.counters["time/series"] = benchmark::Counter(static_cast<double>(state.iterations() * series),
                                                     benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes/series"] = static_cast<double>(bytes) / static_cast<double>(series);
}

void encode_gauges(benchmark::State& state, Format format, bool is_whole) {
  const auto series = static_cast<std::size_t>(state.range(0));
  const auto page = page_of_gauges(series, is_whole);
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto text = encode(page, format);
    benchmark::DoNotOptimize(text.data());
    bytes = text.size();
  }
  count(state, series, bytes);
}

void encode_histograms(benchmark::State& state, Format format) {
  const auto series = static_cast<std::size_t>(state.range(0));
  const auto page = page_of_histograms(series);
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto text = encode(page, format);
    benchmark::DoNotOptimize(text.data());
    bytes = text.size();
  }
  count(state, series, bytes);
}

/// The way of a sample before the writer: labels rendered, columns frozen.
void build_gauges(benchmark::State& state) {
  const auto series = static_cast<std::size_t>(state.range(0));
  std::vector<Names> names;
  for (std::size_t i = 0; i < series / families; ++i) names.emplace_back(i);
  for (auto _ : state) {
    SnapshotBuilder builder;
    for (std::size_t f = 0; f < families; ++f) {
      const auto name = "pg_stat_user_tables_column_" + std::to_string(f);
      auto& family = builder.family({name, MetricType::gauge, "", "Some help for this column."});
      for (const auto& row : names) {
        const std::array<Label, 4> labels{{row.labels[0], row.labels[1], {"relname", row.table}, row.labels[3]}};
        family.add(builder.labels(labels), 1);
      }
    }
    const auto snapshot = builder.freeze();
    benchmark::DoNotOptimize(snapshot.sample_count());
  }
  count(state, series, 0);
}

void merge_gauges(benchmark::State& state) {
  const auto series = static_cast<std::size_t>(state.range(0));
  const auto page = page_of_gauges(series, true);
  for (auto _ : state) {
    auto merged = merge(page.snapshots);
    benchmark::DoNotOptimize(merged.sample_count);
  }
  count(state, series, 0);
}

prometheus::Labels oracle_labels(const Names& names) {
  prometheus::Labels labels;
  for (const auto& label : names.labels) labels.emplace(label.name, label.value);
  return labels;
}

/// What prometheus-cpp's Exposer does for a scrape: Collect() and serialize.
void run_oracle(benchmark::State& state, const prometheus::Registry& registry, std::size_t series) {
  const prometheus::TextSerializer serializer;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto text = serializer.Serialize(registry.Collect());
    benchmark::DoNotOptimize(text.data());
    bytes = text.size();
  }
  count(state, series, bytes);
}

void oracle_gauges(benchmark::State& state, bool is_whole) {
  const auto series = static_cast<std::size_t>(state.range(0));
  prometheus::Registry registry;
  for (std::size_t i = 0; i < series; ++i)
    prometheus::BuildGauge()
        .Name("pg_stat_user_tables_column_" + std::to_string(i % families))
        .Help("Some help for this column.")
        .Register(registry)
        .Add(oracle_labels(Names(i / families)))
        .Set(value_of(i, is_whole));
  run_oracle(state, registry, series);
}

void oracle_histograms(benchmark::State& state) {
  const auto series = static_cast<std::size_t>(state.range(0));
  prometheus::Registry registry;
  auto& family =
      prometheus::BuildHistogram().Name("http_request_duration_seconds").Help("Durations.").Register(registry);
  for (std::size_t i = 0; i < series; ++i)
    family.Add(oracle_labels(Names(i)), prometheus::Histogram::BucketBoundaries(bounds.begin(), bounds.end()))
        .Observe(0.3);
  run_oracle(state, registry, series);
}

BENCHMARK(build_gauges)->Arg(10'000);
BENCHMARK(merge_gauges)->Arg(10'000);
BENCHMARK_CAPTURE(encode_gauges, text_whole, Format::text, true)->Arg(10'000)->Arg(100'000);
BENCHMARK_CAPTURE(encode_gauges, text_fraction, Format::text, false)->Arg(10'000)->Arg(100'000);
BENCHMARK_CAPTURE(encode_gauges, openmetrics_whole, Format::openmetrics, true)->Arg(10'000);
BENCHMARK_CAPTURE(encode_gauges, protobuf_whole, Format::protobuf, true)->Arg(10'000);
BENCHMARK_CAPTURE(oracle_gauges, whole, true)->Arg(10'000)->Arg(100'000);
BENCHMARK_CAPTURE(oracle_gauges, fraction, false)->Arg(10'000)->Arg(100'000);
BENCHMARK_CAPTURE(encode_histograms, text, Format::text)->Arg(10'000);
BENCHMARK_CAPTURE(encode_histograms, openmetrics, Format::openmetrics)->Arg(10'000);
BENCHMARK_CAPTURE(encode_histograms, protobuf, Format::protobuf)->Arg(10'000);
BENCHMARK(oracle_histograms)->Arg(10'000);

}  // namespace
}  // namespace midst::metrics
