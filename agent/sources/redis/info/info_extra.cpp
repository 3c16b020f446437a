#include "agent/sources/redis/info/info_extra.hpp"

#include "agent/sources/redis/info/info.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  // On a mismatch the last star takes one character more: quadratic at worst, and without recursion.
  std::size_t p = 0, t = 0;
  auto star = std::string_view::npos;
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void ExtraReader::read(std::string_view section, std::string_view field, std::string_view value) {
  if (patterns_.empty()) return;
  const auto name = lower(section);
  if (!is_wanted(name, field)) return;
  const auto number = parse_value(value);
  if (!number) return;
  if (fields_ == max_fields_) {
    ++folded_;
    return;
  }
  ++fields_;
  builder_.add(info_field, {{"section", name}, {"field", field}}, *number);
}

bool ExtraReader::is_wanted(std::string_view section, std::string_view field) const noexcept {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](std::string_view pattern) {
    const auto colon = pattern.find(':');
    if (colon == std::string_view::npos) return matches_glob(pattern, field);
    return matches_glob(pattern.substr(0, colon), section) && matches_glob(pattern.substr(colon + 1), field);
  });
}

}  // namespace midst::sources::redis_info
