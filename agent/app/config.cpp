#include "agent/app/config.hpp"

#include "agent/app/draft.hpp"
#include "agent/app/secret.hpp"
#include "agent/app/section.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace midst::app {
namespace {

void read_web(Section& section, WebConfig& web) {
  section.read("listen", web.listen);
  section.read("lifecycle", web.lifecycle);
  section.read("probe", web.probe);
  section.read("discovery", web.discovery);
  section.read("queries", web.queries);
  section.tables("listener", [&](Section& listener) {
    auto& added = web.listeners.emplace_back();
    listener.read("listen", added.address);
    if (added.address.empty()) listener.report_at("listen", "web.listener.listen is missing");
    listener.parse("view", [&](const std::string& text) -> Result<Done> {
      constexpr std::string_view views[] = {"redis", "postgres", "pgbouncer", "api"};
      if (std::find(std::begin(views), std::end(views), text) == std::end(views))
        return Error{Errc::config, fmt::format("unknown view \"{}\"; one of redis, postgres, pgbouncer, api", text)};
      added.view = text;
      return Done{};
    });
  });
  section.not_yet("tls");
  section.not_yet("basic_auth_users");
}

void read_ingest(Section& section, IngestConfig& ingest) {
  ingest.is_socket_explicit = section.has("socket") || ingest.is_socket_explicit;
  section.read("socket", ingest.socket);
  constexpr std::size_t most = 100'000'000;
  section.read("max_series", ingest.limits.max_series, 1, most);
  section.read("max_series_per_client", ingest.limits.max_series_per_client, 1, most);
  ingest.is_state_file_explicit = section.has("state_file") || ingest.is_state_file_explicit;
  section.read("state_file", ingest.state_file);
  section.read("allow_users", ingest.allow_users);
  section.read("allow_groups", ingest.allow_groups);
  read_statsd(section, ingest.statsd);
}

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

void read_root(Section& root, Draft& draft) {
  auto& config = draft.config;
  root.table("web", [&](Section& section) { read_web(section, config.web); });
  root.table("log", [&](Section& section) {
    section.parse("level", [&](const std::string& text) { return set_level(config.log, text); });
    section.parse("format", [&](const std::string& text) { return set_format(config.log, text); });
  });
  root.table("scrape", [&](Section& section) {
    section.read("timeout", config.scrape.timeout, std::chrono::milliseconds(100), std::chrono::minutes(10));
    section.read("min_interval", config.scrape.min_interval, std::chrono::milliseconds(0), std::chrono::minutes(10));
  });
  root.tables("redis", [&](Section& section) { read_redis(section, draft); });
  root.tables("postgres", [&](Section& section) { read_postgres(section, draft); });
  root.tables("pgbouncer", [&](Section& section) { read_pgbouncer(section, draft); });
  root.table("ingest", [&](Section& section) { read_ingest(section, config.ingest); });
  root.table("control", [&](Section& section) {
    config.is_control_explicit = section.has("socket") || config.is_control_explicit;
    section.read("socket", config.control_socket);
  });
  root.finish();
}

/// @return line and column of "file:line:col".
std::pair<std::int64_t, std::int64_t> position_of(const Problem& problem) {
  const auto parts = text::split(problem.place, ':');
  if (parts.size() < 3) return {0, 0};
  const auto line = text::parse_integer(parts[parts.size() - 2]);
  const auto column = text::parse_integer(parts.back());
  return {line ? *line : 0, column ? *column : 0};
}

void read_text(std::string_view toml_text, std::string_view file, Draft& draft) {
  const auto before = static_cast<std::ptrdiff_t>(draft.problems.size());
  try {
    const auto table = toml::parse(toml_text, file);
    Section root(table, file, draft);
    read_root(root, draft);
  } catch (const toml::parse_error& error) {
    draft.problems.push_back({place_of(file, error.source()), std::string(error.description()), true});
  }
  // Keys are asked for in the order of the code; who mends the file goes through it from the top.
  std::stable_sort(draft.problems.begin() + before, draft.problems.end(),
                   [](const Problem& a, const Problem& b) { return position_of(a) < position_of(b); });
}

void read_file(const std::filesystem::path& path, Draft& draft) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    draft.problems.push_back({path.string() + ":1:1", "cannot be read; name another file with --config", true});
    return;
  }
  read_text(text.str(), path.string(), draft);
}

/// A second target of a kind gives every target of that kind its label; a single one stays as the exporters name it.
template <class Options>
void settle_targets(std::vector<Options>& targets, const std::vector<DraftTarget>& facts, std::string_view kind,
                    Draft& draft) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!names.insert(targets[i].name).second)
      draft.problems.push_back(
          {"configuration",
           fmt::format("two [[{}]] targets are called \"{}\"; give each its own name", kind, targets[i].name), true});
    const bool labelled =
        facts[i].label == LabelMode::always || (facts[i].label == LabelMode::automatic && targets.size() > 1);
    if (labelled) targets[i].constant_labels.emplace_back("target", targets[i].name);
    const auto fingerprint = mix(facts[i].fingerprint, labelled ? 1 : 0);
    draft.config.fingerprints.emplace(fmt::format("{}.{}", kind, targets[i].name), fingerprint);
  }
}

constexpr std::string_view own_prefix = "MIDST_AGENT_";
/// Variables of that prefix which are no settings: of the command line, and of the unit's environment file.
constexpr std::string_view no_settings[] = {"MIDST_AGENT_CONFIG", "MIDST_AGENT_OPTS"};

/// The last word over every table that there is one of.
void read_variables(const Environment& environment, Draft& draft) {
  toml::table found;
  Section root(found, environment, draft);
  read_root(root, draft);
  std::vector<std::string_view> names(draft.variables.begin(), draft.variables.end());
  for (const auto& [name, value] : environment.all()) {
    if (!name.starts_with(own_prefix) || draft.variables.contains(name)) continue;
    if (std::find(std::begin(no_settings), std::end(no_settings), name) != std::end(no_settings)) continue;
    auto message = std::string("sets nothing");
    if (const auto near = text::closest(name, names); !near.empty()) message += fmt::format("; did you mean {}?", near);
    draft.problems.push_back({name, std::move(message), false});
  }
}

ParsedConfig finish(Draft draft, const Environment& environment) {
  read_variables(environment, draft);
  add_targets_of_exporters(environment, draft);
  auto& config = draft.config;
  settle_targets(config.redis, draft.redis, "redis", draft);
  settle_targets(config.postgres, draft.postgres, "postgres", draft);
  settle_targets(config.pgbouncer, draft.pgbouncer, "pgbouncer", draft);
  settle_postgres_of_pgbouncer(draft);
  draft.given.erase(draft.given.begin());
  config.given = std::move(draft.given);
  return {std::move(draft.config), std::move(draft.problems), std::move(draft.known_keys)};
}

}  // namespace

redis::LoginProvider login_with(std::string username, Secret password) {
  return [username = std::move(username), password = std::move(password)]() -> Result<redis::Login> {
    auto text = password.read();
    if (!text) return text.error();
    return redis::Login{username, std::move(*text)};
  };
}

std::string describe(const Problem& problem) {
  return fmt::format("{}: {}: {}", problem.place, problem.is_error ? "error" : "warning", problem.message);
}

bool ParsedConfig::has_errors() const noexcept {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& problem) { return problem.is_error; });
}

ParsedConfig load_config(const std::optional<std::string>& path, const Environment& environment) {
  Draft draft;
  const std::filesystem::path file(path.value_or(std::string(default_config_path)));
  std::error_code ignored;
  if (path || std::filesystem::exists(file, ignored)) read_file(file, draft);
  std::vector<std::filesystem::path> fragments;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path() / "conf.d", ignored))
    if (entry.path().extension() == ".toml") fragments.push_back(entry.path());
  std::sort(fragments.begin(), fragments.end());
  for (const auto& fragment : fragments) read_file(fragment, draft);
  return finish(std::move(draft), environment);
}

ParsedConfig parse_config(std::string_view toml, std::string_view file_name, const Environment& environment) {
  Draft draft;
  read_text(toml, file_name, draft);
  return finish(std::move(draft), environment);
}

}  // namespace midst::app
