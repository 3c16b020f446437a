// Numeric INFO fields that the catalogue does not know, where the operator asked for them by pattern. Pure.
// Used by info.cpp as the last resort of a line.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace midst::sources::redis_info {

/// redis_info_field{section,field}.
class ExtraReader {
 public:
  /// @param patterns  globs of field names; one with a colon is of section and field: "stats:io_*". Not copied.
  ExtraReader(std::span<const std::string> patterns, std::size_t max_fields, metrics::SnapshotBuilder& builder)
      : patterns_(patterns), max_fields_(max_fields), builder_(builder) {}

  /// @param section  the word of the header, in any case; the label has it in lower case, as INFO takes it.
  void read(std::string_view section, std::string_view field, std::string_view value);
  /// @return fields above the limit.
  [[nodiscard]] std::size_t folded() const noexcept { return folded_; }

 private:
  [[nodiscard]] bool is_wanted(std::string_view section, std::string_view field) const noexcept;

  std::span<const std::string> patterns_;
  std::size_t max_fields_;
  metrics::SnapshotBuilder& builder_;
  std::size_t fields_ = 0, folded_ = 0;
};

/// The family of this part.
inline constexpr metrics::MetricSpec info_field{
    "redis_info_field", metrics::MetricType::unknown, "",
    "A number of INFO that has no metric of its own, as the server says it.", "field,section"};

}  // namespace midst::sources::redis_info
