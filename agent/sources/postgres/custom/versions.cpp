#include "agent/sources/postgres/custom/versions.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace midst::sources {
namespace {

constexpr int newest = std::numeric_limits<int>::max();
constexpr std::size_t most_parts = 100;  ///< Of a range, between spaces and bars.

/// From this major version on the second number of a version is the minor one, and there is no third.
constexpr int first_of_two_numbers = 10;

/// "9.6.x": its numbers, of which the last ones may be left open.
struct Numbers {
  std::array<int, 3> parts{};
  std::size_t given = 0;
};

Result<Numbers> parse_numbers(std::string_view text) {
  Numbers numbers;
  const auto words = text::split(text, '.');
  const bool is_cut = text.ends_with('.') || words.empty() || words.size() > 3;
  bool is_open = false;
  for (std::size_t i = 0; !is_cut && i < words.size(); ++i) {
    const bool is_wildcard = words[i] == "x" || words[i] == "X" || words[i] == "*";
    is_open = is_open || is_wildcard;
    if (is_wildcard && i > 0) continue;
    const auto number = text::parse_integer(words[i]);
    if (is_open || !number || *number < 0 || *number > 9999 || (i == 0 && *number > 200'000))
      return Error{Errc::config, "not a version: \"" + std::string(text) + "\"; write it like 9.6.1, 14.0.0 or 14.x"};
    numbers.parts[i] = static_cast<int>(*number);
    ++numbers.given;
  }
  if (is_cut)
    return Error{Errc::config, "not a version: \"" + std::string(text) + "\"; write it like 9.6.1, 14.0.0 or 14.x"};
  return numbers;
}

/// The versions that begin with the numbers. A third number of 10 and later is that of no release: 14.5.1 lies between
/// 14.5 and 14.6, so that nothing begins with it and what is above it begins at 14.6.
VersionRange range_of(const Numbers& numbers) {
  const auto [major, second, third] = numbers.parts;
  if (major >= first_of_two_numbers) {
    const int first = major * 10'000 + second;
    if (numbers.given == 1) return {major * 10'000, (major + 1) * 10'000};
    return third == 0 ? VersionRange{first, first + 1} : VersionRange{first + 1, first + 1};
  }
  const int first = major * 10'000 + std::min(second, 99) * 100 + std::min(third, 99);
  if (numbers.given == 1) return {major * 10'000, (major + 1) * 10'000};
  return {first, numbers.given == 2 ? first + 100 : first + 1};
}

/// Sorts, joins what touches, and leaves out what is empty.
VersionRanges tidied(VersionRanges ranges) {
  std::erase_if(ranges, [](const VersionRange& range) { return range.from >= range.before; });
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  VersionRanges joined;
  for (const auto& range : ranges) {
    if (!joined.empty() && range.from <= joined.back().before)
      joined.back().before = std::max(joined.back().before, range.before);
    else
      joined.push_back(range);
  }
  return joined;
}

std::string_view take_operator(std::string_view& text) {
  for (const std::string_view word : {">=", "<=", "!=", "==", ">", "<", "=", "!"})
    if (text.starts_with(word)) {
      text.remove_prefix(word.size());
      return word;
    }
  return {};
}

Result<VersionRanges> parse_condition(std::string_view text) {
  const auto comparison = take_operator(text);
  const auto numbers = parse_numbers(text);
  if (!numbers) return numbers.error();
  const auto range = range_of(*numbers);
  if (comparison == ">=") return VersionRanges{{range.from, newest}};
  if (comparison == ">") return VersionRanges{{range.before, newest}};
  if (comparison == "<") return tidied({{0, range.from}});
  if (comparison == "<=") return tidied({{0, range.before}});
  if (comparison == "!=" || comparison == "!") return tidied({{0, range.from}, {range.before, newest}});
  return tidied({range});
}

/// Takes the front up to spaces; an operator may stand apart from its version.
std::string take_condition(std::string_view& text) {
  text = text::trim(text);
  std::string condition(text::take_until(text, ' '));
  text = text::trim(text);
  if (condition.find_first_not_of("<>=!") == std::string::npos) condition += text::take_until(text, ' ');
  return condition;
}

Result<VersionRanges> parse_all(std::string_view text) {
  VersionRanges ranges{VersionRange{}};
  if (text::trim(text).empty()) return Error{Errc::config, "a range of versions has an empty part"};
  while (!text::trim(text).empty()) {
    const auto condition = parse_condition(take_condition(text));
    if (!condition) return condition.error();
    ranges = intersection(ranges, *condition);
  }
  return ranges;
}

}  // namespace

VersionRanges intersection(const VersionRanges& left, const VersionRanges& right) {
  VersionRanges common;
  for (const auto& a : left)
    for (const auto& b : right) common.push_back({std::max(a.from, b.from), std::min(a.before, b.before)});
  return tidied(std::move(common));
}

bool contains(const VersionRanges& ranges, int version) noexcept {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return version >= range.from && version < range.before; });
}

Result<VersionRange> parse_version(std::string_view text) {
  const auto numbers = parse_numbers(text);
  if (!numbers) return numbers.error();
  const bool is_three = numbers->given == 3 && numbers->parts[0] >= first_of_two_numbers;
  if (is_three || text.find_first_not_of("0123456789.") != std::string_view::npos)
    return Error{Errc::config, "not a version: \"" + std::string(text) + "\"; write it like 14, 9.6 or 16.2"};
  return range_of(*numbers);
}

Result<VersionRanges> parse_semantic_range(std::string_view text) {
  if (text.size() > 1000 || std::count(text.begin(), text.end(), ' ') > static_cast<std::ptrdiff_t>(most_parts))
    return Error{Errc::config, "a range of versions is too long"};
  VersionRanges ranges;
  for (bool is_last = false; !is_last;) {
    const auto bars = text.find("||");
    is_last = bars == std::string_view::npos;
    const auto part = parse_all(text.substr(0, bars));
    if (!part) return part.error();
    ranges.insert(ranges.end(), part->begin(), part->end());
    text = is_last ? std::string_view() : text.substr(bars + 2);
  }
  return tidied(std::move(ranges));
}

}  // namespace midst::sources
