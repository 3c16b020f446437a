// The environment's part of the configuration.
#include "agent/app/custom_queries.hpp"
#include "agent/app/draft.hpp"
#include "agent/app/secret.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
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

/// The variables: our own overrides of scalars, then those of the exporters when the file names no such target.
class Variables {
 public:
  Variables(const Environment& environment, Draft& draft) : environment_(environment), draft_(draft) {}

  void apply() {
    auto& config = draft_.config;
    use("MIDST_AGENT_WEB_LISTEN", [&](const std::string& value) -> Result<Done> {
      config.web.listen.clear();
      for (const auto part : text::split(value, ',')) config.web.listen.emplace_back(text::trim(part));
      return Done{};
    });
    use("MIDST_AGENT_WEB_LIFECYCLE", [&](const std::string& value) { return set_bool(config.web.lifecycle, value); });
    use("MIDST_AGENT_WEB_PROBE", [&](const std::string& value) { return set_bool(config.web.probe, value); });
    use("MIDST_AGENT_LOG_LEVEL", [&](const std::string& value) { return set_level(config.log, value); });
    use("MIDST_AGENT_LOG_FORMAT", [&](const std::string& value) { return set_format(config.log, value); });
    use("MIDST_AGENT_SCRAPE_TIMEOUT", [&](const std::string& value) {
      return set_duration(config.scrape.timeout, value, std::chrono::milliseconds(100));
    });
    use("MIDST_AGENT_SCRAPE_MIN_INTERVAL", [&](const std::string& value) {
      return set_duration(config.scrape.min_interval, value, std::chrono::milliseconds(0));
    });
    use("MIDST_AGENT_SCRAPE_MAX_SERIES",
        [&](const std::string& value) { return set_count(config.scrape.rules.max_series.emplace(), value); });
    use("MIDST_AGENT_INGEST_SOCKET", [&](const std::string& value) -> Result<Done> {
      config.ingest.socket = value;
      config.ingest.is_socket_explicit = true;
      return Done{};
    });
    use("MIDST_AGENT_INGEST_DOGSTATSD_SOCKET", [&](const std::string& value) -> Result<Done> {
      config.ingest.statsd.socket = value;
      config.ingest.statsd.is_socket_explicit = true;
      return Done{};
    });
    use("MIDST_AGENT_INGEST_DOGSTATSD_STREAM_SOCKET", [&](const std::string& value) -> Result<Done> {
      config.ingest.statsd.stream_socket = value;
      config.ingest.statsd.is_stream_socket_explicit = true;
      return Done{};
    });
    use("MIDST_AGENT_INGEST_MAX_SERIES",
        [&](const std::string& value) { return set_count(config.ingest.limits.max_series, value); });
    use("MIDST_AGENT_INGEST_MAX_SERIES_PER_CLIENT",
        [&](const std::string& value) { return set_count(config.ingest.limits.max_series_per_client, value); });
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

  static Result<Done> set_bool(bool& out, const std::string& value) {
    if (value != "true" && value != "false") return Error{Errc::config, "takes true or false"};
    out = value == "true";
    return Done{};
  }

  static Result<Done> set_duration(std::chrono::milliseconds& out, const std::string& value,
                                   std::chrono::milliseconds least) {
    const auto duration = text::parse_duration(value);
    if (!duration) return duration.error();
    if (*duration < least || *duration > std::chrono::minutes(10))
      return Error{Errc::config, fmt::format("takes {} to 10m", text::format_duration(least))};
    out = *duration;
    return Done{};
  }

  static Result<Done> set_count(std::size_t& out, const std::string& value) {
    const auto count = text::parse_integer(value);
    if (!count || *count < 1) return Error{Errc::config, "takes a whole number of at least 1"};
    out = static_cast<std::size_t>(*count);
    return Done{};
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
      draft_.redis_labels.push_back(LabelMode::automatic);
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
    if (const auto path = environment_("PG_EXPORTER_EXTEND_QUERY_PATH"); path && !path->empty()) {
      add_queries_file(*path, options.custom, draft_.problems);
      if (environment_("PG_EXPORTER_AUTO_DISCOVER_DATABASES") == "true") ask_every_database(options.custom);
      for (auto& problem : check_custom_queries(options)) draft_.problems.push_back(std::move(problem));
    }
    draft_.config.postgres.push_back(std::move(options));
    draft_.postgres_labels.push_back(LabelMode::automatic);
  }

  void add_pgbouncer() {
    use("PGBOUNCER_EXPORTER_CONNECTION_STRING", [&](const std::string& value) -> Result<Done> {
      sources::PgbouncerOptions options;
      const auto parsed = pq::parse_conninfo(value);
      if (!parsed) return parsed.error();
      options.conninfo = *parsed;
      draft_.config.pgbouncer.push_back(std::move(options));
      draft_.pgbouncer_labels.push_back(LabelMode::automatic);
      return Done{};
    });
  }

  const Environment& environment_;
  Draft& draft_;
};

}  // namespace

Result<Done> set_format(LogConfig& log_config, const std::string& text) {
  if (text == "auto") {
    log_config.format.reset();
    return Done{};
  }
  const auto format = log::parse_format(text);
  if (!format) return format.error();
  log_config.format = *format;
  return Done{};
}

Result<Done> set_level(LogConfig& log_config, const std::string& text) {
  const auto level = log::parse_level(text);
  if (!level) return level.error();
  log_config.level = *level;
  return Done{};
}

void apply_environment(const Environment& environment, Draft& draft) {
  Variables(environment, draft).apply();
}

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

}  // namespace midst::app
