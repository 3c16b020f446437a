// Settings of midst-api: built-in defaults, then the file, then the environment. toml++ stays in the .cpp.
#pragma once

#include "api/cache/redis_cache.hpp"
#include "api/http/middleware.hpp"
#include "api/repositories/database.hpp"
#include "lib/base/error.hpp"
#include "lib/base/log.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// Everything that can be set. configs/midst-api.toml lists the keys; docs and tests check it against all_keys().
struct Config {
  std::string environment = "development";  ///< "development", "test", "staging" or "production".

  std::string listen = "127.0.0.1:3001";            ///< As net::HttpServer::listen() takes it.
  std::size_t max_connections = 1024;               ///< Open at once.
  std::chrono::milliseconds drain_timeout{10'000};  ///< For answers under way at SIGTERM.
  MiddlewareLimits requests;

  std::string database_url;  ///< Empty: profiles live in memory.
  DatabaseOptions database;
  std::chrono::milliseconds migrate_timeout{60'000};  ///< Of one attempt, the wait for other instances included.
  std::size_t memory_profiles = 10'000;               ///< Of the in-memory store.

  std::string redis_url;  ///< Empty: the cache is in memory.
  RedisCacheOptions cache;

  std::string push_socket = "/run/midst-agent/push.sock";
  std::chrono::milliseconds push_interval{1000};

  std::string jwt_secret;  ///< Never logged.

  log::Level log_level = log::Level::info;
  std::optional<log::Format> log_format;  ///< Nothing: journald under systemd, else logfmt.
};

/// @return the value of an environment variable, or nothing. Tests give their own.
using Environment = std::function<std::optional<std::string>(const char*)>;

/// Settings, or every reason why not, each "FILE:LINE:COL: …" or "NAME: …" with the setting to change.
struct LoadedConfig {
  Config config;
  std::vector<std::string> errors;
};

/// @param text  of the file. @param file  its name, for messages.
[[nodiscard]] LoadedConfig parse_config(std::string_view text, std::string_view file, const Environment& environment);

/// The same without a file.
[[nodiscard]] LoadedConfig default_config(const Environment& environment);

/// @return every "table.key" of the file, in its order.
[[nodiscard]] std::vector<std::string> all_keys();

}  // namespace midst::api
