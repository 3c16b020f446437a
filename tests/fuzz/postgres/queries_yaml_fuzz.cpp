// A queries file of any content: bounded, every problem with its place in the file, and what has no error can be asked.
#include "agent/app/queries_yaml.hpp"
#include "agent/sources/postgres/custom/collector.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = midst::app::parse_queries_yaml(text, "f");
  if (parsed.problems.size() > 200) std::abort();
  bool has_errors = false;
  for (const auto& problem : parsed.problems) {
    if (!problem.place.starts_with("f:") || problem.message.empty()) std::abort();
    has_errors = has_errors || problem.is_error;
  }
  if (has_errors) return 0;
  for (const auto& definition : parsed.queries) {
    if (definition.sql.empty() || definition.name.empty() || definition.columns.size() > 200) std::abort();
    const midst::sources::CustomCollector own(definition);
    if (own.collector().queries.size() % 2 != 0) std::abort();
  }
  return 0;
}
