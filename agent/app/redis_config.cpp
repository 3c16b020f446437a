// [[redis]] of the configuration.
#include "agent/app/section.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <chrono>
#include <utility>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using sources::RedisOptions;

constexpr auto longest_interval = std::chrono::hours(24);

void read_tls(Section& section, redis::TlsOptions& tls) {
  section.read("ca_file", tls.ca_file);
  section.read("cert_file", tls.cert_file);
  section.read("key_file", tls.key_file);
  section.read("server_name", tls.server_name);
  section.read("skip_verify", tls.skip_verify);
  if (tls.cert_file.empty() != tls.key_file.empty())
    section.report_at(tls.cert_file.empty() ? "key_file" : "cert_file",
                      fmt::format("{} and {} belong together; give both or none", section.full("cert_file"),
                                  section.full("key_file")));
}

/// Name and password, of which the one may stand in the URL and the other elsewhere.
void read_login(Section& section, const redis::Uri& uri, redis::LoginProvider& login) {
  std::string username = uri.username;
  section.read("username", username);
  const auto secret = read_secret(section);
  if (secret.is_empty() && username != uri.username)
    login = login_with(username, Secret(Secret::Kind::text, uri.password));
  else if (!secret.is_empty())
    login = login_with(username, secret);
}

void read_switches(Section& section, RedisOptions& options) {
  for (const auto& [name, is_on] : sources::redis_collectors()) {
    if (!section.has(name)) continue;
    bool wanted = is_on;
    section.read(name, wanted);
    options.collectors[std::string(name)] = wanted;
  }
}

void read_profile(Section& section, RedisOptions& options) {
  section.parse("profile", [&](const std::string& text) -> Result<Done> {
    if (text != "full" && text != "vitals")
      return Error{Errc::config, fmt::format("unknown value \"{}\"; one of full, vitals", text)};
    options.profile = text == "vitals" ? sources::RedisProfile::vitals : sources::RedisProfile::full;
    return Done{};
  });
  section.parse("namespace", [&](const std::string& text) -> Result<Done> {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const bool is_name = text.find_first_not_of(allowed) == std::string::npos && !(text[0] >= '0' && text[0] <= '9');
    if (!is_name) return Error{Errc::config, "takes letters, digits and '_', and no digit first"};
    options.metric_namespace = text;
    return Done{};
  });
}

/// What is said once about the target itself.
void read_target(Section& section, RedisOptions& options) {
  section.read("client_name", options.connection.client_name);
  section.read("config_command", options.settings.command);
  section.read("config_interval", options.settings.interval, 1s, longest_interval);
  section.read("instance_role_label", options.has_instance_role);
  section.read("ping", options.has_ping);
  section.read("probe_interval", options.probe_interval, 0ms, longest_interval);
  section.read("retry_refused_after", options.retry_refused_after, 1s, longest_interval);
  section.read("empty_databases", options.has_zero_databases);
  read_profile(section, options);
  section.table("tls", [&](Section& tls) { read_tls(tls, options.connection.tls); });
  section.table("collectors", [&](Section& switches) { read_switches(switches, options); });
  section.table("limits", [&](Section& limits) {
    limits.read_size("max_reply_bytes", options.connection.max_reply_bytes, 64 * 1024, 1024 * 1024 * 1024);
    limits.read("max_errors", options.max_error_labels, 1, 10'000);
  });
}

}  // namespace

void read_redis(Section& section, Draft& draft) {
  RedisOptions options;
  LabelMode label = LabelMode::automatic;
  read_name(section, options.name);
  read_label_mode(section, label);
  section.parse("url", [&](const std::string& text) -> Result<Done> {
    const auto uri = redis::parse_uri(text);
    if (!uri) return uri.error();
    options.uri = *uri;
    return Done{};
  });
  read_login(section, options.uri, options.login);
  read_target(section, options);
  draft.config.redis.push_back(std::move(options));
  draft.redis_labels.push_back(label);
}

}  // namespace midst::app
