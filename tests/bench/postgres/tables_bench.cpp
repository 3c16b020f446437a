// What thousands of tables and statements cost on our side: an answer → the ledger → the page. kept_bytes is what stays
// allocated between two looks.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/treatment.hpp"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <malloc.h>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace midst;
using namespace midst::sources;
using namespace std::chrono_literals;

/// Cells one behind the other, as libpq has them.
class Answer {
 public:
  explicit Answer(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  void add(std::string cell) { cells_.push_back(std::move(cell)); }
  void set(std::size_t row, std::size_t column, std::string cell) {
    cells_[row * columns_.size() + column] = std::move(cell);
  }
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::size_t rows() const { return cells_.size() / columns_.size(); }
  [[nodiscard]] TableView view() const {
    TableView view{{}, rows(), this, [](const void* rows, std::size_t row, std::size_t column) {
                     const auto& answer = *static_cast<const Answer*>(rows);
                     return std::optional<std::string_view>(answer.cells_[row * answer.columns_.size() + column]);
                   }};
    view.columns.assign(columns_.begin(), columns_.end());
    return view;
  }

 private:
  std::vector<std::string> columns_, cells_;
};

const Query& newest(const Collector& collector) {
  return collector.queries.back();
}

/// A database of `count` tables with counts of some digits.
Answer tables(std::size_t count) {
  std::vector<std::string> columns{"relid"};
  for (const auto& column : newest(stat_user_tables_collector).columns) columns.emplace_back(column.column);
  Answer answer(columns);
  for (std::size_t row = 0; row < count; ++row)
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto& name = columns[i];
      if (name == "relid")
        answer.add(std::to_string(16'384 + row));
      else if (name == "datname")
        answer.add("shop");
      else if (name == "schemaname")
        answer.add("public");
      else if (name == "relname")
        answer.add(fmt::format("a_table_with_a_usual_name_{}", row));
      else if (name.starts_with("last_"))
        answer.add("1763900000.123456");
      else
        answer.add(std::to_string((row * 7919 + i * 104'729) % 1'000'000));
    }
  return answer;
}

/// A tenth of the tables moves on.
void move_on(Answer& answer, std::size_t look) {
  for (std::size_t row = look % 10; row < answer.rows(); row += 10)
    for (std::size_t column = 4; column < 8; ++column)
      answer.set(row, column, std::to_string(1'000'000 + look * 1000 + column));
}

void look_at_tables(benchmark::State& state) {
  auto answer = tables(static_cast<std::size_t>(state.range(0)));
  const Query* const asked[] = {&newest(stat_user_tables_collector)};
  ::malloc_trim(0);
  const auto before = ::mallinfo2();
  const auto treatment = stat_user_tables_collector.make_treatment({});
  Deadline now{};
  std::size_t look = 0;
  const auto take = [&] {
    const TableView views[] = {answer.view()};
    benchmark::DoNotOptimize(treatment->take(asked, views, now += 15s));
  };
  take();
  for (auto _ : state) {
    state.PauseTiming();
    move_on(answer, ++look);
    state.ResumeTiming();
    take();
  }
  const auto after = ::mallinfo2();
  state.counters["kept_bytes"] =
      static_cast<double>(after.uordblks + after.hblkhd) - static_cast<double>(before.uordblks + before.hblkhd);
}
BENCHMARK(look_at_tables)->Arg(300)->Arg(5000)->Unit(benchmark::kMillisecond);

void page_of_tables(benchmark::State& state) {
  const auto answer = tables(static_cast<std::size_t>(state.range(0)));
  const Query* const asked[] = {&newest(stat_user_tables_collector)};
  const TableView views[] = {answer.view()};
  const auto treatment = stat_user_tables_collector.make_treatment({});
  (void)treatment->take(asked, views, Deadline{});
  for (auto _ : state) {
    metrics::SnapshotBuilder builder;
    treatment->add({}, builder);
    benchmark::DoNotOptimize(builder.freeze());
  }
}
BENCHMARK(page_of_tables)->Arg(5000)->Unit(benchmark::kMillisecond);

/// The same rows without a ledger: what they would cost at each scrape.
void interpreted_tables(benchmark::State& state) {
  const auto answer = tables(static_cast<std::size_t>(state.range(0)));
  const auto view = answer.view();
  for (auto _ : state) {
    metrics::SnapshotBuilder builder;
    benchmark::DoNotOptimize(interpret(newest(stat_user_tables_collector), view, {}, builder));
    benchmark::DoNotOptimize(builder.freeze());
  }
}
BENCHMARK(interpreted_tables)->Arg(5000)->Unit(benchmark::kMillisecond);

void look_at_statements(benchmark::State& state) {
  Answer info({"server_time", "started", "sees_all", "stats_reset", "dealloc", "max_entries"});
  for (const auto* cell : {"1763900000.5", "1763800000.5", "t", "1763800000.5", "3", "5000"}) info.add(cell);
  std::vector<std::string> columns{"userid", "dbid", "toplevel"};
  const auto queries = stat_statements_collector.queries;
  for (const auto& column : queries[1].columns) columns.emplace_back(column.column);
  Answer answer(columns);
  for (std::int64_t row = 0; row < state.range(0); ++row)
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i < 3)
        answer.add(i == 2 ? "t" : "16384");
      else if (i < 5)
        answer.add("shop");
      else if (i == 5)
        answer.add(std::to_string(row * 1'234'567'890'123 - 4'000'000'000'000'000));
      else
        answer.add(columns[i].ends_with("time") ? fmt::format("{}.123456", row * 31) : std::to_string(row * 17));
    }
  const Query* const asked[] = {&queries[0], &queries[1]};
  const TableView views[] = {info.view(), answer.view()};
  ::malloc_trim(0);
  const auto before = ::mallinfo2();
  const auto treatment = stat_statements_collector.make_treatment({});
  Deadline now{};
  (void)treatment->take(asked, views, now);
  for (auto _ : state) benchmark::DoNotOptimize(treatment->take(asked, views, now += 30s));
  const auto after = ::mallinfo2();
  state.counters["kept_bytes"] =
      static_cast<double>(after.uordblks + after.hblkhd) - static_cast<double>(before.uordblks + before.hblkhd);
}
BENCHMARK(look_at_statements)->Arg(5000)->Unit(benchmark::kMillisecond);

}  // namespace
