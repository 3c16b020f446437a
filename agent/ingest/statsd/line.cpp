#include "agent/ingest/statsd/line.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <system_error>

namespace midst::ingest::statsd {
namespace {

constexpr double least_rate = 1e-9;

/// Mantissas below 2^53 times or over these are correctly rounded: both are exact (Clinger 1990).
constexpr double powers_of_ten[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr int most_digits = 15;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

const char* parse_any_number(const char* begin, const char* end, double& number) noexcept {
  if (begin != end && *begin == '+') {
    ++begin;
    if (begin != end && *begin == '-') return nullptr;
  }
  const auto [stop, failure] = std::from_chars(begin, end, number);
  if (failure == std::errc::result_out_of_range) {
    // Too small is as good as nothing; too large is not finite, which the caller finds out.
    const auto exponent = std::find_if(begin, stop, [](char c) { return c == 'e' || c == 'E'; });
    const bool is_tiny = exponent != stop && exponent + 1 != stop && exponent[1] == '-';
    number = is_tiny ? 0 : HUGE_VAL;
    return stop;
  }
  return failure == std::errc() ? stop : nullptr;
}

bool parse_whole_number(std::string_view text, double& number) noexcept {
  const auto* const end = text.data() + text.size();
  return parse_number(text.data(), end, number) == end && !text.empty();
}

Fault parse_type(std::string_view text, Type& type) noexcept {
  if (text == "c")
    type = Type::counter;
  else if (text == "g")
    type = Type::gauge;
  else if (text == "ms")
    type = Type::timing;
  else if (text == "h" || text == "d")
    type = Type::histogram;
  else if (text == "s")
    type = Type::set;
  else
    return Fault::unknown_type;
  return Fault::none;
}

bool is_tag_of_name(char c) noexcept {
  return c == '#' || c == ',' || c == ';' || c == '[' || c == ']';
}

/// Cuts the tags that some dialects write into the name out of it.
void split_name(std::string_view bucket, Metric& metric) noexcept {
  const auto found = std::find_if(bucket.begin(), bucket.end(), is_tag_of_name);
  const auto at = static_cast<std::size_t>(found - bucket.begin());
  metric.name = bucket.substr(0, at);
  if (found == bucket.end()) return;
  if (*found == '[' || *found == ']') {
    const auto close = bucket.find(']', at);
    if (*found == ']' || close == std::string_view::npos) {
      metric.has_odd_tag = true;
      metric.name_rest = bucket.substr(at + 1);
      return;
    }
    metric.style = TagStyle::signalfx;
    metric.tags = bucket.substr(at + 1, close - at - 1);
    metric.name_rest = bucket.substr(close + 1);
    return;
  }
  metric.style = *found == '#' ? TagStyle::librato : *found == ',' ? TagStyle::influx : TagStyle::graphite;
  metric.tags = bucket.substr(at + 1);
}

bool is_named(std::string_view section, std::string_view name) noexcept {
  return section.starts_with(name);
}

Fault parse_section(std::string_view section, Metric& metric, bool& has_tags) noexcept {
  if (section.empty()) return Fault::none;
  if (section.front() == '@') {
    const bool is_number = parse_whole_number(section.substr(1), metric.rate);
    return is_number && metric.rate >= least_rate && metric.rate <= 1 ? Fault::none : Fault::bad_rate;
  }
  if (section.front() == '#') {
    if (has_tags && metric.style != TagStyle::dogstatsd) return Fault::mixed_tag_styles;
    has_tags = true;
    metric.style = TagStyle::dogstatsd;
    metric.tags = section.substr(1);
    return Fault::none;
  }
  if (section.size() > 1 && section.front() == 'T' &&
      std::all_of(section.begin() + 1, section.end(), [](char c) { return is_digit(c); }))
    metric.has_timestamp = true;
  else if (!is_named(section, "c:") && !is_named(section, "e:") && !is_named(section, "card:"))
    ++metric.skipped_sections;
  return Fault::none;
}

/// "values|type|sections", and what the older form "1|c:2|ms" puts behind a colon in a type or a rate.
Fault parse_group(std::string_view text, Metric& metric, std::string_view& more) noexcept {
  more = {};
  const char* const end = text.data() + text.size();
  const auto rest_from = [end](const char* begin) {
    return std::string_view(begin, static_cast<std::size_t>(end - begin));
  };
  const auto bar = text.find('|');
  if (bar == std::string_view::npos) return Fault::malformed_line;
  metric.values = text.substr(0, bar);
  text.remove_prefix(bar + 1);
  auto type = text::take_until(text, '|');
  if (const auto colon = type.find(':'); colon != std::string_view::npos) {
    more = rest_from(type.data() + colon + 1);
    type = type.substr(0, colon);
    text = {};
  }
  auto fault = parse_type(type, metric.type);
  bool has_tags = metric.style != TagStyle::none;
  while (!text.empty()) {
    auto section = text::take_until(text, '|');
    const auto colon = section.starts_with('@') ? section.find(':') : std::string_view::npos;
    if (colon != std::string_view::npos) {
      more = rest_from(section.data() + colon + 1);
      section = section.substr(0, colon);
      text = {};
    }
    const auto wrong = parse_section(section, metric, has_tags);
    if (fault == Fault::none) fault = wrong;
  }
  if (fault == Fault::none && metric.values.empty() && metric.type != Type::set) fault = Fault::malformed_value;
  return fault;
}

bool take_length(std::string_view& text, char end, std::size_t& length) noexcept {
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (failure != std::errc() || stop == text.data() + text.size() || *stop != end) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return true;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) noexcept {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

std::string_view word(Fault fault) noexcept {
  static constexpr std::string_view words[fault_count] = {
      "none",          "malformed_line",   "malformed_value", "not_finite",        "negative_counter", "unknown_type",
      "bad_rate",      "mixed_tag_styles", "malformed_event", "malformed_check",   "invalid_utf8",     "too_long",
      "reserved_name", "type_conflict",    "name_taken",      "too_many_families", "no_room"};
  return words[static_cast<std::size_t>(fault)];
}

LineKind kind_of(std::string_view line) noexcept {
  if (line.starts_with("_e{")) return LineKind::event;
  return line.starts_with("_sc|") ? LineKind::check : LineKind::metric;
}

Fault parse_metric(std::string_view line, Metric& metric, std::string_view& more) noexcept {
  metric = {};
  more = {};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return Fault::malformed_line;
  split_name(line.substr(0, colon), metric);
  if (metric.name.empty() && metric.name_rest.empty()) return Fault::malformed_line;
  return parse_group(line.substr(colon + 1), metric, more);
}

Fault parse_more(Metric& metric, std::string_view& more) noexcept {
  if (metric.style == TagStyle::dogstatsd) {
    metric.style = TagStyle::none;
    metric.tags = {};
  }
  metric.rate = 1;
  metric.has_timestamp = false;
  metric.skipped_sections = 0;
  return parse_group(std::string_view(more), metric, more);
}

Fault parse_event(std::string_view line, Event& event) noexcept {
  event = {};
  event.alert_type = "info";
  line.remove_prefix(std::string_view("_e{").size());
  std::size_t title = 0, body = 0;
  if (!take_length(line, ',', title) || !take_length(line, '}', body)) return Fault::malformed_event;
  if (title == 0 || !line.starts_with(':')) return Fault::malformed_event;
  line.remove_prefix(1);
  if (title >= line.size() || line[title] != '|' || body > line.size() - title - 1) return Fault::malformed_event;
  event.title = line.substr(0, title);
  event.text = line.substr(title + 1, body);
  line.remove_prefix(title + 1 + body);
  if (!line.empty() && line.front() != '|') return Fault::malformed_event;
  while (!line.empty()) {
    const auto section = text::take_until(line, '|');
    const bool is_known = section.empty() || section.front() == '#' ||
                          is_one_of(section.substr(0, 2), {"d:", "h:", "k:", "p:", "s:", "t:", "c:", "e:"}) ||
                          is_named(section, "card:");
    if (!is_known) ++event.skipped_sections;
    if (is_named(section, "t:") && is_one_of(section.substr(2), {"error", "warning", "info", "success"}))
      event.alert_type = section.substr(2);
  }
  return Fault::none;
}

Fault parse_check(std::string_view line, ServiceCheck& check) noexcept {
  check = {};
  line.remove_prefix(std::string_view("_sc|").size());
  check.name = text::take_until(line, '|');
  const auto status = text::take_until(line, '|');
  if (check.name.empty() || status.size() != 1 || status.front() < '0' || status.front() > '3')
    return Fault::malformed_check;
  check.status = status.front() - '0';
  while (!line.empty()) {
    if (is_named(line, "m:")) break;  // the message comes last and may hold anything
    const auto section = text::take_until(line, '|');
    const bool is_known = section.empty() || section.front() == '#' ||
                          is_one_of(section.substr(0, 2), {"d:", "h:", "c:", "e:"}) || is_named(section, "card:");
    if (!is_known) ++check.skipped_sections;
  }
  return Fault::none;
}

bool take_tag(TagStyle style, std::string_view& tags, Tag& tag) noexcept {
  std::string_view text;
  while (text.empty()) {
    if (tags.empty()) return false;
    text = text::take_until(tags, style == TagStyle::graphite ? ';' : ',');
    // Some clients repeat the mark before each tag, as statsd_exporter tolerates.
    if (style == TagStyle::dogstatsd && text.starts_with('#')) text.remove_prefix(1);
  }
  const auto split = text.find(style == TagStyle::dogstatsd ? ':' : '=');
  tag.is_bare = split == std::string_view::npos;
  tag.key = text.substr(0, split);
  tag.value = tag.is_bare ? std::string_view() : text.substr(split + 1);
  return true;
}

const char* parse_number(const char* begin, const char* end, double& number) noexcept {
  const char* at = begin;
  const bool is_negative = at != end && *at == '-';
  if (is_negative) ++at;
  const char* const digits = at;
  std::uint64_t mantissa = 0;
  while (at != end && is_digit(*at) && at - digits < most_digits)
    mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at++ - '0');
  auto count = at - digits;
  std::ptrdiff_t decimals = 0;
  if (at != end && *at == '.' && count > 0) {
    const char* const point = ++at;
    while (at != end && is_digit(*at) && count + (at - point) < most_digits)
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(*at++ - '0');
    decimals = at - point;
  }
  const bool is_plain = count > 0 && (at == end || (!is_digit(*at) && *at != '.' && (*at | 0x20) != 'e'));
  if (!is_plain) return parse_any_number(begin, end, number);
  const auto whole = static_cast<double>(mantissa);
  const auto value = decimals == 0 ? whole : whole / powers_of_ten[decimals];
  number = is_negative ? -value : value;
  return at;
}

}  // namespace midst::ingest::statsd
