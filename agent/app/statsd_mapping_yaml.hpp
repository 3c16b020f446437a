// Mapping files of statsd_exporter (--statsd.mapping-config): YAML → mapping rules.
#pragma once

#include "agent/app/config.hpp"
#include "agent/ingest/statsd/mapping.hpp"
#include "lib/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

/// Bytes that a mapping file may have.
inline constexpr std::size_t max_mapping_file_bytes = 1024 * 1024;

struct ParsedMapping {
  std::vector<ingest::statsd::MappingRule> rules;  ///< Only to be used when no problem is an error.
  std::vector<Problem> problems;                   ///< All of them, each with its place in the file.
};

/// Reads a mapping file. Summaries become histograms, about which a warning tells. Pure.
/// @param file_name  what places are called.
[[nodiscard]] ParsedMapping parse_statsd_mapping(std::string_view yaml, std::string_view file_name);

/// The same for the file at `path`. @return why it cannot be read.
[[nodiscard]] Result<ParsedMapping> load_statsd_mapping(const std::string& path);

}  // namespace midst::app
