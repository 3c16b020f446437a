#include "api/app/config.hpp"

#include "lib/base/text.hpp"
#include "lib/pq/conninfo.hpp"
#include "lib/redis/uri.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <utility>

namespace midst::api {
namespace {

/// Takes the text of a setting over. @return why not, or nothing.
using Setter = std::optional<std::string> (*)(Config&, std::string_view);

/// What a setting is in TOML; the environment has text only.
enum class ValueKind { text, integer, flag };

struct Setting {
  std::string_view key;  ///< "table.key".
  ValueKind kind;
  Setter set;
  const char* variable = nullptr;  ///< That overrides it.
};

std::optional<std::string> set_duration(std::chrono::milliseconds& target, std::string_view text,
                                        std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const auto duration = text::parse_duration(text);
  if (!duration) return duration.error().message;
  if (*duration < least || *duration > most)
    return fmt::format("must be from {} to {}", text::format_duration(least), text::format_duration(most));
  target = *duration;
  return std::nullopt;
}

std::optional<std::string> set_count(std::size_t& target, std::string_view text, std::int64_t least,
                                     std::int64_t most) {
  const auto number = text::parse_integer(text);
  if (!number || *number < least || *number > most) return fmt::format("must be an integer from {} to {}", least, most);
  target = static_cast<std::size_t>(*number);
  return std::nullopt;
}

std::optional<std::string> set_size(std::size_t& target, std::string_view text, std::uint64_t least,
                                    std::uint64_t most) {
  const auto size = text::parse_size(text);
  if (!size) return size.error().message;
  if (*size < least || *size > most) return fmt::format("must be from {} to {} bytes", least, most);
  target = *size;
  return std::nullopt;
}

using namespace std::chrono_literals;

std::optional<std::string> set_environment(Config& config, std::string_view text) {
  constexpr std::array<std::string_view, 4> names{"development", "test", "staging", "production"};
  if (std::find(names.begin(), names.end(), text) == names.end())
    return "must be development, test, staging or production";
  config.environment = text;
  return std::nullopt;
}

std::optional<std::string> set_listen(Config& config, std::string_view text) {
  if (text.empty()) return "must be an address like \"127.0.0.1:3001\"";
  config.listen = text;
  return std::nullopt;
}

std::optional<std::string> set_database_url(Config& config, std::string_view text) {
  if (!text.empty())
    if (const auto conninfo = pq::parse_conninfo(text); !conninfo) return conninfo.error().message;
  config.database_url = text;
  return std::nullopt;
}

std::optional<std::string> set_redis_url(Config& config, std::string_view text) {
  if (!text.empty())
    if (const auto uri = redis::parse_uri(text); !uri) return uri.error().message;
  config.redis_url = text;
  return std::nullopt;
}

std::optional<std::string> set_statements(Config& config, std::string_view text) {
  config.database.statements =
      text == "true" ? DatabaseOptions::Statements::prepared : DatabaseOptions::Statements::unnamed;
  return std::nullopt;
}

std::optional<std::string> set_jwt_secret(Config& config, std::string_view text) {
  constexpr std::size_t shortest = 32;  // RFC 7518, 3.2: HS256 needs a key of 256 bits.
  if (!text.empty() && text.size() < shortest) return fmt::format("must have at least {} bytes", shortest);
  config.jwt_secret = text;
  return std::nullopt;
}

std::optional<std::string> set_push_socket(Config& config, std::string_view text) {
  constexpr std::size_t longest = 107;  // sun_path, unix(7).
  if (text.empty() || text.size() > longest) return fmt::format("must be a path of 1 to {} bytes", longest);
  config.push_socket = text;
  return std::nullopt;
}

std::optional<std::string> set_log_level(Config& config, std::string_view text) {
  const auto level = log::parse_level(text);
  if (!level) return level.error().message;
  config.log_level = *level;
  return std::nullopt;
}

std::optional<std::string> set_log_format(Config& config, std::string_view text) {
  config.log_format.reset();
  if (text == "auto") return std::nullopt;
  const auto format = log::parse_format(text);
  if (!format) return format.error().message;
  config.log_format = *format;
  return std::nullopt;
}

constexpr std::uint64_t a_gibibyte = 1ULL << 30;

// One row is one key; the order is that of configs/midst-api.toml.
const std::vector<Setting> settings{
    {"environment", ValueKind::text, set_environment, "MIDST_ENV"},
    {"http.listen", ValueKind::text, set_listen, "API_LISTEN"},
    {"http.max_connections", ValueKind::integer,
     [](Config& c, std::string_view t) { return set_count(c.max_connections, t, 1, 100'000); }},
    {"http.body_limit", ValueKind::text,
     [](Config& c, std::string_view t) { return set_size(c.requests.body_bytes, t, 1024, 16ULL << 20); }},
    {"http.request_timeout", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.requests.request_timeout, t, 10ms, 5min); }},
    {"http.drain_timeout", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.drain_timeout, t, 0ms, 5min); }},
    {"database.url", ValueKind::text, set_database_url, "DATABASE_URL"},
    {"database.pool_size", ValueKind::integer,
     [](Config& c, std::string_view t) { return set_count(c.database.pool.size, t, 1, 500); }},
    {"database.max_waiting", ValueKind::integer,
     [](Config& c, std::string_view t) { return set_count(c.database.pool.max_waiting, t, 0, 100'000); }},
    {"database.acquire_timeout", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.database.pool.acquire_timeout, t, 10ms, 1min); }},
    {"database.prepared_statements", ValueKind::flag, set_statements},
    {"database.migrate_timeout", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.migrate_timeout, t, 1s, 1h); }},
    {"database.memory_profiles", ValueKind::integer,
     [](Config& c, std::string_view t) { return set_count(c.memory_profiles, t, 1, 10'000'000); }},
    {"cache.redis_url", ValueKind::text, set_redis_url, "REDIS_URL"},
    {"cache.command_timeout", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.cache.command_timeout, t, 5ms, 10s); }},
    {"cache.retry_interval", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.cache.retry_interval, t, 50ms, 1min); }},
    {"cache.memory_entries", ValueKind::integer,
     [](Config& c, std::string_view t) { return set_count(c.cache.fallback.entries, t, 1, 10'000'000); }},
    {"cache.memory_bytes", ValueKind::text,
     [](Config& c, std::string_view t) { return set_size(c.cache.fallback.bytes, t, 1 << 20, 64 * a_gibibyte); }},
    {"push.socket", ValueKind::text, set_push_socket, "MIDST_PUSH_SOCKET"},
    {"push.interval", ValueKind::text,
     [](Config& c, std::string_view t) { return set_duration(c.push_interval, t, 100ms, 10s); }},
    {"auth.jwt_secret", ValueKind::text, set_jwt_secret, "JWT_SECRET"},
    {"log.level", ValueKind::text, set_log_level, "LOG_LEVEL"},
    {"log.format", ValueKind::text, set_log_format},
};

std::string_view word_of(ValueKind kind) noexcept {
  switch (kind) {
    case ValueKind::text:
      return "a string";
    case ValueKind::integer:
      return "an integer";
    case ValueKind::flag:
      return "true or false";
  }
  return {};
}

std::string place(std::string_view file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}: error: ", file, source.begin.line, source.begin.column);
}

/// Reads a document of tables with keys, one level deep.
class Reader {
 public:
  Reader(LoadedConfig& loaded, std::string_view file) : loaded_(loaded), file_(file) {}

  void read(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const auto* table = node.as_table();
      if (table == nullptr) {
        read_value(std::string(name.str()), name, node);
        continue;
      }
      for (const auto& [key, value] : *table) read_value(fmt::format("{}.{}", name.str(), key.str()), key, value);
    }
  }

 private:
  void read_value(const std::string& path, const toml::key& key, const toml::node& node) {
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [&](const Setting& row) { return row.key == path; });
    if (setting == settings.end()) return report_unknown(path, key);
    const auto value = text_of(node, setting->kind);
    const auto wrong = value ? setting->set(loaded_.config, *value) : fmt::format("must be {}", word_of(setting->kind));
    if (wrong) report(node.source(), fmt::format("{}: {}", path, *wrong));
  }

  static std::optional<std::string> text_of(const toml::node& node, ValueKind kind) {
    if (kind == ValueKind::text && node.is_string()) return node.as_string()->get();
    if (kind == ValueKind::integer && node.is_integer()) return std::to_string(node.as_integer()->get());
    if (kind == ValueKind::flag && node.is_boolean()) return node.as_boolean()->get() ? "true" : "false";
    return std::nullopt;
  }

  void report_unknown(const std::string& path, const toml::key& key) {
    std::vector<std::string_view> known;
    for (const auto& row : settings) known.push_back(row.key);
    const auto nearest = text::closest(path, known);
    report(key.source(), nearest.empty() ? fmt::format("unknown key {}", path)
                                         : fmt::format("unknown key {}; did you mean {}?", path, nearest));
  }

  void report(const toml::source_region& source, std::string_view message) {
    loaded_.errors.push_back(place(file_, source).append(message));
  }

  LoadedConfig& loaded_;
  std::string_view file_;
};

/// Variables that are set but empty count as unset: compose files pass them so.
void read_environment(LoadedConfig& loaded, const Environment& environment) {
  for (const auto& row : settings) {
    if (row.variable == nullptr) continue;
    const auto value = environment(row.variable);
    if (!value || value->empty()) continue;
    if (const auto wrong = row.set(loaded.config, *value))
      loaded.errors.push_back(fmt::format("{}: error: {}", row.variable, *wrong));
  }
}

void check_whole(LoadedConfig& loaded) {
  if (loaded.config.environment == "production" && loaded.config.jwt_secret.empty() && loaded.errors.empty())
    loaded.errors.emplace_back(
        "JWT_SECRET: error: production needs a secret of at least 32 bytes; set JWT_SECRET or "
        "auth.jwt_secret");
}

}  // namespace

LoadedConfig parse_config(std::string_view text, std::string_view file, const Environment& environment) {
  LoadedConfig loaded;
  try {
    const auto document = toml::parse(text, file);
    Reader(loaded, file).read(document);
  } catch (const toml::parse_error& error) {
    loaded.errors.push_back(place(file, error.source()).append(error.description()));
  }
  read_environment(loaded, environment);
  check_whole(loaded);
  return loaded;
}

LoadedConfig default_config(const Environment& environment) {
  LoadedConfig loaded;
  read_environment(loaded, environment);
  check_whole(loaded);
  return loaded;
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  for (const auto& row : settings) keys.emplace_back(row.key);
  return keys;
}

}  // namespace midst::api
