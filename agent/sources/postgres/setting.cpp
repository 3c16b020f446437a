#include "agent/sources/postgres/setting.hpp"

#include "lib/base/text.hpp"

#include <optional>

namespace midst::sources {
namespace {

constexpr std::string_view seconds = "seconds";
constexpr std::string_view bytes = "bytes";

struct Unit {
  std::string_view name;
  std::string_view base;
  double factor;
};

// PostgreSQL 15 docs 20.1.1, "Numeric with Unit": case matters, the multiplier is 1024.
constexpr Unit units[] = {{"us", seconds, 1e-6},
                          {"ms", seconds, 1e-3},
                          {"s", seconds, 1},
                          {"min", seconds, 60},
                          {"h", seconds, 3600},
                          {"d", seconds, 86400},
                          {"B", bytes, 1},
                          {"kB", bytes, 1024},
                          {"MB", bytes, 1024.0 * 1024},
                          {"GB", bytes, 1024.0 * 1024 * 1024},
                          {"TB", bytes, 1024.0 * 1024 * 1024 * 1024}};

constexpr std::string_view number_characters = "0123456789+-.eE";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// "8kB" → bytes × 8192; "" → no unit, factor 1; nothing for what Postgres does not print.
std::optional<Unit> parse_unit(std::string_view text) {
  if (text.empty()) return Unit{"", "", 1};
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const auto name = text.substr(digits);
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    if (digits == 0) return unit;
    const auto count = text::parse_number(text.substr(0, digits));
    if (!count) return std::nullopt;
    return Unit{unit.name, unit.base, unit.factor * *count};
  }
  return std::nullopt;
}

std::optional<double> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"on", "yes", "true", "1"})
    if (text::equal_ignoring_case(text, yes)) return 1;
  for (const std::string_view no : {"off", "no", "false", "0"})
    if (text::equal_ignoring_case(text, no)) return 0;
  return std::nullopt;
}

/// "128MB" → {"128", "MB"}; "1e3" → {"1e3", ""}. The unit begins at the first character no number has; the 'e' of an
/// exponent is followed by a digit or a sign, that of a unit never is.
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  auto end = text.find_first_not_of(number_characters);
  if (end == std::string_view::npos) end = text.size();
  return {text.substr(0, end), text::trim(text.substr(end))};
}

std::string metric_name(std::string_view setting, std::string_view base) {
  std::string metric = "pg_settings_";
  for (const char c : setting) {
    const bool is_kept = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    metric += is_kept ? c : '_';
  }
  if (!base.empty()) metric.append("_").append(base);
  return metric;
}

std::string help_text(std::string_view setting, std::string_view base) {
  std::string help = "Server setting ";
  help += setting;
  if (!base.empty()) help.append(", in ").append(base);
  return help += '.';
}

Setting make(std::string_view name, std::string_view base, double value) {
  return {metric_name(name, base), base, help_text(name, base), value};
}

Error unreadable(std::string_view name) {
  return {Errc::protocol, "setting " + std::string(name) + " has a value or unit that is not understood"};
}

}  // namespace

Result<Setting> describe_setting(std::string_view name, std::string_view setting, std::string_view unit,
                                 std::string_view vartype) {
  if (name.empty()) return Error{Errc::protocol, "a setting without a name"};
  if (vartype == "bool") {
    const auto value = parse_bool(setting);
    if (!value) return unreadable(name);
    return make(name, {}, *value);
  }
  if (vartype != "integer" && vartype != "real") return unreadable(name);
  const auto declared = parse_unit(unit);
  if (!declared) return unreadable(name);
  if (const auto plain = text::parse_number(setting)) {
    const double value = *plain == -1 ? -1 : *plain * declared->factor;
    return make(name, declared->base, value);
  }
  const auto [number_text, own_unit_text] = split_unit(setting);
  const auto number = text::parse_number(number_text);
  const auto own = parse_unit(own_unit_text);
  if (!number || !own || own_unit_text.empty()) return unreadable(name);
  if (!declared->base.empty() && declared->base != own->base) return unreadable(name);
  return make(name, own->base, *number == -1 ? -1 : *number * own->factor);
}

}  // namespace midst::sources
