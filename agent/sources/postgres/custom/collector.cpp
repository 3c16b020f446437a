#include "agent/sources/postgres/custom/collector.hpp"

namespace midst::sources {

CustomCollector::CustomCollector(CustomDefinition definition) : definition_(std::move(definition)) {
  mappings_.resize(definition_.columns.size());
  for (std::size_t i = 0; i < definition_.columns.size(); ++i) {
    const auto& column = definition_.columns[i];
    for (const auto& [text, value] : column.mapping) mappings_[i].push_back({text, value});
    columns_.push_back({.column = column.column,
                        .use = column.use,
                        .name = column.metric,
                        .help = column.help,
                        .scale = column.scale,
                        .mapping = mappings_[i]});
  }
  queries_.push_back({.name = definition_.name,
                      .from_version = definition_.from_version,
                      .before_version = definition_.before_version,
                      .sql = definition_.sql,
                      .columns = columns_,
                      .max_rows = definition_.max_rows,
                      .role = definition_.role});
  collector_ = {.name = definition_.name,
                .ttl = definition_.ttl,
                .queries = queries_,
                .scope = definition_.scope,
                .timeout = definition_.timeout};
}

}  // namespace midst::sources
