#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>

namespace midst::text {
namespace {

char lower_letter(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Length of the valid UTF-8 sequence at `bytes`, or 0. RFC 3629 section 4.
std::size_t sequence_length(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto tail = [&](std::size_t i) { return i < bytes.size() && (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit size_units[] = {{"B", 1},
                               {"KB", 1000},
                               {"MB", 1'000'000},
                               {"GB", 1'000'000'000},
                               {"KiB", 1ULL << 10},
                               {"MiB", 1ULL << 20},
                               {"GiB", 1ULL << 30}};

template <std::size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  for (const auto& unit : units)
    if (unit.name == name) return &unit;
  return nullptr;
}

/// Which end of the range a decimal number fell off: the place of its first digit that counts, moved by its exponent.
bool is_below_one(std::string_view digits) {
  const auto e = std::min(digits.find_first_of("eE"), digits.size());
  const auto mantissa = digits.substr(0, e);
  const auto point = std::min(mantissa.find('.'), mantissa.size());
  const auto first = std::min(mantissa.find_first_of("123456789"), mantissa.size());
  const auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  auto exponent = digits.substr(std::min(e + 1, digits.size()));
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  std::int64_t shift = 0;
  const auto parsed = std::from_chars(exponent.data(), exponent.data() + exponent.size(), shift);
  if (parsed.ec == std::errc::result_out_of_range) return exponent.front() == '-';
  return shift <= -place;  // place + shift could overflow
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t substituted = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

Result<double> parse_number(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') digits.remove_prefix(1);
  double value{};
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = end == digits.data() + digits.size() && !digits.empty();
  if (whole && ec == std::errc::result_out_of_range) {  // from_chars leaves the value alone
    const double magnitude = is_below_one(digits) ? 0.0 : std::numeric_limits<double>::infinity();
    return digits.front() == '-' ? -magnitude : magnitude;
  }
  if (ec != std::errc{} || !whole) return Error{Errc::protocol, fmt::format("not a number: \"{}\"", text)};
  return value;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || text.empty())
    return Error{Errc::protocol, fmt::format("not an integer: \"{}\"", text)};
  return value;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto fail = [&] {
    return Error{Errc::config,
                 fmt::format("not a duration: \"{}\"; write it like \"250ms\", \"9s\" or \"1m30s\"", text)};
  };
  if (text == "0") return std::chrono::milliseconds(0);
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) return fail();
  while (!rest.empty()) {
    const auto digits = rest.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return fail();
    const auto number = parse_number(rest.substr(0, digits));
    rest.remove_prefix(digits);
    const auto letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto* unit = find_unit(duration_units, rest.substr(0, letters));
    if (!number || unit == nullptr) return fail();
    rest.remove_prefix(letters);
    total += *number * static_cast<double>(unit->factor);
  }
  constexpr double a_century_ms = 3.2e12;
  if (total > a_century_ms) return fail();
  return std::chrono::milliseconds(static_cast<std::int64_t>(total + 0.5));
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count % 1000 != 0 && count < 1000) return fmt::format("{}ms", count);
  if (count % 1000 != 0) return fmt::format("{}s", static_cast<double>(count) / 1000);
  const auto seconds = count / 1000;
  if (seconds != 0 && seconds % 86'400 == 0) return fmt::format("{}d", seconds / 86'400);
  if (seconds != 0 && seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
  if (seconds != 0 && seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  const auto* unit = digits == text.size() ? &size_units[0] : find_unit(size_units, text.substr(digits));
  if (!number || unit == nullptr ||
      static_cast<std::uint64_t>(*number) > std::numeric_limits<std::int64_t>::max() / unit->factor)
    return Error{Errc::config, fmt::format("not a size: \"{}\"; write it like \"512\", \"64KiB\" or \"10MB\"", text)};
  return static_cast<std::uint64_t>(*number) * unit->factor;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  if (text.empty()) return parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const auto end = rest.find(separator);
  const auto part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower_letter(a) == lower_letter(b); });
}

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto length = sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto length = sequence_length(bytes);
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      out.append(bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

void append_json_string(std::string& out, std::string_view value) {
  out += '"';
  while (!value.empty()) {
    const auto length = sequence_length(value);
    const char c = value.front();
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else if (length > 1)
      out.append(value.substr(0, length));
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

Result<std::string> percent_decode(std::string_view text) {
  const auto hex = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower_letter(c) >= 'a' && lower_letter(c) <= 'f') return lower_letter(c) - 'a' + 10;
    return -1;
  };
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
      return Error{Errc::protocol, "broken %-escape"};
    out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t best_distance = std::min(std::max<std::size_t>(2, word.size() / 3) + 1, word.size());
  for (const auto candidate : candidates) {
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower_letter);
  return result;
}

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

}  // namespace midst::text
