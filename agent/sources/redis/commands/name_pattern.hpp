// A regular expression that names are held against. Used where redis_exporter's users are used to one.
#pragma once

#include "lib/base/error.hpp"

#include <memory>
#include <string>

namespace midst::sources::redis_info {

/// POSIX extended syntax, found anywhere in the name unless it has ^ and $: "^idx:", "users|orders", ".*".
/// Matching takes time in proportion to the name: back-references, which could take forever, are refused.
class NamePattern {
 public:
  /// @return Errc::config with the reason when the pattern is none or longer than 256 bytes.
  [[nodiscard]] static Result<NamePattern> parse(const std::string& pattern);

  /// A name with a zero byte in it is compared up to there.
  [[nodiscard]] bool matches(const std::string& name) const noexcept;

 private:
  struct Compiled;
  explicit NamePattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace midst::sources::redis_info
