// What a scrape of Redis costs on our side: INFO text → Snapshot, LATENCY HISTOGRAM → Snapshot, bytes → replies.
#include "agent/sources/redis/commands/cluster.hpp"
#include "agent/sources/redis/commands/latency.hpp"
#include "agent/sources/redis/commands/settings.hpp"
#include "agent/sources/redis/commands/slowlog.hpp"
#include "agent/sources/redis/info/info.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "lib/redis/resp.hpp"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {

using namespace midst;
using namespace midst::sources::redis_info;

/// A captured INFO of Redis 7.0, grown to `lines` lines by further commands.
std::string info_of(int lines) {
  std::ifstream file(std::string(MIDST_SOURCE_DIR) + "/tests/golden/redis/info_7.txt", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  auto info = text.str();
  int count = 0;
  for (const char c : info) count += c == '\n' ? 1 : 0;
  for (int command = 0; count < lines; ++command, count += 2) {
    info += fmt::format("cmdstat_module.{}:calls={},usec={},usec_per_call=1.50,rejected_calls=0,failed_calls=0\r\n",
                        command, command * 7, command * 11);
    info += fmt::format("latency_percentiles_usec_module.{}:p50=1.003,p99=2.007,p99.9=9.023\r\n", command);
  }
  return info;
}

void read_info_lines(benchmark::State& state) {
  const auto info = info_of(static_cast<int>(state.range(0)));
  std::size_t samples = 0;
  for (auto _ : state) {
    metrics::SnapshotBuilder builder;
    auto facts = read_info(info, {}, builder);
    auto snapshot = builder.freeze();
    samples = snapshot.sample_count();
    benchmark::DoNotOptimize(facts);
    benchmark::DoNotOptimize(snapshot);
  }
  state.counters["samples"] = static_cast<double>(samples);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * info.size()));
}
BENCHMARK(read_info_lines)->Arg(250)->Arg(700)->Arg(2000)->Unit(benchmark::kMicrosecond);

void peek(benchmark::State& state) {
  const auto info = info_of(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    auto facts = peek_facts(info);
    benchmark::DoNotOptimize(facts);
  }
}
BENCHMARK(peek)->Arg(250)->Arg(700)->Arg(2000)->Unit(benchmark::kMicrosecond);

std::string histograms_of(int commands) {
  std::string wire = fmt::format("*{}\r\n", 2 * commands);
  for (int i = 0; i < commands; ++i) {
    const auto name = fmt::format("module.{}", i);
    wire += fmt::format("${}\r\n{}\r\n*4\r\n$5\r\ncalls\r\n:9\r\n$14\r\nhistogram_usec\r\n*8\r\n", name.size(), name);
    wire += ":8\r\n:2\r\n:33\r\n:4\r\n:264\r\n:8\r\n:4227\r\n:9\r\n";
  }
  return wire;
}

void read_histograms(benchmark::State& state) {
  const auto wire = histograms_of(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    redis::ReplyReader reader(64 * 1024 * 1024);
    const auto fed = reader.feed(wire, 1);
    metrics::SnapshotBuilder builder;
    const auto added = add_latency_histograms(reader.replies().front(), {}, {}, builder);
    auto snapshot = builder.freeze();
    benchmark::DoNotOptimize(fed);
    benchmark::DoNotOptimize(added);
    benchmark::DoNotOptimize(snapshot);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * wire.size()));
}
BENCHMARK(read_histograms)->Arg(10)->Arg(100)->Arg(400)->Unit(benchmark::kMicrosecond);

}  // namespace
