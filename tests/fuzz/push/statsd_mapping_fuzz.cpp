// Mapping files of statsd_exporter: whatever the YAML says, its rules are ones that a Mapper takes and names match in
// bounded time; problems name a place.
#include "agent/app/statsd_mapping_yaml.hpp"
#include "agent/ingest/statsd/mapping.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace statsd = midst::ingest::statsd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  auto parsed = midst::app::parse_statsd_mapping(yaml, "m.yaml");
  for (const auto& problem : parsed.problems)
    if (!problem.place.starts_with("m.yaml:") || problem.message.empty()) std::abort();
  const auto is_error = [](const midst::app::Problem& problem) { return problem.is_error; };
  if (std::any_of(parsed.problems.begin(), parsed.problems.end(), is_error)) return 0;
  const statsd::Mapper mapper(std::move(parsed.rules));
  statsd::Mapper::Match match;
  for (const auto* name :
       {"a", "a.b", "a.b.c", "test.dispatcher.x.y", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "..."})
    for (const auto type : {statsd::Type::counter, statsd::Type::gauge, statsd::Type::timing})
      if (mapper.find(name, type, match) && match.rule == nullptr) std::abort();
  return 0;
}
