#include "agent/sources/postgres/custom/known_families.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "agent/sources/postgres/treatment.hpp"

namespace midst::sources {
namespace {

bool is_on(const Collector& collector, const PostgresOptions& options) {
  const auto override = options.collectors.find(std::string(collector.name));
  return override == options.collectors.end() ? collector.runs == Default::on : override->second;
}

}  // namespace

std::map<std::string, KnownFamily, std::less<>> known_families(const PostgresOptions& options) {
  std::map<std::string, KnownFamily, std::less<>> families;
  const auto add = [&](const metrics::MetricSpec& spec, std::string_view collector) {
    families.emplace(std::string(spec.name), KnownFamily{collector, spec.type});
  };
  for (const auto& collector : postgres_catalog()) {
    if (!is_on(collector, options)) continue;
    for (const auto& query : collector.queries)
      for (const auto& column : query.columns)
        if (column.use != Use::label) add(spec_of(column), collector.name);
    if (collector.make_treatment == nullptr) continue;
    for (const auto& spec : collector.make_treatment(options.limits)->specs()) add(spec, collector.name);
  }
  return families;
}

}  // namespace midst::sources
