#include "agent/app/web_config.hpp"

#include "agent/app/config.hpp"
#include "agent/app/file_text.hpp"
#include "agent/app/section.hpp"
#include "agent/app/web_yaml.hpp"
#include "lib/base/text.hpp"
#include "lib/net/sockets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace midst::app {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t most_listen_connections = 100'000;
constexpr std::size_t most_accounts = 1000;
constexpr std::size_t most_header_bytes = 4096;
constexpr std::size_t most_body_bytes = 64 * 1024;

void read_listeners(Section& section, WebConfig& web) {
  section.tables("listener", [&](Section& listener) {
    auto& added = web.listeners.emplace_back();
    listener.read("listen", added.address);
    if (added.address.empty()) listener.report_at("listen", "web.listener.listen is missing");
    listener.parse("view", [&](const std::string& text) -> Result<Done> {
      constexpr std::string_view views[] = {"redis", "postgres", "pgbouncer", "host", "api"};
      if (std::find(std::begin(views), std::end(views), text) == std::end(views))
        return Error{Errc::config,
                     fmt::format("unknown view \"{}\"; one of redis, postgres, pgbouncer, host, api", text)};
      added.view = text;
      return Done{};
    });
  });
}

template <class Value>
void read_word(Section& section, std::string_view key, Result<Value> (*value_of)(std::string_view), Value& out) {
  section.parse(key, [&](const std::string& text) -> Result<Done> {
    const auto value = value_of(text);
    if (!value) return value.error();
    out = *value;
    return Done{};
  });
}

void read_tls(Section& section, WebConfig& web) {
  auto& tls = web.tls;
  web.tls_place = section.place("");
  section.read("cert_file", tls.cert_file);
  section.read("key_file", tls.key_file);
  section.read("client_ca_file", tls.client_ca_file);
  read_word(section, "client_auth_type", &net::client_auth, tls.client_auth);
  section.read("client_allowed_sans", tls.client_allowed_sans);
  read_word(section, "min_version", &net::tls_version, tls.min_version);
  read_word(section, "max_version", &net::tls_version, tls.max_version);
  section.read("cipher_suites", tls.cipher_suites);
  section.read("curve_preferences", tls.curve_preferences);
}

void read_accounts(Section& section, web::GuardOptions& guard) {
  for (const auto& name : section.keys())
    section.parse(name, [&](const std::string& hash) { return set_account(guard, name, hash); });
}

void read_headers(Section& section, web::GuardOptions& guard) {
  for (const auto name : header_names())
    section.parse(name, [&](const std::string& value) { return set_header(guard, name, value); });
}

void read_rate_limit(Section& section, web::GuardOptions& guard) {
  section.read("interval", guard.rate_interval, milliseconds(0), std::chrono::hours(1));
  section.read("burst", guard.rate_burst, 1, 100'000);
}

void read_hosts(Section& section, web::GuardOptions& guard) {
  std::vector<std::string> hosts;
  section.parse_each("allowed_hosts", [&](const std::string& text) -> Result<Done> {
    if (text.empty() || (text != "*" && web::host_name(text) != text::lower(text)))
      return Error{Errc::config, fmt::format("\"{}\" is no host name; write it without scheme and port", text)};
    hosts.push_back(text::lower(text));
    return Done{};
  });
  if (section.has("allowed_hosts")) guard.allowed_hosts = std::move(hosts);
}

/// Names under which the listeners were given; numbers are allowed anyway.
std::vector<std::string> hosts_of(const WebConfig& web) {
  std::vector<std::string> hosts;
  const auto add = [&](const std::string& text) {
    const auto address = net::parse_listen_address(text);
    if (address && !address->host.empty()) hosts.push_back(text::lower(address->host));
  };
  for (const auto& address : web.listen) add(address);
  for (const auto& listener : web.listeners) add(listener.address);
  return hosts;
}

bool is_on_network(const std::string& text) {
  const auto address = net::parse_listen_address(text);
  if (!address || address->is_unix()) return false;
  return !(address->host == "localhost" || address->host == "::1" || address->host.starts_with("127."));
}

void read_config_file(WebConfig& web, std::vector<Problem>& problems) {
  if (web.config_file.empty()) return;
  if (web.has_tls() || !web.guard.accounts.empty()) {
    problems.push_back({web.config_file_place,
                        "web.config_file stands for [web.tls] and [web.basic_auth_users]; give the one or the others",
                        true});
    return;
  }
  const auto text = read_file_text(web.config_file, max_web_yaml_bytes);
  if (!text) {
    problems.push_back({web.config_file_place, "web.config_file: " + text.error().message, true});
    return;
  }
  for (auto& problem : parse_web_yaml(*text, web.config_file, web)) problems.push_back(std::move(problem));
}

void warn_of_exposure(const WebConfig& web, std::vector<Problem>& problems) {
  const bool is_exposed = std::any_of(web.listen.begin(), web.listen.end(), is_on_network) ||
                          std::any_of(web.listeners.begin(), web.listeners.end(),
                                      [](const auto& each) { return is_on_network(each.address); });
  if (is_exposed && !web.has_tls() && !web.guard.accounts.empty())
    problems.push_back({"configuration",
                        "passwords for HTTP go over the network in the clear; set [web.tls], or listen on 127.0.0.1",
                        false});
}

}  // namespace

bool WebConfig::has_tls() const noexcept {
  return !tls.cert_file.empty() || !tls.key_file.empty() || !tls.client_ca_file.empty() ||
         tls.client_auth != net::ClientAuth::none;
}

net::ServerLimits WebConfig::server_limits() const noexcept {
  net::ServerLimits limits;
  limits.connections = max_connections;
  limits.body_bytes = most_body_bytes;
  return limits;
}

void read_web(Section& section, WebConfig& web) {
  section.read("listen", web.listen);
  section.read("lifecycle", web.lifecycle);
  section.read("probe", web.probe);
  section.read("discovery", web.discovery);
  section.read("queries", web.queries);
  section.read("max_connections", web.max_connections, 1, most_listen_connections);
  section.read("max_requests", web.guard.max_requests, 0, most_listen_connections);
  read_hosts(section, web.guard);
  section.read("config_file", web.config_file);
  if (section.has("config_file")) web.config_file_place = section.place("config_file");
  section.table("tls", [&](Section& table) { read_tls(table, web); });
  section.table("basic_auth_users", [&](Section& table) { read_accounts(table, web.guard); });
  section.table("headers", [&](Section& table) { read_headers(table, web.guard); });
  section.table("rate_limit", [&](Section& table) { read_rate_limit(table, web.guard); });
  read_listeners(section, web);
}

void settle_web(WebConfig& web, std::vector<Problem>& problems) {
  read_config_file(web, problems);
  web.guard.own_hosts = hosts_of(web);
  if (web.has_tls())
    if (const auto loaded = net::ServerTls::load(web.tls); !loaded)
      problems.push_back({web.tls_place, "web." + loaded.error().message, true});
  warn_of_exposure(web, problems);
}

Result<Done> set_account(web::GuardOptions& guard, const std::string& name, const std::string& hash) {
  if (name.empty() || name.find(':') != std::string::npos)
    return Error{Errc::config, "a name for basic authentication has at least one character, and no colon"};
  if (auto done = web::check_hash(hash); !done) return done;
  auto& all = guard.accounts;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& account) { return account.name == name; });
  if (found != all.end()) {
    found->hash = hash;
    return Done{};
  }
  if (all.size() == most_accounts) return Error{Errc::config, fmt::format("more than {} users", most_accounts)};
  all.push_back({name, hash});
  return Done{};
}

Result<Done> set_header(web::GuardOptions& guard, std::string_view name, const std::string& value) {
  const auto lower = text::lower(value);
  if (name == "X-Content-Type-Options" && !value.empty() && lower != "nosniff")
    return Error{Errc::config, "takes nosniff"};
  if (name == "X-Frame-Options" && !value.empty() && lower != "deny" && lower != "sameorigin")
    return Error{Errc::config, "takes deny or sameorigin"};
  const bool has_control =
      std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; });
  if (has_control || value.size() > most_header_bytes)
    return Error{Errc::config, fmt::format("takes one line of at most {} bytes", most_header_bytes)};
  std::erase_if(guard.headers, [&](const auto& header) { return header.first == name; });
  if (!value.empty()) guard.headers.emplace_back(name, value);
  return Done{};
}

const std::vector<std::string_view>& header_names() {
  static const std::vector<std::string_view> names{"Strict-Transport-Security", "X-Content-Type-Options",
                                                   "X-Frame-Options", "X-XSS-Protection", "Content-Security-Policy"};
  return names;
}

}  // namespace midst::app
