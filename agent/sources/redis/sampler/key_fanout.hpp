// Learns which level of the keys has too many names to be told apart ("user:alice:profile", "user:bob:profile", …)
// and replaces the name there by "*". Pure; stands between KeyPattern and PrefixTable.
#pragma once

#include "agent/sources/redis/sampler/key_pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::sources::redis_info {

/// Bounded memory of the names that follow a prefix. Once a prefix has more than `max_names` of them, it is wide for
/// good: what a pattern is called does not flap. The first part of a key is never replaced.
class KeyFanout {
 public:
  /// @param max_names     names that may follow one prefix before they become "*".
  /// @param max_prefixes  prefixes that are watched at a time.
  KeyFanout(std::size_t max_names, std::size_t max_prefixes);

  /// @return the pattern that `pattern` made last, with "*" for the names below wide prefixes; valid until the next
  /// call of either.
  [[nodiscard]] std::string_view apply(std::string_view text, const KeyPattern& pattern);

  /// @return the prefixes ("user:") that the last apply() found wide for the first time; the patterns counted below
  /// them so far are to be folded.
  [[nodiscard]] const std::vector<std::string>& new_wide() const noexcept { return new_wide_; }

  /// A cycle has ended: when all places are taken, makes room for prefixes that matter now.
  void end_cycle();
  void clear();

 private:
  struct Names {
    std::vector<std::uint32_t> hashes;  ///< A collision makes two names count as one, which does no harm.
    bool is_wide = false;
  };
  [[nodiscard]] bool is_wide_after(std::string_view prefix, std::string_view name);

  std::size_t max_names_, max_prefixes_;
  std::unordered_map<std::uint64_t, Names> prefixes_;
  std::string out_;
  std::vector<std::string> new_wide_;
};

/// @return FNV-1a of the bytes: the same in every run, unlike std::hash.
[[nodiscard]] std::uint64_t stable_hash(std::string_view bytes) noexcept;

/// @return `pattern` with the part after `prefix` replaced by "*", or an empty text when there is nothing to replace.
[[nodiscard]] std::string folded_pattern(std::string_view pattern, std::string_view prefix,
                                         std::string_view separators);

}  // namespace midst::sources::redis_info
