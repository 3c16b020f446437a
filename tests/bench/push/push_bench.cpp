// What an instrumented program pays per call, beside prometheus-cpp, and what a snapshot costs both ends.
#include "agent/ingest/session.hpp"
#include "lib/push/client.hpp"
#include "lib/push/http_metrics.hpp"
#include "lib/push/midst_push.h"
#include "lib/push/registry.hpp"

#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace midst;

push::Client& client() {
  push::ClientOptions options;
  options.socket_path = "/nonexistent/push.sock";
  static push::Client made(options);
  return made;
}

const std::vector<double> bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

/// Values that no branch predictor knows.
std::vector<double> latencies() {
  std::vector<double> values(4096);
  std::uint64_t state = 88172645463325252ull;
  for (auto& value : values) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    value = static_cast<double>(state % 12000) / 1000;
  }
  return values;
}

void counter_add(benchmark::State& state) {
  static const auto counter = client().counter("bench_total", "Bench.").with({});
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counter_add)->ThreadRange(1, 2)->UseRealTime();

/// One after another, as programs do: without waiting for the store of the call before to be read again.
void counter_add_of_eight(benchmark::State& state) {
  static const auto family = client().counter("bench_eight_total", "Bench.", {"n"});
  std::array<push::Counter, 8> counters;
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] = family.with({std::to_string(i)});
  for (auto _ : state)
    for (const auto& counter : counters) {
      counter.add();
      benchmark::ClobberMemory();
    }
  state.SetItemsProcessed(state.iterations() * 8);
}
BENCHMARK(counter_add_of_eight)->ThreadRange(1, 2)->UseRealTime();

void counter_add_prometheus_cpp(benchmark::State& state) {
  static prometheus::Registry registry;
  static auto& counter = prometheus::BuildCounter().Name("bench_total").Register(registry).Add({});
  for (auto _ : state) counter.Increment();
}
BENCHMARK(counter_add_prometheus_cpp)->ThreadRange(1, 2)->UseRealTime();

void histogram_observe(benchmark::State& state) {
  static const auto histogram = client().histogram("bench_seconds", "Bench.", bounds).with({});
  const auto values = latencies();
  std::size_t i = 0;
  for (auto _ : state) {
    histogram.observe(values[i++ % 4096]);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(histogram_observe)->ThreadRange(1, 2)->UseRealTime();

void histogram_observe_prometheus_cpp(benchmark::State& state) {
  static prometheus::Registry registry;
  static auto& histogram = prometheus::BuildHistogram().Name("bench_seconds").Register(registry).Add({}, bounds);
  const auto values = latencies();
  std::size_t i = 0;
  for (auto _ : state) histogram.Observe(values[i++ % 4096]);
}
BENCHMARK(histogram_observe_prometheus_cpp)->ThreadRange(1, 2)->UseRealTime();

push::TraceContext trace() {
  push::TraceContext made;
  made.trace_id.fill(0xab);
  made.span_id.fill(0xcd);
  return made;
}

void counter_add_exemplar(benchmark::State& state) {
  static const auto counter = client().counter("bench_total", "Bench.").with({});
  const auto here = trace();
  for (auto _ : state) counter.add(1, here);
}
BENCHMARK(counter_add_exemplar)->ThreadRange(1, 2)->UseRealTime();

void histogram_observe_exemplar(benchmark::State& state) {
  static const auto histogram = client().histogram("bench_seconds", "Bench.", bounds).with({});
  const auto values = latencies();
  const auto here = trace();
  std::size_t i = 0;
  for (auto _ : state) histogram.observe(values[i++ % 4096], here);
}
BENCHMARK(histogram_observe_exemplar)->ThreadRange(1, 2)->UseRealTime();

void histogram_observe_many(benchmark::State& state) {
  static const auto histogram = client().histogram("bench_seconds", "Bench.", bounds).with({});
  const auto values = latencies();
  for (auto _ : state) histogram.observe_many(values);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(values.size()));
}
BENCHMARK(histogram_observe_many);

void histogram_timer(benchmark::State& state) {
  static const auto histogram = client().histogram("bench_seconds", "Bench.", bounds).with({});
  for (auto _ : state) static_cast<void>(histogram.time().stop());
}
BENCHMARK(histogram_timer);

void http_request(benchmark::State& state) {
  static push::HttpMetrics http(client(), {});
  for (auto _ : state) {
    auto request = http.begin("GET");
    request.set_route("/v1/profiles/:id");
    request.set_status(200);
  }
}
BENCHMARK(http_request)->ThreadRange(1, 2)->UseRealTime();

midst_push_series* c_series(bool is_histogram) {
  static auto* const c_client = midst_push_open("/nonexistent/push.sock", "bench", 0, 0, nullptr, nullptr);
  auto* const family = is_histogram ? midst_push_histogram(c_client, "c_seconds", "Bench.", nullptr, 0, bounds.data(),
                                                           static_cast<std::int64_t>(bounds.size()))
                                    : midst_push_counter(c_client, "c_total", "Bench.", nullptr, 0);
  return midst_push_series_of(family, nullptr, 0);
}

void c_counter_inc(benchmark::State& state) {
  auto* const series = c_series(false);
  for (auto _ : state) midst_push_inc(series);
}
BENCHMARK(c_counter_inc)->ThreadRange(1, 2)->UseRealTime();

void c_histogram_observe(benchmark::State& state) {
  auto* const series = c_series(true);
  const auto values = latencies();
  std::size_t i = 0;
  for (auto _ : state) midst_push_observe(series, values[i++ % 4096]);
}
BENCHMARK(c_histogram_observe)->ThreadRange(1, 2)->UseRealTime();

/// What series_look_up costs where a thread has looked up too much to remember it.
void series_look_up_forgotten(benchmark::State& state) {
  const auto shards = std::make_shared<push::detail::Shards>(1'000'000);
  push::detail::Registry registry(shards, 10'000, [](std::string_view, std::string_view) {});
  push::wire::FamilyDefinition family;
  family.name = "lookup_total";
  family.label_names = {"method", "route", "status"};
  const auto id = registry.declare(family, {}).value();
  const std::vector<std::string_view> values{"GET", "/v1/profiles/:id", "200"};
  for (auto _ : state) benchmark::DoNotOptimize(registry.find(id, values).cell);
}
BENCHMARK(series_look_up_forgotten);

void series_look_up(benchmark::State& state) {
  static const auto family = client().counter("lookup_total", "Bench.", {"method", "route", "status"});
  for (auto _ : state) family.with({"GET", "/v1/profiles/:id", "200"}).add();
}
BENCHMARK(series_look_up)->ThreadRange(1, 2)->UseRealTime();

void series_look_up_prometheus_cpp(benchmark::State& state) {
  static prometheus::Registry registry;
  static auto& family = prometheus::BuildCounter().Name("lookup_total").Register(registry);
  for (auto _ : state) family.Add({{"method", "GET"}, {"route", "/v1/profiles/:id"}, {"status", "200"}}).Increment();
}
BENCHMARK(series_look_up_prometheus_cpp)->ThreadRange(1, 2)->UseRealTime();

/// A registry and a Store that know each other's ids, without sockets and threads.
class Pair {
 public:
  Pair(std::size_t counters, std::size_t histograms)
      : shards_(std::make_shared<push::detail::Shards>(1)),
        registry_(shards_, counters + histograms, [](std::string_view, std::string_view) {}) {
    push::wire::FamilyDefinition family;
    family.name = "a_total";
    family.label_names = {"method", "route"};
    const auto first = registry_.declare(family, {}).value();
    for (std::size_t i = 0; i < counters; ++i) {
      const auto route = "/v1/route/" + std::to_string(i);
      cells_.push_back(*registry_.find(first, std::vector<std::string_view>{"GET", route}).cell);
    }
    family.name = "h_seconds";
    family.kind = push::wire::MetricKind::histogram;
    family.bounds = bounds;
    const auto second = registry_.declare(family, {}).value();
    for (std::size_t i = 0; i < histograms; ++i) {
      const auto route = "/v1/route/" + std::to_string(i);
      cells_.push_back(*registry_.find(second, std::vector<std::string_view>{"GET", route}).cell);
    }
    push::wire::Hello hello;
    std::string frame, replies;
    push::wire::encode(frame, hello);
    static_cast<void>(session_.feed(frame, {}, replies));
    send();
  }

  /// Every series changes.
  void count() {
    for (const auto cell : cells_) push::detail::add(*shard_->touch(cell), std::uint64_t{1});
  }
  std::size_t encode() {
    frames_.clear();
    push::wire::Snap head;
    head.seq = ++seq_;
    registry_.begin(head);
    while (registry_.next(frames_, 65536, true, {}) == push::detail::Registry::Progress::more) continue;
    return frames_.size();
  }
  void apply() {
    replies_.clear();
    if (session_.feed(frames_, {}, replies_)) std::abort();
  }
  void send() {
    count();
    encode();
    apply();
  }
  ingest::Store& store() { return store_; }

 private:
  std::shared_ptr<push::detail::Shards> shards_;
  std::shared_ptr<push::detail::Shard> shard_ = shards_->join();
  push::detail::Registry registry_;
  ingest::Store store_{{}};
  ingest::Session session_{store_, {}, push::wire::default_max_frame};
  std::vector<std::uint32_t> cells_;
  std::string frames_, replies_;
  std::uint64_t seq_ = 0;
};

void report(benchmark::State& state, std::size_t series) {
  state.counters["ns/series"] = benchmark::Counter(
      static_cast<double>(series) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void snapshot_encode_and_merge(benchmark::State& state) {
  Pair pair(10'000, 0);
  std::size_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    pair.count();
    state.ResumeTiming();
    bytes = pair.encode();
    pair.apply();
  }
  report(state, 10'000);
  state.counters["bytes/series"] = static_cast<double>(bytes) / 10'000;
}
BENCHMARK(snapshot_encode_and_merge)->Unit(benchmark::kMicrosecond);

void snapshot_encode(benchmark::State& state) {
  Pair pair(10'000, 0);
  for (auto _ : state) {
    state.PauseTiming();
    pair.count();
    state.ResumeTiming();
    benchmark::DoNotOptimize(pair.encode());
  }
  report(state, 10'000);
}
BENCHMARK(snapshot_encode)->Unit(benchmark::kMicrosecond);

void snapshot_encode_and_merge_histograms(benchmark::State& state) {
  Pair pair(0, 1'000);
  for (auto _ : state) {
    state.PauseTiming();
    pair.count();
    state.ResumeTiming();
    pair.encode();
    pair.apply();
  }
  report(state, 1'000);
}
BENCHMARK(snapshot_encode_and_merge_histograms)->Unit(benchmark::kMicrosecond);

void store_snapshot(benchmark::State& state) {
  Pair pair(10'000, 0);
  for (auto _ : state) benchmark::DoNotOptimize(pair.store().snapshot({}).sample_count());
  report(state, 10'000);
}
BENCHMARK(store_snapshot)->Unit(benchmark::kMicrosecond);

void store_snapshot_histograms(benchmark::State& state) {
  Pair pair(0, 1'000);
  for (auto _ : state) benchmark::DoNotOptimize(pair.store().snapshot({}).sample_count());
  report(state, 1'000);
}
BENCHMARK(store_snapshot_histograms)->Unit(benchmark::kMicrosecond);

}  // namespace
