// The queries files of postgres_exporter (--extend.query-path): YAML → definitions of collectors. Pure.
#pragma once

#include "agent/app/config.hpp"
#include "agent/sources/postgres/custom/definition.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace midst::app {

/// Bytes that a queries file may have.
inline constexpr std::size_t max_queries_file_bytes = 1024 * 1024;

struct ParsedQueries {
  std::vector<sources::CustomDefinition> queries;  ///< Only to be used when no problem is an error.
  std::vector<Problem> problems;                   ///< All of them, each with its place in the file.
};

/// Reads a queries file. Beyond what the exporter makes of it, runonserver, pg_version and metric_mapping hold.
/// @param file_name  what places are called.
[[nodiscard]] ParsedQueries parse_queries_yaml(std::string_view yaml, std::string_view file_name);

}  // namespace midst::app
