// The keys of a [[postgres.query]] in any form: every problem has a place, and what has no error can be asked.
#include "agent/app/config.hpp"
#include "agent/sources/postgres/custom/collector.hpp"
#include "agent/sources/postgres/plan.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void try_out(const midst::sources::CustomDefinition& definition) {
  const midst::sources::CustomCollector own(definition);
  for (const int version : {90'600, 120'000, 160'002, 180'000}) {
    midst::sources::ServerFacts facts;
    facts.version = version;
    const auto statements = midst::sources::plan(own.collector(), facts);
    if (!statements || (!statements->empty() && statements->size() != 2)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Files of this machine are no part of the input.
  if (text.find("file") != std::string::npos || text.find('\\') != std::string::npos) return 0;
  const auto parsed = midst::app::parse_config("[[postgres]]\ndsn = \"host=a\"\n[[postgres.query]]\n" + text, "f",
                                               midst::app::Environment::Variables{});
  for (const auto& problem : parsed.problems)
    if (problem.place.empty() || problem.message.empty()) std::abort();
  if (parsed.has_errors()) return 0;
  for (const auto& target : parsed.config.postgres)
    for (const auto& definition : target.custom) try_out(definition);
  return 0;
}
