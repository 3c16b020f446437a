// What a scrape of Postgres costs on our side once the answers are there: rows → Snapshot, for settings and for a typical
// page of all recorded collectors. Thousands of tables: tables_bench.cpp.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace midst;
using sources::Collector;
using sources::Query;

constexpr int recorded_version = 150'000;

std::string recorded(const std::string& name) {
  std::ifstream file(std::string(MIDST_SOURCE_DIR) + "/tests/golden/postgres/pg15/" + name + ".rows", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The recorded answer, its last row repeated under other table names until there are `tables` rows.
std::string recorded_tables(const std::string& name, std::int64_t tables) {
  auto text = recorded(name);
  const auto before_last = text.rfind('\n', text.size() - 2);
  const auto last = text.substr(before_last + 1);
  const auto schema_end = last.find('\t', last.find('\t') + 1), name_end = last.find('\t', schema_end + 1);
  std::int64_t rows = -1;
  for (const char c : text) rows += c == '\n' ? 1 : 0;
  for (; rows < tables; ++rows)
    text += fmt::format("{}\ttable_{}{}", last.substr(0, schema_end), rows, last.substr(name_end));
  return text;
}

const Query* query_of(const Collector& collector, const std::string& name) {
  for (const auto& query : collector.queries)
    if (query.name == name && query.fits(recorded_version, sources::Edition::current)) return &query;
  return nullptr;
}

void interpret_settings(benchmark::State& state) {
  const test::RecordedRows rows(recorded("settings"));
  const auto& query = *query_of(sources::settings_collector, "settings");
  std::size_t samples = 0;
  for (auto _ : state) {
    metrics::SnapshotBuilder builder;
    benchmark::DoNotOptimize(sources::interpret(query, rows.view(), {}, builder));
    auto snapshot = builder.freeze();
    samples = snapshot.sample_count();
    benchmark::DoNotOptimize(snapshot);
  }
  state.counters["samples"] = static_cast<double>(samples);
}
BENCHMARK(interpret_settings)->Unit(benchmark::kMicrosecond);

struct Answered {
  const Query* query;
  std::unique_ptr<test::RecordedRows> rows;
  std::unique_ptr<sources::Treatment> treatment;
};

/// Every statement of which there is a recorded answer; the tables grown to `tables`.
std::vector<Answered> answers(std::int64_t tables) {
  std::vector<Answered> all;
  for (const auto& collector : sources::postgres_catalog())
    for (const auto& query : collector.queries) {
      const std::string name(query.name);
      if (&query != query_of(collector, name)) continue;
      const bool is_of_tables = name == "stat_user_tables" || name == "statio_user_tables";
      auto text = is_of_tables ? recorded_tables(name, tables) : recorded(name);
      if (text.empty()) continue;
      const bool has_treatment = collector.make_treatment != nullptr && collector.queries.front().name == query.name;
      all.push_back({&query, std::make_unique<test::RecordedRows>(text),
                     has_treatment ? collector.make_treatment(sources::Limits{}) : nullptr});
    }
  return all;
}

void make_page(benchmark::State& state) {
  const auto all = answers(state.range(0));
  std::size_t samples = 0;
  Deadline now{};
  for (auto _ : state) {
    metrics::SnapshotBuilder builder;
    now += std::chrono::seconds(15);
    for (const auto& answered : all) {
      const auto view = answered.rows->view();
      if (answered.treatment) {
        benchmark::DoNotOptimize(answered.treatment->take({&answered.query, 1}, {&view, 1}, now));
        answered.treatment->add({}, builder);
      } else {
        benchmark::DoNotOptimize(sources::interpret(*answered.query, view, {}, builder));
      }
    }
    auto snapshot = builder.freeze();
    samples = snapshot.sample_count();
    benchmark::DoNotOptimize(snapshot);
  }
  state.counters["statements"] = static_cast<double>(all.size());
  state.counters["samples"] = static_cast<double>(samples);
}
BENCHMARK(make_page)->Arg(30)->Arg(300)->Unit(benchmark::kMicrosecond);

}  // namespace
