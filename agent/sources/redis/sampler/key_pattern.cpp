#include "agent/sources/redis/sampler/key_pattern.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

/// A part is looked through this far for its end; keys may be 512 MB long.
constexpr std::size_t longest_look = 1024;
constexpr std::size_t deepest = 16;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// What the characters of a part are like; random tokens change their kind far more often than words do.
struct Traits {
  std::size_t digits = 0, letters = 0;
  std::size_t changes = 0;        ///< Neighbours of different kinds among digit, lower and upper case, but for the
                                  ///< capital that begins a word.
  std::size_t digit_changes = 0;  ///< Those of them with a digit on one side.
  bool is_hex_id = true, has_control = false, has_at = false;
};

/// 0 for what is neither digit nor ASCII letter.
constexpr int kind_of(char c) noexcept {
  return is_digit(c) ? 1 : is_lower(c) ? 2 : is_upper(c) ? 3 : 0;
}

Traits traits_of(std::string_view part) noexcept {
  Traits traits;
  int last = 0;
  for (const char c : part) {
    const int kind = kind_of(c);
    if (kind == 1) ++traits.digits;
    if (kind > 1 || static_cast<unsigned char>(c) >= 0x80) ++traits.letters;
    if (kind != 0 && last != 0 && kind != last) {
      if (last != 3 || kind != 2) ++traits.changes;
      if (kind == 1 || last == 1) ++traits.digit_changes;
    }
    if (!is_hex(c) && c != '-') traits.is_hex_id = false;
    if (is_control(c)) traits.has_control = true;
    if (c == '@') traits.has_at = true;
    last = kind;
  }
  return traits;
}

bool is_readable(std::string_view part) noexcept {
  return std::none_of(part.begin(), part.end(), is_control) && text::is_utf8(part);
}

/// Cluster hash tags and the like: the brackets stay, what is between them is judged.
std::pair<std::size_t, std::size_t> without_brackets(std::string_view part) noexcept {
  constexpr std::string_view opening = "{[(<", closing = "}])>";
  std::size_t begin = 0, end = part.size();
  while (begin < end && begin < 2 && opening.find(part[begin]) != std::string_view::npos) ++begin;
  while (end > begin && part.size() - end < 2 && closing.find(part[end - 1]) != std::string_view::npos) --end;
  return {begin, end};
}

/// Appends a name with its runs of two or more digits as "*".
void append_name(std::string& out, std::string_view name) {
  for (std::size_t i = 0; i < name.size();) {
    std::size_t end = i;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end - i >= 2) {
      out += '*';
      i = end;
    } else {
      out += name[i++];
    }
  }
}

}  // namespace

bool is_variable_part(std::string_view part, std::size_t max_part_bytes) noexcept {
  if (part.empty()) return false;
  if (part.size() > max_part_bytes) return true;
  const auto traits = traits_of(part);
  if (traits.has_control || traits.has_at || !text::is_utf8(part)) return true;
  if (traits.digits > 0 && traits.letters == 0) return true;
  if (traits.is_hex_id && traits.digits > 0 && part.size() >= 8) return true;
  if (traits.digit_changes >= 4 && part.size() >= 10) return true;
  return traits.digits > 0 && part.size() >= 16 && traits.changes * 10 >= part.size() * 3;
}

KeyPattern::KeyPattern(KeyPatternOptions options) : options_(std::move(options)) {
  options_.max_depth = std::clamp<std::size_t>(options_.max_depth, 1, deepest);
  options_.max_bytes = std::clamp<std::size_t>(options_.max_bytes, 8, 1024);
  for (const char c : options_.separators)
    if (static_cast<unsigned char>(c) < 0x80) is_separator_[static_cast<unsigned char>(c)] = true;
}

std::string_view KeyPattern::of(std::string_view key) {
  out_.clear();
  parts_.clear();
  if (key.empty()) return "(empty)";
  bool has_value = false, is_binary = false;
  for (std::size_t at = 0;;) {
    const auto end = part_end(key, at);
    const bool is_endless = end - at >= longest_look;
    const auto part = key.substr(at, end - at);
    const bool is_long = out_.size() + std::min(part.size(), options_.max_part_bytes) > options_.max_bytes;
    if (is_endless || is_long || parts_.size() == options_.max_depth) {
      parts_.push_back({static_cast<std::uint16_t>(out_.size()), 1, false});
      out_ += '*';
      has_value = true;
      break;
    }
    if (append_part(part)) has_value = true;
    is_binary = is_binary || !is_readable(part);
    if (end == key.size()) break;
    out_ += key[end];
    at = end + 1;
  }
  if (is_binary && parts_.size() == 1) return "(binary)";
  if (!has_value && parts_.size() > 1) star_last_part();
  return out_;
}

std::size_t KeyPattern::part_end(std::string_view key, std::size_t from) const noexcept {
  const auto limit = std::min(key.size(), from + longest_look);
  auto end = from;
  while (end < limit && !is_separator_[static_cast<unsigned char>(key[end])]) ++end;
  return end;
}

/// @return whether anything of the part is a value.
bool KeyPattern::append_part(std::string_view part) {
  const auto before = out_.size();
  const auto [begin, end] = without_brackets(part);
  const auto core = part.substr(begin, end - begin);
  bool is_value = false, has_star = false;
  if (is_variable_part(core, options_.max_part_bytes)) {
    out_.append(part.substr(0, begin)) += '*';
    out_.append(part.substr(end));
    is_value = true;
  } else {
    append_name(out_, part);
    has_star = out_.find('*', before) != std::string::npos;
  }
  parts_.push_back({static_cast<std::uint16_t>(before), static_cast<std::uint16_t>(out_.size() - before), !is_value});
  return is_value || has_star;
}

/// An empty part at the end ("user:alice:") is no name; the one before it is.
void KeyPattern::star_last_part() {
  auto last = parts_.size() - 1;
  while (last > 0 && parts_[last].size == 0) --last;
  if (last == 0) return;
  auto& part = parts_[last];
  out_.replace(part.begin, part.size, 1, '*');
  const auto shrunk = part.size - 1;
  part.size = 1;
  part.is_literal = false;
  for (auto after = last + 1; after < parts_.size(); ++after)
    parts_[after].begin = static_cast<std::uint16_t>(parts_[after].begin - shrunk);
}

}  // namespace midst::sources::redis_info
