// A CustomDefinition in the shape of the catalogue: owns the texts that a Collector only points to.
#pragma once

#include "agent/sources/postgres/custom/definition.hpp"
#include "agent/sources/postgres/query.hpp"

#include <string>
#include <vector>

namespace midst::sources {

class CustomCollector {
 public:
  explicit CustomCollector(CustomDefinition definition);
  CustomCollector(const CustomCollector&) = delete;
  CustomCollector& operator=(const CustomCollector&) = delete;

  /// @return what the catalogue has for a collector of its own; lives as long as this.
  [[nodiscard]] const Collector& collector() const noexcept { return collector_; }

 private:
  CustomDefinition definition_;
  std::vector<std::vector<Mapped>> mappings_;  ///< One for each column.
  std::vector<Column> columns_;
  std::vector<Query> queries_;
  Collector collector_;
};

}  // namespace midst::sources
