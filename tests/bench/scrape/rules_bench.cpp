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
#include <optional>
#include <string>

namespace midst::scrape {
namespace {

using metrics::Label;
using metrics::MetricType;
using metrics::Snapshot;
using metrics::SnapshotBuilder;

constexpr std::size_t families = 500, series = 10'000;
constexpr int turns = 100;  // making a page takes a hundred times as long as most rules

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

enum class Then { nothing, encoding };

/// The rules of one source over the page of each of its scrapes; alone, or with the rest of the way to the text. The
/// latter tells what they add to a scrape: they touch first what is read anyway.
void apply_rules(benchmark::State& state, const RuleOptions& options, Then then) {
  SeriesRules rules(options, true);
  for (auto _ : state) {
    state.PauseTiming();
    auto snapshot = page()->freeze();
    state.ResumeTiming();
    benchmark::DoNotOptimize(rules.apply(snapshot).series);
    std::string text;
    std::optional<metrics::Exposition> exposition;
    if (then == Then::encoding) {
      exposition = metrics::merge({std::make_shared<const Snapshot>(std::move(snapshot))});
      text = encode(*exposition, metrics::Format::text);
      benchmark::DoNotOptimize(text.data());
    }
    state.PauseTiming();
    {
      const auto gone = std::move(snapshot);
      exposition.reset();
    }
    state.ResumeTiming();
  }
}

const RuleOptions two_globs{{"*_column_1*", "*_column_2*"}, {}, {}, {}};
const RuleOptions one_label{{}, {}, {{"*", "relname", Fold::left_out}}, {}};
const RuleOptions half{{}, {}, {}, series / 2};

BENCHMARK_CAPTURE(apply_rules, none_and_encode, RuleOptions{}, Then::encoding)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, twenty_globs_and_encode, twenty_globs(), Then::encoding)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, none, RuleOptions{}, Then::nothing)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, twenty_globs, twenty_globs(), Then::nothing)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, drops, two_globs, Then::nothing)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, label, one_label, Then::nothing)->Iterations(turns);
BENCHMARK_CAPTURE(apply_rules, limit, half, Then::nothing)->Iterations(turns);

}  // namespace
}  // namespace midst::scrape
