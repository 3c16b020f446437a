#include "agent/sources/postgres/typed_value.hpp"

#include "lib/base/text.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

namespace midst::sources {
namespace {

constexpr double day_seconds = 86400;

/// Takes the digits at the front; nothing when there are fewer than `least` or more than `most`.
std::optional<int> take_digits(std::string_view& text, std::size_t least, std::size_t most) noexcept {
  std::size_t length = 0;
  while (length < text.size() && text[length] >= '0' && text[length] <= '9') ++length;
  if (length < least || length > most) return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + length, value);
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, char wanted) noexcept {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes a number without a sign: "12", "0.25", ".5".
std::optional<double> take_number(std::string_view& text) noexcept {
  const auto length = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (problem != std::errc() || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

/// Takes "HH:MM:SS.f"; hours may be more than a day's in an interval.
std::optional<double> take_clock(std::string_view& text, std::size_t most_hour_digits) noexcept {
  const auto hours = take_digits(text, 2, most_hour_digits);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2, 2);
  if (!minutes || !take(text, ':')) return std::nullopt;
  const auto rest = text;
  if (!take_digits(text, 2, 2)) return std::nullopt;
  text = rest;
  const auto seconds = take_number(text);
  if (!seconds) return std::nullopt;
  return *hours * 3600.0 + *minutes * 60.0 + *seconds;
}

/// Takes "+01", "-03:30", "+00:19:32".
std::optional<double> take_offset(std::string_view& text) noexcept {
  const double sign = text.starts_with('-') ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return 0;
  double seconds = 0;
  for (const double unit : {3600.0, 60.0, 1.0}) {
    if (unit < 3600 && !take(text, ':')) break;
    const auto part = take_digits(text, 2, 2);
    if (!part) return std::nullopt;
    seconds += *part * unit;
  }
  return sign * seconds;
}

std::optional<double> take_date(std::string_view& text, bool is_before_christ) noexcept {
  const auto year = take_digits(text, 4, 6);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2, 2);
  // Postgres knows years that std::chrono's calendar does not; nobody measures in those.
  if (!day || *year > 32'000) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(is_before_christ ? 1 - *year : *year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count()) * day_seconds;
}

using Unit = std::pair<std::string_view, double>;

/// Longer words before those they begin with.
constexpr std::array<Unit, 10> duration_units{{{"ns", 1e-9},
                                               {"us", 1e-6},
                                               {"µs", 1e-6},
                                               {"μs", 1e-6},
                                               {"ms", 1e-3},
                                               {"s", 1},
                                               {"m", 60},
                                               {"h", 3600},
                                               {"d", day_seconds},
                                               {"w", 7 * day_seconds}}};

constexpr std::array<Unit, 6> interval_units{{{"years", 365.25 * day_seconds},
                                              {"year", 365.25 * day_seconds},
                                              {"mons", 30 * day_seconds},
                                              {"mon", 30 * day_seconds},
                                              {"days", day_seconds},
                                              {"day", day_seconds}}};

template <std::size_t count>
std::optional<double> take_unit(std::string_view& text, const std::array<Unit, count>& units) noexcept {
  for (const auto& [word, seconds] : units)
    if (text.starts_with(word)) {
      text.remove_prefix(word.size());
      return seconds;
    }
  return std::nullopt;
}

double take_sign(std::string_view& text) noexcept {
  if (take(text, '-')) return -1;
  std::ignore = take(text, '+');
  return 1;
}

/// "1h30m": one sign for all, units without gaps.
std::optional<double> parse_duration(std::string_view text) noexcept {
  const double sign = take_sign(text);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    const auto unit = number ? take_unit(text, duration_units) : std::nullopt;
    if (!unit) return std::nullopt;
    seconds += *number * *unit;
  }
  return sign * seconds;
}

/// "1 mon -2 days +03:04:05.6": words with a sign each, the clock last.
std::optional<double> parse_interval(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    auto word = text::take_until(text, ' ');
    const double sign = take_sign(word);
    if (word.find(':') != std::string_view::npos) {
      const auto clock = take_clock(word, 9);
      return clock && word.empty() && text.empty() ? std::optional(seconds + sign * *clock) : std::nullopt;
    }
    const auto count = take_digits(word, 1, 9);
    auto unit_word = text::take_until(text, ' ');
    const auto unit = take_unit(unit_word, interval_units);
    if (!count || !word.empty() || !unit || !unit_word.empty()) return std::nullopt;
    seconds += sign * *count * *unit;
  }
  return seconds;
}

}  // namespace

bool is_time(std::uint32_t type) noexcept {
  return type == static_cast<std::uint32_t>(ColumnType::date) ||
         type == static_cast<std::uint32_t>(ColumnType::timestamp) ||
         type == static_cast<std::uint32_t>(ColumnType::timestamptz);
}

std::optional<double> parse_timestamp(std::string_view text) noexcept {
  if (text == "infinity") return std::numeric_limits<double>::infinity();
  if (text == "-infinity") return -std::numeric_limits<double>::infinity();
  const bool is_before_christ = text.ends_with(" BC");
  if (is_before_christ) text.remove_suffix(3);
  const auto date = take_date(text, is_before_christ);
  if (!date) return std::nullopt;
  if (text.empty()) return date;
  if (!take(text, ' ')) return std::nullopt;
  const auto clock = take_clock(text, 2);
  const auto offset = clock ? take_offset(text) : std::nullopt;
  if (!offset || !text.empty()) return std::nullopt;
  return *date + *clock - *offset;
}

std::optional<double> parse_span(std::string_view text) noexcept {
  const bool is_interval = text.find(' ') != std::string_view::npos || text.find(':') != std::string_view::npos;
  return is_interval ? parse_interval(text) : parse_duration(text);
}

}  // namespace midst::sources
