// The patterns of Lua 5.1 (its manual, 5.4.1), which existing settings of key groups are written in. Pure; no Lua.
// Used by key_groups.cpp. Each match takes a bounded number of steps: a pattern can backtrack without end otherwise.
#pragma once

#include "lib/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// A pattern that has been found to be one.
class LuaPattern {
 public:
  /// @return Errc::config, with what is wrong, for what string.find would refuse: an unfinished class or capture, a
  /// lone % at the end, more than 32 captures, a %1 before its capture.
  [[nodiscard]] static Result<LuaPattern> parse(std::string_view pattern);

  /// Looks for the first match anywhere in `subject`, as string.find does.
  /// @param max_steps  how many characters may be compared before it gives up.
  /// @return the captures in a row, empty when there are none; nothing when it does not match or took too long. A
  /// position capture "()" is the number string.find gives.
  [[nodiscard]] std::optional<std::string> find(std::string_view subject, std::size_t max_steps = 100'000) const;

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  explicit LuaPattern(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// The setting's list: entries with commas between them, blanks around them cut, empty ones left out; an entry in
/// quotes may have commas, and two quotes in a row stand for one, as in a CSV file.
/// @return Errc::config, naming the entry, for a quote that is not closed or a text that is no pattern.
[[nodiscard]] Result<std::vector<LuaPattern>> parse_lua_patterns(std::string_view list);

}  // namespace midst::sources::redis_info
