#include "agent/sources/redis/keys/key_arguments.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace midst::sources::redis_info {
namespace {

Error bad_entry(std::string_view entry, std::string_view why) {
  return Error{Errc::config, fmt::format("key \"{}\": {}", text::to_utf8(entry), why)};
}

/// Every "db" goes, wherever it stands: "dbdbdb0" has always meant database 0.
std::string without_db(std::string_view text) {
  std::string rest(text);
  for (auto at = rest.find("db"); at != std::string::npos; at = rest.find("db", at)) rest.erase(at, 2);
  return rest;
}

std::optional<int> parse_database_number(std::string_view digits) {
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (ec != std::errc{} || end != digits.data() + digits.size() || number < 0 || digits.front() == '-')
    return std::nullopt;
  return number;
}

Result<std::string> unescape(std::string_view text) {
  std::string with_blanks(text);
  std::replace(with_blanks.begin(), with_blanks.end(), '+', ' ');
  return text::percent_decode(with_blanks);
}

}  // namespace

Result<std::optional<KeyArgument>> parse_key_argument(std::string_view entry) {
  const auto equals = entry.find('=');
  std::string_view escaped = entry;
  std::string database = "0";
  if (equals != std::string_view::npos) {
    escaped = entry.substr(equals + 1);
    if (escaped.find('=') != std::string_view::npos)
      return bad_entry(entry, "has more than one \"=\"; write one that belongs to the key as %3D");
    database = without_db(text::trim(entry.substr(0, equals)));
  }
  auto key = unescape(text::trim(escaped));
  if (!key) return bad_entry(entry, "has a broken escape; write a percent sign as %25");
  if (database.empty() || key->empty()) return std::optional<KeyArgument>{};
  const auto number = parse_database_number(database);
  if (!number) return bad_entry(entry, "what stands before \"=\" is no database; write it like \"db0\"");
  const bool is_pattern = key->find_first_of("?*[]^") != std::string::npos;
  return std::optional<KeyArgument>(KeyArgument{*number, std::move(*key), is_pattern});
}

Result<std::vector<KeyArgument>> parse_key_arguments(std::string_view list) {
  std::vector<KeyArgument> arguments;
  for (const auto entry : text::split(list, ',')) {
    auto argument = parse_key_argument(entry);
    if (!argument) return argument.error();
    if (*argument) arguments.push_back(std::move(**argument));
  }
  return arguments;
}

}  // namespace midst::sources::redis_info
