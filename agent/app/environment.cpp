// What the exporters' own variables make of the configuration.
#include "agent/app/custom_queries.hpp"
#include "agent/app/draft.hpp"
#include "agent/app/secret.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace midst::app {
namespace {

/// @return whether both are the same server, and the entry is for this user.
bool is_entry_of(const redis::Uri& entry, const redis::Uri& target, const std::string& user) {
  return entry.username == user && entry.unix_path == target.unix_path &&
         (!entry.unix_path.empty() || (entry.host == target.host && entry.port == target.port));
}

/// The exporter's password file is a JSON object of addresses and passwords; a plain file holds just the one.
Result<std::string> password_in(const std::string& text, const redis::Uri& target) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos || text[text.find_first_not_of(" \t\r\n")] != '{')
    return text;
  const auto map = nlohmann::json::parse(text, nullptr, false);
  if (!map.is_object()) return Error{Errc::config, "the file in REDIS_PASSWORD_FILE begins like JSON and is none"};
  // An entry of the user comes before one for whoever connects.
  for (const auto& user : {target.username, std::string()})
    for (const auto& [address, password] : map.items()) {
      const auto uri = redis::parse_uri(address);
      if (uri && password.is_string() && is_entry_of(*uri, target, user)) return password.get<std::string>();
    }
  return std::string();  // as the exporter does: no entry, no password
}

/// @return a login that reads the file anew at each connect.
redis::LoginProvider login_from_file(const std::string& path, const redis::Uri& target) {
  return [file = Secret(Secret::Kind::file, path), target]() -> Result<redis::Login> {
    const auto text = file.read();
    if (!text) return text.error();
    auto password = password_in(*text, target);
    if (!password) return password.error();
    return redis::Login{target.username, std::move(*password)};
  };
}

/// The variables of the exporters, for kinds of targets that no file names.
class Variables {
 public:
  Variables(const Environment& environment, Draft& draft) : environment_(environment), draft_(draft) {}

  void apply() {
    const auto& config = draft_.config;
    if (config.redis.empty()) add_redis();
    if (config.postgres.empty()) add_postgres();
    if (config.pgbouncer.empty()) add_pgbouncer();
  }

 private:
  template <class Set>
  void use(std::string_view name, Set set) {
    const auto value = environment_(name);
    if (!value) return;
    if (const Result<Done> done = set(*value); !done)
      draft_.problems.push_back({"environment", fmt::format("{}: {}", name, done.error().message), true});
  }

  void add_redis() {
    use("REDIS_ADDR", [&](const std::string& address) -> Result<Done> {
      if (address.empty()) return Done{};
      sources::RedisOptions options;
      const auto uri = redis::parse_uri(address);
      if (!uri) return uri.error();
      options.uri = *uri;
      options.uri.username = environment_("REDIS_USER").value_or(uri->username);
      if (environment_("REDIS_PASSWORD"))
        options.login = login_with(options.uri.username, Secret(Secret::Kind::variable, "REDIS_PASSWORD"));
      else if (const auto file = environment_("REDIS_PASSWORD_FILE"))
        options.login = login_from_file(*file, options.uri);
      draft_.config.redis.push_back(std::move(options));
      draft_.redis.emplace_back();
      return Done{};
    });
  }

  void add_postgres() {
    if (environment_("DATA_SOURCE_NAME"))
      use("DATA_SOURCE_NAME", [&](const std::string& value) { return add_each_postgres(value); });
    else if (environment_("DATA_SOURCE_URI_FILE"))
      use("DATA_SOURCE_URI_FILE", [&](const std::string& path) -> Result<Done> {
        const auto value = Secret(Secret::Kind::file, path).read();
        if (!value) return value.error();
        return add_one_postgres(std::string(text::trim(*value)));
      });
    else
      use("DATA_SOURCE_URI", [&](const std::string& value) { return add_one_postgres(value); });
  }

  /// Each of a list is a target of its own, called by where it is.
  Result<Done> add_each_postgres(const std::string& value) {
    const auto parts = pq::split_conninfos(value);
    for (const auto part : parts) {
      sources::PostgresOptions options;
      const auto parsed = pq::parse_conninfo(part);
      if (!parsed) return parsed.error();
      options.conninfo = *parsed;
      if (parts.size() > 1) options.name = name_of(options.conninfo);
      add_target(std::move(options));
    }
    return Done{};
  }

  /// "host:port", with the database where two are on one server.
  [[nodiscard]] std::string name_of(const pq::Conninfo& conninfo) const {
    const auto& known = draft_.config.postgres;
    auto name = conninfo.server_label();
    const bool is_taken =
        std::any_of(known.begin(), known.end(), [&](const auto& target) { return target.name == name; });
    return is_taken ? name.append("/").append(conninfo.get("dbname")) : name;
  }

  Result<Done> add_one_postgres(const std::string& value) {
    sources::PostgresOptions options;
    const auto parsed = pq::parse_conninfo("postgresql://" + value);
    if (!parsed) return parsed.error();
    options.conninfo = *parsed;
    if (const auto file = environment_("DATA_SOURCE_USER_FILE")) {
      const auto user = Secret(Secret::Kind::file, *file).read();
      if (!user) return user.error();
      options.conninfo.set("user", *user);
    } else if (const auto user = environment_("DATA_SOURCE_USER")) {
      options.conninfo.set("user", *user);
    }
    Secret secret;
    if (const auto file = environment_("DATA_SOURCE_PASS_FILE"))
      secret = Secret(Secret::Kind::file, *file);
    else if (environment_("DATA_SOURCE_PASS"))
      secret = Secret(Secret::Kind::variable, "DATA_SOURCE_PASS");
    if (!secret.is_empty()) options.password = [secret] { return secret.read(); };
    add_target(std::move(options));
    return Done{};
  }

  void add_target(sources::PostgresOptions options) {
    std::size_t fingerprint = 0;
    if (const auto path = environment_("PG_EXPORTER_EXTEND_QUERY_PATH"); path && !path->empty()) {
      fingerprint = fingerprint_of_file(*path);
      add_queries_file(*path, options.custom, draft_.problems);
      if (environment_("PG_EXPORTER_AUTO_DISCOVER_DATABASES") == "true") ask_every_database(options.custom);
      for (auto& problem : check_custom_queries(options)) draft_.problems.push_back(std::move(problem));
    }
    draft_.config.postgres.push_back(std::move(options));
    draft_.postgres.push_back({LabelMode::automatic, fingerprint});
  }

  void add_pgbouncer() {
    use("PGBOUNCER_EXPORTER_CONNECTION_STRING", [&](const std::string& value) -> Result<Done> {
      sources::PgbouncerOptions options;
      const auto parsed = pq::parse_conninfo(value);
      if (!parsed) return parsed.error();
      options.conninfo = *parsed;
      draft_.config.pgbouncer.push_back(std::move(options));
      draft_.pgbouncer.emplace_back();
      return Done{};
    });
  }

  const Environment& environment_;
  Draft& draft_;
};

}  // namespace

void add_targets_of_exporters(const Environment& environment, Draft& draft) {
  Variables(environment, draft).apply();
}

Environment process_environment() {
  Environment::Variables variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace midst::app
