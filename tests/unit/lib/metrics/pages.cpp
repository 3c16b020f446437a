#include "tests/unit/lib/metrics/pages.hpp"

#include <array>
#include <limits>

namespace midst::metrics::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

LabelSet trace(SnapshotBuilder& builder, std::string_view id) {
  const Label labels[] = {{"trace_id", id}};
  return builder.exemplar_labels(labels);
}

void add_counters(SnapshotBuilder& builder) {
  auto& requests = builder.family({"http_requests_total", MetricType::counter, "", "Requests \"done\"\nby C:\\api."});
  requests.add(builder.labels({{"method", "GET"}, {"route", "/v1/profiles/:id"}, {"status", "200"}}), 1027);
  requests.set_created(1'700'000'000.25);
  requests.add_exemplar(0, 1, 1'700'000'123.5, trace(builder, "4bf92f3577b34da6"));
  requests.add(builder.labels({{"method", "POST"}, {"route", "unmatched"}, {"status", "500"}}), 3);
  builder.add({"process_cpu_seconds_total", MetricType::counter, "seconds", "CPU time."}, 12.5);
  builder.add({"commands_processed", MetricType::counter, "", "A counter by another name."}, 9007199254740991);
  builder.add({"clock_steps_total", MetricType::counter, "", "A counter that went below zero."}, -2);
  builder.add({"queue_total", MetricType::counter, "", "Its short name is taken."}, 5);
  builder.add({"queue", MetricType::gauge, "", ""}, 4);
}

void add_gauges(SnapshotBuilder& builder) {
  const MetricSpec memory{"memory_bytes", MetricType::gauge, "bytes", "Every spelling of a number."};
  builder.add(memory, {{"v", "zero"}}, 0);
  builder.add(memory, {{"v", "negative"}}, -17);
  builder.add(memory, {{"v", "fraction"}}, 0.1);
  builder.add(memory, {{"v", "third"}}, 1.0 / 3);
  builder.add(memory, {{"v", "million"}}, 1e6);
  builder.add(memory, {{"v", "huge"}}, 1e22);
  builder.add(memory, {{"v", "tiny"}}, 2.5e-7);
  builder.add(memory, {{"v", "infinite"}}, infinity);
  builder.add(memory, {{"v", "-infinite"}}, -infinity);
  builder.add(memory, {{"v", "none"}}, nan);
  const MetricSpec odd{"label_values", MetricType::unknown, "", "Values that need an escape."};
  builder.add(odd, {{"value", "back\\slash"}}, 1);
  builder.add(odd, {{"value", "\"quoted\""}}, 2);
  builder.add(odd, {{"value", "two\nlines"}}, 3);
  builder.add(odd, {{"value", "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80"}}, 4);
  builder.add(odd, {{"value", "bad\xFF"}}, 5);
  builder.add(odd, {{"value", ""}}, 6);
  builder.add(odd, {{"value", "},{a=\"b\""}}, 7);
  builder.add({"instance_info", MetricType::info, "", "What runs here."}, {{"version", "7.0.15"}}, 1);
  const MetricSpec role{"role", MetricType::stateset, "", "The role."};
  builder.add(role, {{"role", "primary"}}, 1);
  builder.add(role, {{"role", "replica"}}, 0);
}

void add_histograms(SnapshotBuilder& builder) {
  const std::array bounds{0.005, 1.0, 2.5, 1e6};
  const std::array<std::uint64_t, 4> first{1, 5, 5, 6}, second{0, 0, 0, 0};
  auto& duration = builder.family({"http_request_duration_seconds", MetricType::histogram, "seconds", "Durations."});
  duration.add(builder.labels({{"method", "GET"}}),
               {.bounds = bounds, .cumulative = first, .quantile_values = {}, .sum = 17.25, .count = 7});
  duration.set_created(1'700'000'001);
  duration.add_exemplar(1, 0.75, 1'700'000'200.125, trace(builder, "b"));
  duration.add_exemplar(4, 2e6, 0, trace(builder, "inf"));
  duration.add(builder.labels({}), {.bounds = bounds, .cumulative = second, .quantile_values = {}});

  const std::array<NativeHistogram::BucketSpan, 2> spans{{{-2, 2}, {3, 1}}};
  const std::array<std::int64_t, 3> deltas{2, -1, 200};
  NativeHistogram native;
  native.schema = -1;
  native.zero_threshold = 1e-9;
  native.zero_count = 4;
  native.positive_spans = spans;
  native.positive_deltas = deltas;
  const NativeHistogram empty;
  auto& size = builder.family({"body_size_bytes", MetricType::histogram, "bytes", "Native as well."});
  size.add(builder.labels({{"kind", "full"}}),
           {.bounds = {}, .cumulative = {}, .quantile_values = {}, .sum = 900, .count = 208, .native = &native});
  size.add(builder.labels({{"kind", "empty"}}),
           {.bounds = {}, .cumulative = {}, .quantile_values = {}, .sum = 0, .count = 0, .native = &empty});

  const std::array below{-1.0, 0.0};
  const std::array<std::uint64_t, 2> cold{2, 3};
  builder.family({"temperature_celsius", MetricType::histogram, "celsius", "Bounds below zero."})
      .add(builder.labels({}), {.bounds = below, .cumulative = cold, .quantile_values = {}, .sum = -4, .count = 4});
}

void add_summaries(SnapshotBuilder& builder) {
  const std::array quantiles{0.5, 0.99, 1.0}, values{0.125, 2.0, nan};
  auto& pause = builder.family({"gc_pause_seconds", MetricType::summary, "seconds", "Pauses."});
  pause.add(builder.labels({{"gc", "major"}}),
            {.bounds = quantiles, .cumulative = {}, .quantile_values = values, .sum = 8.5, .count = 40});
  pause.set_created(1'700'000'002);
  pause.add(builder.labels({{"gc", "minor"}}),
            {.bounds = {}, .cumulative = {}, .quantile_values = {}, .sum = 0, .count = 0});
  const std::array percents{50.0, 99.0, 99.9}, usec{1.003, 30.079, 120.0};
  builder.family({"redis_latency_percentiles_usec", MetricType::summary, "", "Percentiles, not quantiles."})
      .add(builder.labels({{"cmd", "get"}}),
           {.bounds = percents, .cumulative = {}, .quantile_values = usec, .sum = 9000, .count = 4000});
}

}  // namespace

std::shared_ptr<const Snapshot> snapshot_of(const std::function<void(SnapshotBuilder&)>& fill) {
  SnapshotBuilder builder;
  fill(builder);
  return std::make_shared<const Snapshot>(builder.freeze());
}

Exposition page_of(const std::function<void(SnapshotBuilder&)>& fill) {
  return merge({snapshot_of(fill)});
}

Exposition everything() {
  const auto first = snapshot_of([](SnapshotBuilder& builder) {
    add_counters(builder);
    add_gauges(builder);
    add_histograms(builder);
    add_summaries(builder);
  });
  const Label target[] = {{"target", "second"}};
  SnapshotBuilder builder(target);
  builder.add({"http_requests_total", MetricType::counter, "", "Not the first."}, {{"method", "GET"}}, 11);
  builder.add({"queue", MetricType::gauge, "", ""}, {{"target", ""}}, 12);
  builder.add({"process_cpu_seconds_total", MetricType::gauge, "", "Another type."}, 13);
  const auto second = std::make_shared<const Snapshot>(builder.freeze());
  const auto third = snapshot_of([](SnapshotBuilder& again) {
    auto& queue = again.family({"queue", MetricType::gauge, "", ""});
    queue.add(99);  // the first snapshot has it
    queue.add(again.labels({{"target", "third"}}), 14);
  });
  return merge({first, second, third});
}

Exposition well_named() {
  return page_of([](SnapshotBuilder& builder) {
    builder.add({"app_requests_total", MetricType::counter, "", "Requests answered."}, {{"method", "GET"}}, 12);
    builder.add({"app_memory_bytes", MetricType::gauge, "bytes", "Memory in use."}, 1.5e9);
    builder.add({"app_build_info", MetricType::info, "", "The build."}, {{"version", "0.1.0"}}, 1);
    const std::array bounds{0.25, 1.0};
    const std::array<std::uint64_t, 2> counts{3, 4};
    auto& duration = builder.family({"app_duration_seconds", MetricType::histogram, "seconds", "Time to answer."});
    duration.add(builder.labels({{"method", "GET"}}),
                 {.bounds = bounds, .cumulative = counts, .quantile_values = {}, .sum = 2.75, .count = 5});
    const std::array quantiles{0.5}, values{0.75};
    builder.family({"app_wait_seconds", MetricType::summary, "seconds", "Time in the queue."})
        .add(builder.labels({}),
             {.bounds = quantiles, .cumulative = {}, .quantile_values = values, .sum = 3, .count = 4});
  });
}

}  // namespace midst::metrics::test
