// What a line of StatsD costs without sockets: packed packets of known lines over few and many contexts, of new lines,
// and of hostile ones.
#include "agent/ingest/statsd/statsd.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace midst::ingest;
using statsd::Protocol;

const SteadyTime now{std::chrono::hours(1000)};
constexpr std::size_t packet_bytes = 8192;

/// A line as an instrumented API sends it, about 67 bytes.
std::string line_of(std::size_t context, std::size_t value) {
  const auto route = std::to_string(context);
  switch (context % 4) {
    case 0:
      return "http.requests:" + std::to_string(value % 9 + 1) + "|c|#method:GET,route:/v1/r/" + route +
             ",status:200,env:prod\n";
    case 1:
      return "http.request.duration:" + std::to_string(value % 900) + ".25|ms|#method:GET,route:/v1/r/" + route +
             ",env:prod\n";
    case 2:
      return "http.response.size:" + std::to_string(value % 90000) + "|h|@0.5|#method:GET,route:/v1/r/" + route +
             ",env:prod\n";
    default:
      return "http.in_flight:" + std::to_string(value % 90) + "|g|#method:GET,route:/v1/r/" + route + ",env:prod\n";
  }
}

struct Packets {
  std::vector<std::string> texts;
  std::size_t lines = 0;
};

Packets packed(std::size_t contexts, std::size_t lines) {
  Packets packets;
  std::uint64_t state = 88172645463325252ull;
  packets.texts.emplace_back();
  for (; packets.lines < lines; ++packets.lines) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const auto line = line_of(state % contexts, state >> 20);
    if (packets.texts.back().size() + line.size() > packet_bytes) packets.texts.emplace_back();
    packets.texts.back() += line;
  }
  return packets;
}

statsd::StatsdOptions large() {
  statsd::StatsdOptions options;
  options.limits.max_series = options.limits.max_series_per_family = 2'000'000;
  options.limits.max_bytes = options.max_memo_bytes = std::size_t{1} << 30U;
  return options;
}

void report(benchmark::State& state, double lines) {
  state.counters["lines/s"] = benchmark::Counter(lines, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["ns/line"] =
      benchmark::Counter(lines * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void known_lines(benchmark::State& state) {
  const auto packets =
      packed(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(0)) * 4 + 4096);
  statsd::Statsd statsd(large());
  for (const auto& text : packets.texts) statsd.feed(text, Protocol::datagram, now);
  for (auto _ : state)
    for (const auto& text : packets.texts) statsd.feed(text, Protocol::datagram, now);
  report(state, static_cast<double>(packets.lines));
}
BENCHMARK(known_lines)->Arg(1455)->Arg(100'000)->Arg(1'000'000);

void new_lines(benchmark::State& state) {
  const auto packets = packed(1'000'000, 200'000);
  for (auto _ : state) {
    statsd::Statsd statsd(large());
    for (const auto& text : packets.texts) statsd.feed(text, Protocol::datagram, now);
  }
  report(state, static_cast<double>(packets.lines));
}
BENCHMARK(new_lines)->Unit(benchmark::kMillisecond);

/// Every line is another series, far beyond the limits.
void lines_beyond_the_limits(benchmark::State& state) {
  const auto packets = packed(100'000'000, 200'000);
  statsd::StatsdOptions options;
  options.limits.max_series = 1000;
  statsd::Statsd statsd(options);
  for (auto _ : state)
    for (const auto& text : packets.texts) statsd.feed(text, Protocol::datagram, now);
  report(state, static_cast<double>(packets.lines));
}
BENCHMARK(lines_beyond_the_limits)->Unit(benchmark::kMillisecond);

void lines_of_tiny_rates(benchmark::State& state) {
  std::string packet;
  for (int i = 0; i < 100; ++i) packet += "boom:1|ms|@1e-9\n";
  statsd::Statsd statsd({});
  for (auto _ : state) statsd.feed(packet, Protocol::datagram, now);
  report(state, 100);
}
BENCHMARK(lines_of_tiny_rates);

void write_100k(benchmark::State& state) {
  statsd::Statsd statsd(large());
  for (const auto& text : packed(100'000, 400'000).texts) statsd.feed(text, Protocol::datagram, now);
  for (auto _ : state) {
    midst::metrics::SnapshotBuilder builder;
    statsd.write(builder, now);
    benchmark::DoNotOptimize(builder.freeze().sample_count());
  }
}
BENCHMARK(write_100k)->Unit(benchmark::kMillisecond);

void state_100k(benchmark::State& state) {
  statsd::Statsd statsd(large());
  for (const auto& text : packed(100'000, 400'000).texts) statsd.feed(text, Protocol::datagram, now);
  for (auto _ : state) benchmark::DoNotOptimize(statsd.state().size());
  state.counters["bytes"] = static_cast<double>(statsd.state().size());
}
BENCHMARK(state_100k)->Unit(benchmark::kMillisecond);

}  // namespace
