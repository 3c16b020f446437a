#include "lib/pq/conninfo.hpp"

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <memory>

namespace midst::pq {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

/// Keys of the Go driver lib/pq that libpq refuses; both only choose between text and binary transfer.
constexpr std::array<std::string_view, 2> go_driver_keys{"binary_parameters", "disable_prepared_binary_result"};

/// The only keywords that may be shown.
constexpr std::array<std::string_view, 6> shown_keywords{"service", "host", "hostaddr", "port", "dbname", "user"};

/// How libpq's messages begin (PostgreSQL 15, fe-connect.c) and what we say instead: what follows the beginning is a
/// piece of the string, and in a string that is broken any piece may be the password.
struct Complaint {
  std::string_view begins, said;
};
constexpr Complaint complaints[] = {
    {"missing \"=\" after", "a word without \"=\" (a value with spaces must stand in single quotes)"},
    {"unterminated quoted string", "a quoted value does not end"},
    {"invalid percent-encoded token", "a \"%\" that no two hexadecimal digits follow (a literal % is written %25)"},
    {"forbidden value", "%00 is not allowed"},
    {"end of string reached when looking for matching \"]\"", "an IPv6 address does not end in \"]\""},
    {"IPv6 host address may not be empty", "an empty IPv6 address"},
    {"unexpected character", "something else than a port or \"/\" follows the host"},
    {"extra key/value separator", "a URI parameter has two \"=\" (in a value, = is written %3D)"},
    {"missing key/value separator", "a URI parameter without \"=\""},
};

Error refuse(std::string_view why) {
  return Error{Errc::config, "connection string: " + std::string(why)};
}

bool is_uri(std::string_view text) noexcept {
  return text.starts_with("postgres://") || text.starts_with("postgresql://");
}

bool is_go_driver_key(std::string_view key) noexcept {
  return std::find(go_driver_keys.begin(), go_driver_keys.end(), key) != go_driver_keys.end();
}

void warn_of_dropped(std::string_view key) {
  log::warn("connection string: a key that only the Go driver knows is ignored", {{"key", key}});
}

std::string without_go_driver_parameters(std::string_view uri) {
  const auto question_mark = uri.find('?');
  if (question_mark == std::string_view::npos) return std::string(uri);
  std::string kept(uri.substr(0, question_mark));
  char separator = '?';
  for (const auto parameter : text::split(uri.substr(question_mark + 1), '&')) {
    auto rest = parameter;
    if (const auto key = text::take_until(rest, '='); is_go_driver_key(key)) {
      warn_of_dropped(key);
      continue;
    }
    kept += separator;
    kept += parameter;
    separator = '&';
  }
  return kept;
}

bool is_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// @return where the value that begins at `at` ends, by libpq's quoting rules (conninfo_parse).
std::size_t end_of_value(std::string_view text, std::size_t at) noexcept {
  const bool is_quoted = at < text.size() && text[at] == '\'';
  if (is_quoted) ++at;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\')
      ++at;
    else if (is_quoted && text[at] == '\'')
      return at + 1;
    else if (!is_quoted && is_space(text[at]))
      return at;
  }
  return text.size();
}

std::string without_go_driver_keys(std::string_view text) {
  const auto skip_spaces = [text](std::size_t at) {
    while (at < text.size() && is_space(text[at])) ++at;
    return at;
  };
  std::string kept;
  for (std::size_t at = skip_spaces(0); at < text.size(); at = skip_spaces(at)) {
    const auto begin = at;
    while (at < text.size() && text[at] != '=' && !is_space(text[at])) ++at;
    const auto key = text.substr(begin, at - begin);
    at = skip_spaces(at);
    if (at < text.size() && text[at] == '=') at = end_of_value(text, skip_spaces(at + 1));
    if (is_go_driver_key(key)) {
      warn_of_dropped(key);
      continue;
    }
    if (!kept.empty()) kept += ' ';
    kept += text.substr(begin, at - begin);
  }
  return kept;
}

/// libpq ends the login at the first "@", and takes a "/" before it for the end of the host, so that the rest of a
/// password that holds either would come out as a host or a database, and be shown.
bool has_unescaped_login(std::string_view uri) noexcept {
  auto rest = uri.substr(uri.find("://") + 3);
  const auto at = rest.find('@');
  if (at != std::string_view::npos && at < rest.find('/')) rest.remove_prefix(at + 1);
  return rest.substr(0, rest.find('?')).find('@') != std::string_view::npos;
}

std::string explain(std::string_view message, const Options& known) {
  for (const auto& complaint : complaints)
    if (message.starts_with(complaint.begins)) return std::string(complaint.said);
  if (!message.starts_with("invalid connection option") && !message.starts_with("invalid URI query parameter"))
    return "libpq does not accept it";
  const auto open = message.find('"');
  const auto close = message.rfind('"');
  std::vector<std::string_view> keywords;
  for (const auto* option = known.get(); option != nullptr && option->keyword != nullptr; ++option)
    keywords.emplace_back(option->keyword);
  const auto nearest =
      open < close ? text::closest(message.substr(open + 1, close - open - 1), keywords) : std::string_view{};
  std::string said = "an unknown key";
  if (!nearest.empty()) said.append(", did you mean \"").append(nearest).append("\"?");
  return said;
}

/// @return whether the text begins like a key=value string: "host=…", "user = …".
bool begins_with_keyword(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const auto word = text::trim(text.substr(0, equals));
  const Options known(PQconndefaults());
  for (const auto* option = known.get(); option != nullptr && option->keyword != nullptr; ++option)
    if (word == option->keyword) return true;
  return false;
}

bool is_port(std::string_view text) noexcept {
  const auto port = text::parse_integer(text);
  return port && *port >= 1 && *port <= 65535;
}

/// A conninfo string inside a value would be shown as that value.
bool looks_like_conninfo(std::string_view value) noexcept {
  return is_uri(value) || value.find('=') != std::string_view::npos;
}

std::string_view first_of_list(std::string_view list) noexcept {
  return list.substr(0, list.find(','));
}

}  // namespace

std::string_view Conninfo::get(std::string_view keyword) const noexcept {
  for (const auto& [key, value] : keywords)
    if (key == keyword) return value;
  return {};
}

void Conninfo::set(std::string_view keyword, std::string value) {
  for (auto& [key, old] : keywords)
    if (key == keyword) {
      old = std::move(value);
      return;
    }
  keywords.emplace_back(keyword, std::move(value));
}

void Conninfo::set_default(std::string_view keyword, std::string value) {
  if (get(keyword).empty()) set(keyword, std::move(value));
}

std::string Conninfo::redacted() const {
  std::string shown;
  for (const auto keyword : shown_keywords) {
    const auto value = get(keyword);
    if (value.empty()) continue;
    if (!shown.empty()) shown += ' ';
    shown.append(keyword).append("=").append(looks_like_conninfo(value) ? "(hidden)" : value);
  }
  return shown;
}

std::string Conninfo::server_label() const {
  auto host = first_of_list(get("host"));
  if (host.empty()) host = first_of_list(get("hostaddr"));
  const auto port = first_of_list(get("port"));
  std::string label(host.empty() ? "localhost" : host);
  return label.append(":").append(port.empty() ? "5432" : port);
}

Result<Conninfo> parse_conninfo(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return refuse("a zero byte");
  if (is_uri(text) && has_unescaped_login(text))
    return refuse("a \"/\" or \"@\" too many (in user and password they are written %2F and %40)");
  const auto accepted = is_uri(text) ? without_go_driver_parameters(text) : without_go_driver_keys(text);
  char* message = nullptr;
  const Options options(PQconninfoParse(accepted.c_str(), &message));
  if (!options) {
    const Options known(PQconndefaults());
    auto error = refuse(explain(message == nullptr ? "" : message, known));
    PQfreemem(message);
    return error;
  }
  Conninfo conninfo;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) conninfo.keywords.emplace_back(option->keyword, option->val);
  for (const auto port : text::split(conninfo.get("port"), ','))
    if (!port.empty() && !is_port(port)) return refuse("the port is no number from 1 to 65535");
  return conninfo;
}

std::vector<std::string_view> split_conninfos(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (auto comma = text.find(','); comma != std::string_view::npos; comma = text.find(',', comma + 1)) {
    const auto rest = text::trim(text.substr(comma + 1));
    const bool begins_keyed = !is_uri(text::trim(text.substr(begin))) && begins_with_keyword(rest);
    if (!rest.empty() && !is_uri(rest) && !begins_keyed) continue;
    parts.push_back(text::trim(text.substr(begin, comma - begin)));
    begin = comma + 1;
  }
  parts.push_back(text::trim(text.substr(begin)));
  std::erase(parts, std::string_view());
  return parts;
}

}  // namespace midst::pq
