#include "lib/redis/uri.hpp"

#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <sys/un.h>

#include <limits>
#include <optional>

namespace midst::redis {
namespace {

struct Scheme {
  std::string_view name;
  bool has_tls;
};
constexpr Scheme schemes[] = {{"redis", false}, {"rediss", true}, {"valkey", false}, {"valkeys", true}, {"tcp", false}};

/// Every refusal: it names the part that is wrong and never its text, which may hold a password.
Error refuse(std::string_view what) {
  return Error{Errc::config, fmt::format("the Redis URL is wrong: {}", what)};
}

Result<int> parse_database(std::string_view digits) {
  const auto number = text::parse_integer(digits);
  if (!number || *number < 0 || *number > std::numeric_limits<int>::max())
    return refuse("the database is not a number from 0");
  return static_cast<int>(*number);
}

Result<std::uint16_t> parse_port(std::string_view digits) {
  const auto number = text::parse_integer(digits);
  if (!number || *number < 1 || *number > 65535) return refuse("the port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(*number);
}

std::optional<Error> read_login(Uri& uri, std::string_view login) {
  const auto colon = login.find(':');
  auto username = text::percent_decode(login.substr(0, colon));
  auto password = text::percent_decode(colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
  if (!username || !password) return refuse("the user name or password has a broken %-escape");
  uri.username = std::move(*username);
  uri.password = std::move(*password);
  return std::nullopt;
}

std::optional<Error> read_host(Uri& uri, std::string_view host) {
  std::string_view port;
  bool has_port = false;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return refuse("an IPv6 address has no closing bracket");
    const auto rest = host.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return refuse("the port after the IPv6 address needs a colon");
    has_port = !rest.empty();
    port = has_port ? rest.substr(1) : rest;
    host = host.substr(1, end - 1);
    if (host.empty()) return refuse("the IPv6 address is empty");
  } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    if (host.find(':', colon + 1) != std::string_view::npos) return refuse("an IPv6 address needs brackets");
    has_port = true;
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (!host.empty()) uri.host = host;
  if (!has_port) return std::nullopt;
  const auto number = parse_port(port);
  if (!number) return number.error();
  uri.port = *number;
  return std::nullopt;
}

std::optional<Error> read_parameters(Uri& uri, std::string_view query) {
  for (const auto pair : text::split(query, '&')) {
    auto value = pair;
    const auto name = text::take_until(value, '=');
    if (name != "db") return refuse("the only parameter it may have is db");
    const auto number = parse_database(value);
    if (!number) return number.error();
    uri.database = *number;
  }
  return std::nullopt;
}

std::optional<Error> read_socket_path(Uri& uri, std::string_view path) {
  auto decoded = text::percent_decode(path);
  if (!decoded) return refuse("the socket path has a broken %-escape");
  if (decoded->empty() || decoded->front() != '/') return refuse("the socket path is not absolute");
  if (decoded->size() >= sizeof(sockaddr_un::sun_path)) return refuse("the socket path is longer than 107 bytes");
  if (decoded->find('\0') != std::string::npos) return refuse("the socket path has a zero byte");
  uri.unix_path = std::move(*decoded);
  return std::nullopt;
}

/// What stands behind "scheme://" of a TCP address: [user[:password]@]host[:port][/database].
std::optional<Error> read_network(Uri& uri, std::string_view rest) {
  const auto slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    if (auto error = read_login(uri, authority.substr(0, at))) return error;
    authority.remove_prefix(at + 1);
  }
  if (auto error = read_host(uri, authority)) return error;
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return std::nullopt;
  const auto number = parse_database(rest.substr(slash + 1));
  if (!number) return number.error();
  uri.database = *number;
  return std::nullopt;
}

/// What stands behind "unix:": [//[user[:password]@]]/path.
std::optional<Error> read_unix(Uri& uri, std::string_view rest) {
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const auto path = rest.find('/');
    if (path == std::string_view::npos) return refuse("the socket path is not absolute");
    const auto authority = rest.substr(0, path);
    if (!authority.empty()) {
      if (authority.back() != '@') return refuse("unix: takes no host; write unix:///path");
      if (auto error = read_login(uri, authority.substr(0, authority.size() - 1))) return error;
    }
    rest.remove_prefix(path);
  }
  return read_socket_path(uri, rest);
}

const Scheme* find_scheme(std::string_view name) {
  for (const auto& scheme : schemes)
    if (text::equal_ignoring_case(name, scheme.name)) return &scheme;
  return nullptr;
}

std::optional<Error> read_address(Uri& uri, std::string_view rest) {
  if (rest.starts_with('/')) return read_socket_path(uri, rest);
  if (rest.size() > 5 && text::equal_ignoring_case(rest.substr(0, 5), "unix:")) return read_unix(uri, rest.substr(5));
  if (const auto end = rest.find("://"); end != std::string_view::npos) {
    const auto* scheme = find_scheme(rest.substr(0, end));
    if (scheme == nullptr) return refuse("the scheme is none of redis, rediss, valkey, valkeys, tcp, unix");
    uri.has_tls = scheme->has_tls;
    rest.remove_prefix(end + 3);
  }
  return read_network(uri, rest);
}

}  // namespace

std::string Uri::redacted() const {
  if (!unix_path.empty()) return fmt::format("unix://{}", unix_path);
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}/{}", has_tls ? "rediss" : "redis", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                     port, database);
}

Result<Uri> parse_uri(std::string_view whole) {
  if (whole.empty()) return refuse("it is empty");
  Uri uri;
  // A fragment has no meaning here, and a '?' or '#' of a password must be escaped, so both end the address.
  if (whole.find('#') != std::string_view::npos) return refuse("it has a '#'; write it as %23");
  auto query = whole;
  const auto address = text::take_until(query, '?');
  if (auto error = read_address(uri, address)) return *error;
  if (auto error = read_parameters(uri, query)) return *error;
  return uri;
}

}  // namespace midst::redis
