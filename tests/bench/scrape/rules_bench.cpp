// What rules cost beside the encoding of the same page: 10 000 series in 500 families, then with 20 globs that match
// nothing, with globs that drop two fifths of it, with a label taken off, and over a limit. Rules change a Snapshot, so
// each turn makes it first, which is not measured.
//   rules_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
//   --benchmark_report_aggregates_only=true
#include "agent/scrape/series_rules.hpp"
#include "lib/metrics/encode.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>

namespace midst::scrape {
namespace {

using metrics::Label;
using metrics::MetricType;
using metrics::Snapshot;
using metrics::SnapshotBuilder;

constexpr std::size_t families = 500, series = 10'000;

/// A builder of the page; freezing is part of no measurement.
std::unique_ptr<SnapshotBuilder> page() {
  auto builder = std::make_unique<SnapshotBuilder>();
  for (std::size_t i = 0; i < series; ++i) {
    const auto name = "pg_stat_user_tables_column_" + std::to_string(i % families) + "_total";
    const auto table = "table_with_a_name_" + std::to_string(i / families);
    const std::array<Label, 4> labels{
        {{"datname", "production"}, {"schemaname", "public"}, {"relname", table}, {"server", "127.0.0.1:5432"}}};
    builder->family({name, MetricType::counter, "", "Some help for this column."})
        .add(builder->labels(labels), static_cast<double>(i * 7919));
  }
  return builder;
}

RuleOptions twenty_globs() {
  RuleOptions options;
  for (int i = 0; i < 20; ++i) options.drop.push_back("pg_settings_*_" + std::to_string(i));
  return options;
}

void encode_alone(benchmark::State& state) {
  const auto exposition = metrics::merge({std::make_shared<const Snapshot>(page()->freeze())});
  for (auto _ : state) {
    const auto text = encode(exposition, metrics::Format::text);
    benchmark::DoNotOptimize(text.data());
  }
}

/// The rules of one source over the page of each of its scrapes.
void apply_rules(benchmark::State& state, const RuleOptions& options) {
  SeriesRules rules(options, true);
  for (auto _ : state) {
    state.PauseTiming();
    auto snapshot = page()->freeze();
    state.ResumeTiming();
    const auto applied = rules.apply(snapshot);
    benchmark::DoNotOptimize(applied.series);
    state.PauseTiming();
    { const auto gone = std::move(snapshot); }
    state.ResumeTiming();
  }
}

BENCHMARK(encode_alone);
BENCHMARK_CAPTURE(apply_rules, none, RuleOptions{});
BENCHMARK_CAPTURE(apply_rules, twenty_globs, twenty_globs());
BENCHMARK_CAPTURE(apply_rules, drops, RuleOptions{{"*_column_1*", "*_column_2*"}, {}, {}, {}});
BENCHMARK_CAPTURE(apply_rules, label, RuleOptions{{}, {}, {{"*", "relname", Fold::left_out}}, {}});
BENCHMARK_CAPTURE(apply_rules, limit, RuleOptions{{}, {}, {}, series / 2});

}  // namespace
}  // namespace midst::scrape
