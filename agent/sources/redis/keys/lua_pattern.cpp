#include "agent/sources/redis/keys/lua_pattern.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using Position = std::size_t;
constexpr Position no_match = std::string_view::npos;
constexpr std::size_t max_captures = 32;
/// Levels of nesting before a match is given up; each is a frame on the stack. Lua 5.1 stops at 200.
constexpr int max_depth = 200;

unsigned char byte_of(char c) noexcept {
  return static_cast<unsigned char>(c);
}

bool is_lower(unsigned char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_upper(unsigned char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(unsigned char c) noexcept {
  return c >= '0' && c <= '9';
}

/// The class of a letter behind a percent sign, in the "C" locale; a letter that names none stands for itself.
bool is_in_class(unsigned char c, char name) noexcept {
  const bool is_letter = is_lower(c) || is_upper(c);
  const bool is_graph = c > 0x20 && c < 0x7F;
  const auto lower_name = static_cast<char>(is_upper(byte_of(name)) ? name - 'A' + 'a' : name);
  bool is_in = false;
  switch (lower_name) {
    case 'a':
      is_in = is_letter;
      break;
    case 'c':
      is_in = c < 0x20 || c == 0x7F;
      break;
    case 'd':
      is_in = is_digit(c);
      break;
    case 'l':
      is_in = is_lower(c);
      break;
    case 'p':
      is_in = is_graph && !is_letter && !is_digit(c);
      break;
    case 's':
      is_in = c == ' ' || (c >= '\t' && c <= '\r');
      break;
    case 'u':
      is_in = is_upper(c);
      break;
    case 'w':
      is_in = is_letter || is_digit(c);
      break;
    case 'x':
      is_in = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      break;
    case 'z':
      is_in = c == 0;
      break;
    default:
      return byte_of(name) == c;
  }
  return is_in != is_upper(byte_of(name));
}

/// @return where the single character class at `at` ends. The pattern has been parsed.
Position class_end(std::string_view pattern, Position at) noexcept {
  const char first = pattern[at++];
  if (first == '%') return at + 1;
  if (first != '[') return at;
  if (at < pattern.size() && pattern[at] == '^') ++at;
  do {  // a "]" in front stands for itself
    if (at >= pattern.size()) return no_match;
    if (pattern[at++] == '%') {
      if (at >= pattern.size()) return no_match;
      ++at;
    }
  } while (at >= pattern.size() || pattern[at] != ']');
  return at + 1;
}

/// @param set  from "[" to the "]" at its end, without it.
bool is_in_set(unsigned char c, std::string_view set) noexcept {
  Position at = 1;
  const bool is_negated = at < set.size() && set[at] == '^';
  if (is_negated) ++at;
  for (; at < set.size(); ++at) {
    if (set[at] == '%' && at + 1 < set.size()) {
      if (is_in_class(c, set[++at])) return !is_negated;
    } else if (at + 2 < set.size() && set[at + 1] == '-') {
      if (byte_of(set[at]) <= c && c <= byte_of(set[at + 2])) return !is_negated;
      at += 2;
    } else if (byte_of(set[at]) == c) {
      return !is_negated;
    }
  }
  return is_negated;
}

/// One match of one pattern from one place on; the structure follows the grammar.
class Matcher {
 public:
  Matcher(std::string_view subject, std::string_view pattern, std::size_t& steps)
      : subject_(subject), pattern_(pattern), steps_(steps) {}

  [[nodiscard]] bool matches_at(Position at) {
    count_ = 0;
    return match(at, 0, 0) != no_match;
  }
  [[nodiscard]] std::string captures() const;

 private:
  struct Capture {
    Position begin = 0, length = 0;
    enum class State : std::uint8_t { open, closed, position } state = State::open;
  };

  Position match(Position s, Position p, int depth);
  Position match_item(Position s, Position& p, int depth, bool& goes_on);
  Position open_capture(Position s, Position p, Capture::State state, int depth);
  Position close_capture(Position s, Position p, int depth);
  [[nodiscard]] Position match_balance(Position s, Position p) noexcept;
  [[nodiscard]] Position match_back_reference(Position s, char digit) noexcept;
  Position expand_most(Position s, Position p, Position end, int depth);
  Position expand_least(Position s, Position p, Position end, int depth);
  [[nodiscard]] bool matches_one(Position s, Position p, Position end) noexcept;
  [[nodiscard]] bool may_go_on() noexcept { return steps_ > 0 && steps_-- > 0; }

  std::string_view subject_, pattern_;
  std::size_t& steps_;
  std::array<Capture, max_captures> captures_;
  std::size_t count_ = 0;
};

std::string Matcher::captures() const {
  std::string all;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto& capture = captures_[i];
    if (capture.state == Capture::State::position)
      all += std::to_string(capture.begin + 1);
    else
      all += subject_.substr(capture.begin, capture.length);
  }
  return all;
}

bool Matcher::matches_one(Position s, Position p, Position end) noexcept {
  if (s >= subject_.size() || !may_go_on()) return false;
  const auto c = byte_of(subject_[s]);
  switch (pattern_[p]) {
    case '.':
      return true;
    case '%':
      return is_in_class(c, pattern_[p + 1]);
    case '[':
      return is_in_set(c, pattern_.substr(p, end - 1 - p));
    default:
      return byte_of(pattern_[p]) == c;
  }
}

Position Matcher::match(Position s, Position p, int depth) {
  if (depth > max_depth) return no_match;
  bool goes_on = true;
  while (goes_on) {
    if (p == pattern_.size()) return s;
    if (!may_go_on()) return no_match;
    s = match_item(s, p, depth, goes_on);
    if (s == no_match) return no_match;
  }
  return s;
}

/// Matches the item at `p` and moves both on; where the rest had to be matched with it, clears `goes_on`.
Position Matcher::match_item(Position s, Position& p, int depth, bool& goes_on) {
  const auto rest = pattern_.substr(p);
  if (rest[0] == '(' || rest[0] == ')') {
    goes_on = false;
    if (rest.starts_with("()")) return open_capture(s, p + 2, Capture::State::position, depth);
    return rest[0] == '(' ? open_capture(s, p + 1, Capture::State::open, depth) : close_capture(s, p + 1, depth);
  }
  if (rest == "$") {
    goes_on = false;
    return s == subject_.size() ? s : no_match;
  }
  if (rest.starts_with("%b")) {
    const auto from = p;
    p += 4;
    return match_balance(s, from + 2);
  }
  if (rest.starts_with("%f")) {
    const auto end = class_end(pattern_, p + 2);
    const auto set = pattern_.substr(p + 2, end - 1 - (p + 2));
    const auto before = s == 0 ? std::uint8_t{0} : byte_of(subject_[s - 1]);
    const auto after = s < subject_.size() ? byte_of(subject_[s]) : std::uint8_t{0};
    p = end;
    return !is_in_set(before, set) && is_in_set(after, set) ? s : no_match;
  }
  if (rest.size() > 1 && rest[0] == '%' && is_digit(byte_of(rest[1]))) {
    p += 2;
    return match_back_reference(s, rest[1]);
  }
  const auto end = class_end(pattern_, p);
  const char suffix = end < pattern_.size() ? pattern_[end] : '\0';
  const auto from = std::exchange(p, end);
  switch (suffix) {
    case '*':
      goes_on = false;
      return expand_most(s, from, end, depth);
    case '-':
      goes_on = false;
      return expand_least(s, from, end, depth);
    case '+':
      goes_on = false;
      return matches_one(s, from, end) ? expand_most(s + 1, from, end, depth) : no_match;
    case '?': {
      ++p;
      if (!matches_one(s, from, end)) return s;
      const auto with = match(s + 1, p, depth + 1);
      goes_on = with == no_match;
      return goes_on ? s : with;
    }
    default:
      return matches_one(s, from, end) ? s + 1 : no_match;
  }
}

Position Matcher::expand_most(Position s, Position p, Position end, int depth) {
  Position count = 0;
  while (matches_one(s + count, p, end)) ++count;
  for (;; --count) {
    const auto found = match(s + count, end + 1, depth + 1);
    if (found != no_match || count == 0) return found;
  }
}

Position Matcher::expand_least(Position s, Position p, Position end, int depth) {
  for (;; ++s) {
    const auto found = match(s, end + 1, depth + 1);
    if (found != no_match) return found;
    if (!matches_one(s, p, end)) return no_match;
  }
}

Position Matcher::open_capture(Position s, Position p, Capture::State state, int depth) {
  if (count_ >= max_captures) return no_match;
  captures_[count_] = {s, 0, state};
  ++count_;
  const auto found = match(s, p, depth + 1);
  if (found == no_match) --count_;
  return found;
}

Position Matcher::close_capture(Position s, Position p, int depth) {
  for (auto i = count_; i-- > 0;) {
    auto& capture = captures_[i];
    if (capture.state != Capture::State::open) continue;
    capture.length = s - capture.begin;
    capture.state = Capture::State::closed;
    const auto found = match(s, p, depth + 1);
    if (found == no_match) capture.state = Capture::State::open;
    return found;
  }
  return no_match;
}

Position Matcher::match_balance(Position s, Position p) noexcept {
  if (s >= subject_.size() || subject_[s] != pattern_[p]) return no_match;
  int open = 1;
  for (auto at = s + 1; at < subject_.size() && may_go_on(); ++at) {
    if (subject_[at] == pattern_[p + 1]) {
      if (--open == 0) return at + 1;
    } else if (subject_[at] == pattern_[p]) {
      ++open;
    }
  }
  return no_match;
}

Position Matcher::match_back_reference(Position s, char digit) noexcept {
  const auto index = static_cast<std::size_t>(digit - '1');
  if (index >= count_ || captures_[index].state != Capture::State::closed) return no_match;
  const auto wanted = subject_.substr(captures_[index].begin, captures_[index].length);
  steps_ -= std::min(steps_, wanted.size());
  return subject_.substr(s).starts_with(wanted) ? s + wanted.size() : no_match;
}

/// What is wrong with a pattern, by reading it once as the matcher would.
class Checker {
 public:
  explicit Checker(std::string_view pattern) : pattern_(pattern) {}

  [[nodiscard]] std::string_view problem() {
    Position at = pattern_.starts_with('^') ? 1 : 0;
    while (at < pattern_.size())
      if (const auto wrong = check_item(at); !wrong.empty()) return wrong;
    return open_.empty() ? "" : "a capture is not closed";
  }

 private:
  std::string_view check_item(Position& at) {
    const auto rest = pattern_.substr(at);
    if (rest[0] == '(') return check_open(at, rest.starts_with("()"));
    if (rest[0] == ')') {
      ++at;
      if (open_.empty()) return "a \")\" closes no capture";
      is_closed_[open_.back()] = true;
      open_.pop_back();
      return "";
    }
    if (rest.starts_with("%b")) {
      at += 4;
      return rest.size() < 4 ? "%b wants two characters" : "";
    }
    if (rest.starts_with("%f")) {
      if (rest.size() < 3 || rest[2] != '[') return "%f wants a set in brackets";
      at += 2;
    }
    if (rest == "%") return "it ends in a lone %";
    if (rest[0] == '%' && is_digit(byte_of(rest[1]))) return check_back_reference(at, rest[1]);
    at = class_end(pattern_, at);
    return at == no_match || at > pattern_.size() ? "a set in brackets is not closed" : "";
  }

  std::string_view check_open(Position& at, bool is_position) {
    at += is_position ? 2 : 1;
    if (count_ == max_captures) return "it has more than 32 captures";
    if (!is_position) open_.push_back(count_);
    ++count_;
    return "";
  }

  std::string_view check_back_reference(Position& at, char digit) {
    at += 2;
    const auto index = static_cast<std::size_t>(digit - '1');
    return digit == '0' || index >= count_ || !is_closed_[index] ? "it refers to a capture that is not there yet" : "";
  }

  std::string_view pattern_;
  std::vector<std::size_t> open_;
  std::array<bool, max_captures> is_closed_{};
  std::size_t count_ = 0;
};

/// Takes the next entry of a list off its front, quotes resolved. @return nothing when a quote is not closed.
std::optional<std::string> take_entry(std::string_view& rest) {
  std::string entry;
  bool is_quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == ',' && !is_quoted) return entry;
    if (c != '"' || (!is_quoted && !text::trim(entry).empty())) {
      entry += c;
    } else if (is_quoted && rest.starts_with('"')) {
      entry += '"';
      rest.remove_prefix(1);
    } else {
      is_quoted = !is_quoted;
    }
  }
  if (is_quoted) return std::nullopt;
  return entry;
}

}  // namespace

Result<LuaPattern> LuaPattern::parse(std::string_view pattern) {
  if (const auto wrong = Checker(pattern).problem(); !wrong.empty())
    return Error{Errc::config, fmt::format("Lua pattern \"{}\": {}", text::to_utf8(pattern), wrong)};
  return LuaPattern(std::string(pattern));
}

std::optional<std::string> LuaPattern::find(std::string_view subject, std::size_t max_steps) const {
  std::string_view pattern(text_);
  const bool is_anchored = pattern.starts_with('^');
  if (is_anchored) pattern.remove_prefix(1);
  Matcher matcher(subject, pattern, max_steps);
  for (Position at = 0; at <= subject.size(); ++at) {
    const bool is_match = matcher.matches_at(at);
    if (max_steps == 0) break;  // what it found then may be cut short
    if (is_match) return matcher.captures();
    if (is_anchored) break;
  }
  return std::nullopt;
}

Result<std::vector<LuaPattern>> parse_lua_patterns(std::string_view list) {
  std::vector<LuaPattern> patterns;
  while (!list.empty()) {
    const auto whole = list;
    const auto entry = take_entry(list);
    if (!entry)
      return Error{Errc::config, fmt::format("key group \"{}\": a quote is not closed", text::to_utf8(whole))};
    const auto trimmed = text::trim(*entry);
    if (trimmed.empty()) continue;
    auto pattern = LuaPattern::parse(trimmed);
    if (!pattern) return pattern.error();
    patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

}  // namespace midst::sources::redis_info
