// The configuration: one struct of every part's options, made from TOML files and the environment, or all the problems
// in them with their places. toml++ stays in config.cpp.
#pragma once

#include "agent/app/statsd_config.hpp"
#include "agent/ingest/listener.hpp"
#include "agent/ingest/store.hpp"
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "agent/sources/postgres/postgres_source.hpp"
#include "agent/sources/redis/redis_source.hpp"
#include "lib/base/error.hpp"
#include "lib/base/log.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::app {

/// One more HTTP listener that serves a single view on /metrics, for drop-in use behind an exporter's port.
struct ViewListener {
  std::string address;
  std::string view;  ///< "redis", "postgres", "pgbouncer" or "api"; empty: everything.
};

struct WebConfig {
  std::vector<std::string> listen{"127.0.0.1:9464"};
  std::vector<ViewListener> listeners;  ///< [[web.listener]]
  bool lifecycle = false;
  bool probe = false;
  bool discovery = false;
  bool queries = false;
};

struct LogConfig {
  log::Level level = log::Level::info;
  std::optional<log::Format> format;  ///< Nothing: auto (journald under systemd, logfmt otherwise).
};

struct ScrapeConfig {
  std::chrono::milliseconds timeout{9000};
  std::chrono::milliseconds min_interval{1000};
};

struct IngestConfig {
  std::string socket = "/run/midst-agent/push.sock";
  std::string state_file = "/run/midst-agent/push.state";  ///< Empty: none.
  bool is_state_file_explicit = false;                     ///< As below.
  std::vector<std::string> allow_users, allow_groups;      ///< Both empty: whoever the socket's mode lets in.
  bool is_socket_explicit = false;  ///< The file names it: failing to bind it then ends the start.
  ingest::StoreLimits limits;
  StatsdConfig statsd;
};

/// A table as it was given, for `config effective`.
struct GivenTable {
  std::string name;                                         ///< "redis.tls"
  bool is_of_list = false;                                  ///< It is one of several, or stands below one that is; …
  bool is_item = false;                                     ///< … it is the one that is written [[NAME]].
  std::vector<std::pair<std::string, std::string>> values;  ///< Keys and values as TOML has them; secrets are left out.
};

struct Config {
  WebConfig web;
  LogConfig log;
  ScrapeConfig scrape;
  std::vector<sources::RedisOptions> redis;
  std::vector<sources::PostgresOptions> postgres;
  std::vector<sources::PgbouncerOptions> pgbouncer;
  IngestConfig ingest;
  std::string control_socket = "/run/midst-agent/control.sock";  ///< Empty: none.
  bool is_control_explicit = false;
  /// Of each target ("redis.main"): what differs when anything of it does, so that a reload leaves the others alone.
  std::map<std::string, std::size_t> fingerprints;
  std::vector<GivenTable> given;
};

/// Something wrong, or merely useless, in a configuration file or variable.
struct Problem {
  std::string place;     ///< "file:line:col", or "environment" for a variable.
  std::string message;   ///< Names the setting and what it takes; never a secret.
  bool is_error = true;  ///< False: a warning, the configuration works without it.
};

/// @return "place: error: message", as `midst-agent check` prints it.
[[nodiscard]] std::string describe(const Problem& problem);

struct ParsedConfig {
  Config config;                  ///< Only to be used when there is no error among the problems.
  std::vector<Problem> problems;  ///< All of them, in file order.
  /// Every key that the tables of the files may have ("redis.tls.ca_file"), used or not; for the test of the documents.
  std::set<std::string> known_keys;

  [[nodiscard]] bool has_errors() const noexcept;
};

/// Variables by name; a test has its own.
class Environment {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;
  Environment(Variables variables) : variables_(std::move(variables)) {}  // NOLINT: a map of variables is one

  /// @return the value, or nothing when the variable is not set.
  [[nodiscard]] std::optional<std::string> operator()(std::string_view name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] const Variables& all() const noexcept { return variables_; }

 private:
  Variables variables_;
};

/// @return the process's own environment.
[[nodiscard]] Environment process_environment();

inline constexpr std::string_view default_config_path = "/etc/midst-agent/midst-agent.toml";

/// Loads `path`, the *.toml files of conf.d beside it in name order, then the environment: MIDST_AGENT_<TABLE>_<KEY>
/// over every table that there is one of, and the exporters' variables for kinds of targets that no file names.
/// @param path  nothing: the default path, which may be absent; then the built-in defaults hold.
[[nodiscard]] ParsedConfig load_config(const std::optional<std::string>& path, const Environment& environment);

/// The same for one text; pure but for secrets, which are read when a connection is made.
/// @param file_name  what places are called.
[[nodiscard]] ParsedConfig parse_config(std::string_view toml, std::string_view file_name,
                                        const Environment& environment);

}  // namespace midst::app
