// From a key to the pattern it is counted under: "user:1234:profile" → "user:*:profile". Pure; used by the sampler.
// Stops at one key: what can only be seen over many of them (a level with too many names) is KeyFanout's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// How keys are taken apart.
struct KeyPatternOptions {
  std::string separators = ":/.";   ///< Each of these ASCII characters ends a part.
  std::size_t max_depth = 4;        ///< Parts that are kept, 1…16; what follows is one "*".
  std::size_t max_part_bytes = 40;  ///< A longer part is a value, not a name: "*".
  std::size_t max_bytes = 96;       ///< Of the whole pattern.
};

/// Where a part stands in the text of a pattern.
struct PatternPart {
  std::uint16_t begin = 0, size = 0;
  bool is_literal = false;  ///< A name that stayed; false for "*".
};

/// @return whether a part of a key is a value: a number, UUID, hex id, address, long random token, or no readable text.
[[nodiscard]] bool is_variable_part(std::string_view part, std::size_t max_part_bytes) noexcept;

/// Makes patterns in a scratch of its own: no allocation once that has grown.
class KeyPattern {
 public:
  explicit KeyPattern(KeyPatternOptions options);

  /// Separators stay as they are in the key; a part that is a value becomes "*", and so does a run of two or more
  /// digits within a name ("shard01" → "shard*"). A key with several parts none of which is a value would be a pattern
  /// of its own: its last part becomes "*". "(empty)" and "(binary)" stand for keys of which nothing readable is left.
  /// @return valid UTF-8 of at most max_bytes + 8 bytes, valid until the next call.
  [[nodiscard]] std::string_view of(std::string_view key);

  /// @return the parts of the pattern made last.
  [[nodiscard]] std::span<const PatternPart> parts() const noexcept { return parts_; }
  [[nodiscard]] const KeyPatternOptions& options() const noexcept { return options_; }

 private:
  [[nodiscard]] std::size_t part_end(std::string_view key, std::size_t from) const noexcept;
  bool append_part(std::string_view part);
  void star_last_part();

  KeyPatternOptions options_;
  bool is_separator_[256] = {};
  std::string out_;
  std::vector<PatternPart> parts_;
};

}  // namespace midst::sources::redis_info
