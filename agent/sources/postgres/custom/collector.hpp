// A CustomDefinition in the shape of the catalogue: owns the texts that a Collector only points to.
#pragma once

#include "agent/sources/postgres/custom/definition.hpp"
#include "agent/sources/postgres/query.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace midst::sources {

/// Rows beyond a query's limit that are still received, so that they can be counted.
inline constexpr std::size_t max_rows_counted = 10'000;

class CustomCollector {
 public:
  explicit CustomCollector(CustomDefinition definition);
  CustomCollector(const CustomCollector&) = delete;
  CustomCollector& operator=(const CustomCollector&) = delete;

  /// @return what the catalogue has for a collector of its own; lives as long as this.
  [[nodiscard]] const Collector& collector() const noexcept { return collector_; }

 private:
  void add_queries(const VersionRange& range);
  [[nodiscard]] std::vector<int> boundaries() const;

  CustomDefinition definition_;
  std::string sql_;
  std::vector<std::vector<Mapped>> mappings_;  ///< One for each column of the definition.
  std::deque<std::vector<Column>> columns_;    ///< One for each range of versions with columns of its own.
  std::vector<Query> queries_;
  Collector collector_;
};

}  // namespace midst::sources
