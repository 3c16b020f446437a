#include "lib/pq/login_error.hpp"

#include "lib/base/text.hpp"
#include "lib/pq/rows.hpp"

#include <algorithm>
#include <string>

namespace midst::pq {
namespace {

struct Phrase {
  std::string_view text;
  Errc kind;
};
// From libpq 15 (fe-connect.c, fe-auth*.c, fe-secure*.c), strerror(3) and PgBouncer 1.18 (client.c, objects.c); the
// C locale, since no program of ours calls setlocale(). The first that occurs decides.
constexpr Phrase phrases[] = {
    {"could not translate host name", Errc::dns},
    {"no more connections allowed", Errc::limit},  // PgBouncer sends 08P01 for it
    {"too many connections", Errc::limit},
    {"password authentication failed", Errc::auth},
    {"no password supplied", Errc::auth},
    {"no such user", Errc::auth},  // PgBouncer
    {"authentication method", Errc::auth},
    {"SASL", Errc::auth},
    {"SCRAM", Errc::auth},
    {"channel binding", Errc::auth},
    {"Connection refused", Errc::connect_refused},
    {"No such file or directory\n\tIs the server running", Errc::connect_refused},
    {"certificate", Errc::tls},
    {"SSL", Errc::tls},
    {"TLS", Errc::tls},
    {"No such file or directory", Errc::connect_refused},
    {"Permission denied", Errc::connect_refused},
    {"No route to host", Errc::connect_refused},
    {"Network is unreachable", Errc::connect_refused},
    {"timed out", Errc::timeout},
    {"timeout expired", Errc::timeout},
    {"server closed the connection", Errc::closed},
    {"Connection reset", Errc::closed},
    {"Broken pipe", Errc::closed},
    {"expected authentication request", Errc::protocol},
    {"unexpected message", Errc::protocol},
    {"received invalid response", Errc::protocol},
    {"unsupported frontend protocol", Errc::unsupported},
    {"invalid ", Errc::config},  // "invalid sslmode value", "invalid port number": found before any host is tried
    {"could not match", Errc::config},
};

bool is_sqlstate(std::string_view text) noexcept {
  return text.size() == 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

/// A verbose message reads "FATAL:  28P01: password authentication failed for user …".
std::string_view last_sqlstate(std::string_view message) noexcept {
  constexpr std::string_view mark = ":  ";
  std::string_view found;
  for (auto at = message.find(mark); at != std::string_view::npos; at = message.find(mark, at + mark.size())) {
    const auto code = message.substr(at + mark.size(), 5);
    if (is_sqlstate(code) && message.substr(at + mark.size() + 5, 2) == ": ") found = code;
  }
  return found;
}

std::string one_line(std::string_view message) {
  std::string joined;
  for (const auto line : text::split(message, '\n')) {
    const auto words = text::trim(line);
    if (words.empty() || words.starts_with("LOCATION:") || words.starts_with("HINT:") ||
        words.starts_with("Is the server running"))
      continue;
    if (!joined.empty()) joined += "; ";
    joined += words;
  }
  return joined;
}

/// @return what concerns the last host that was tried.
std::string_view last_attempt(std::string_view message) noexcept {
  const auto at = message.rfind("connection to server ");
  return at == std::string_view::npos ? message : message.substr(at);
}

Errc kind_of(std::string_view message) noexcept {
  const auto attempt = last_attempt(message);
  // PgBouncer has 08P01 (protocol_violation) for whatever it does not like; then the words say more.
  const auto sqlstate = last_sqlstate(attempt);
  if (!sqlstate.empty() && !sqlstate.starts_with("08")) return classify_sqlstate(sqlstate);
  for (const auto& phrase : phrases)
    if (attempt.find(phrase.text) != std::string_view::npos) return phrase.kind;
  return Errc::server;
}

}  // namespace

Error login_error(std::string_view message) {
  auto line = one_line(message);
  return Error{kind_of(message), line.empty() ? "the login failed and libpq does not say why" : std::move(line)};
}

}  // namespace midst::pq
