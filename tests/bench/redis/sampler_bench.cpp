// What the key sampler costs on our side, per key: its pattern, its row, and a whole step's replies.
// What it costs the server and other clients is measured by tests/bench/peers.
#include "agent/sources/redis/sampler/key_fanout.hpp"
#include "agent/sources/redis/sampler/key_pattern.hpp"
#include "agent/sources/redis/sampler/prefix_table.hpp"
#include "agent/sources/redis/sampler/sampler_cycle.hpp"

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <string>
#include <vector>

namespace {

using namespace midst;
using namespace midst::sources::redis_info;

std::vector<std::string> usual_keys() {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back(fmt::format("user:{}:profile", i * 7919));
    keys.push_back(fmt::format("session:{:016x}", 0x9e3779b97f4a7c15U * static_cast<unsigned>(i + 1)));
    keys.push_back(fmt::format("cache:page:name{}:v2", i % 50));
    keys.push_back(fmt::format("rate.limit.{}", i));
  }
  return keys;
}

void pattern_of_a_key(benchmark::State& state) {
  const auto keys = usual_keys();
  KeyPattern made({});
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(made.of(keys[i++ % keys.size()]));
}
BENCHMARK(pattern_of_a_key);

void count_a_key(benchmark::State& state) {
  const auto keys = usual_keys();
  KeyPattern made({});
  KeyFanout fanout(64, 1024);
  PrefixTable table({});
  std::size_t i = 0;
  for (auto _ : state) {
    const auto pattern = fanout.apply(made.of(keys[i++ % keys.size()]), made);
    benchmark::DoNotOptimize(table.count({0, pattern}));
  }
}
BENCHMARK(count_a_key);

void count_a_key_without_a_row(benchmark::State& state) {
  PrefixTable table({});
  std::vector<std::string> patterns;
  for (int i = 0; i < 10'000; ++i) patterns.push_back(fmt::format("tenant{}:*", i));
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.count({0, patterns[i++ % patterns.size()]}));
}
BENCHMARK(count_a_key_without_a_row);

redis::Reply scan_reply(int keys, int from) {
  redis::Reply names{redis::Reply::Type::array, {}, 0, {}};
  for (int i = 0; i < keys; ++i)
    names.elements.push_back({redis::Reply::Type::string, fmt::format("user:{}:profile", from + i), 0, {}});
  return {redis::Reply::Type::array, {}, 0, {{redis::Reply::Type::string, "17", 0, {}}, std::move(names)}};
}

/// One step of 200 keys, a tenth of which is looked at.
void take_a_step(benchmark::State& state) {
  SamplerOptions options;
  SamplerCycle cycle(options, 0, 1);
  cycle.begin({{0, 1'000'000'000, 1}});
  const auto scan = scan_reply(200, 0);
  const redis::Reply clock{
      redis::Reply::Type::array,
      {},
      0,
      {{redis::Reply::Type::string, "1700000000", 0, {}}, {redis::Reply::Type::string, "5", 0, {}}}};
  std::vector<redis::Reply> replies;
  for (auto _ : state) {
    const auto commands = cycle.next(200);
    replies.clear();
    for (const auto& command : commands) {
      if (command[0] == "TIME") replies.push_back(clock);
      if (command[0] == "SCAN") replies.push_back(scan);
      if (command[0] == "MEMORY") replies.push_back({redis::Reply::Type::integer, {}, 96, {}});
      if (command[0] == "TYPE") replies.push_back({redis::Reply::Type::status, "hash", 0, {}});
      if (command[0] == "PTTL") replies.push_back({redis::Reply::Type::integer, {}, 60'000, {}});
    }
    if (!cycle.take(replies)) return state.SkipWithError("the step was refused");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 200);
}
BENCHMARK(take_a_step)->Unit(benchmark::kMicrosecond);

}  // namespace
