#include "agent/app/config.hpp"

#include "agent/app/draft.hpp"
#include "agent/app/secret.hpp"
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

using Strings = std::vector<std::string>;

/// Where a node stands, in the form of the compilers.
std::string place_of(std::string_view file, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", file, source.begin.line, source.begin.column);
}

/// A table being read: hands out typed values, remembers which keys are known, reports everything else.
class Section {
 public:
  Section(const toml::table& table, std::string path, std::string_view file, std::vector<Problem>& problems)
      : table_(&table), path_(std::move(path)), file_(file), problems_(&problems) {}

  bool has(std::string_view key) {
    known_.insert(std::string(key));
    return table_->contains(key);
  }

  void read(std::string_view key, std::string& out) {
    if (const auto* node = find(key, "a string", toml::node_type::string)) out = node->as_string()->get();
  }

  void read(std::string_view key, bool& out) {
    if (const auto* node = find(key, "true or false", toml::node_type::boolean)) out = node->as_boolean()->get();
  }

  void read(std::string_view key, std::size_t& out, std::size_t least, std::size_t most) {
    const auto* node = find(key, "a whole number", toml::node_type::integer);
    if (node == nullptr) return;
    const auto value = node->as_integer()->get();
    if (value < 0 || static_cast<std::size_t>(value) < least || static_cast<std::size_t>(value) > most)
      return report(*node, fmt::format("{} = {} is out of range; it takes {} to {}", full(key), value, least, most));
    out = static_cast<std::size_t>(value);
  }

  void read(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds least,
            std::chrono::milliseconds most) {
    const auto* node = find(key, "a duration like \"9s\"", toml::node_type::string);
    if (node == nullptr) return;
    const auto value = text::parse_duration(node->as_string()->get());
    if (!value) return report(*node, full(key) + ": " + value.error().message);
    if (*value < least || *value > most)
      return report(*node,
                    fmt::format("{} = {} is out of range; it takes {} to {}", full(key), text::format_duration(*value),
                                text::format_duration(least), text::format_duration(most)));
    out = *value;
  }

  void read(std::string_view key, Strings& out) {
    const auto* node = find(key, "a list of strings", toml::node_type::array);
    if (node == nullptr) return;
    Strings values;
    for (const auto& item : *node->as_array()) {
      if (!item.is_string()) return report(item, full(key) + " takes a list of strings");
      values.push_back(item.as_string()->get());
    }
    out = std::move(values);
  }

  /// A string that `parse` turns into a value; its message is reported at the place of the string.
  template <class Parse>
  void parse(std::string_view key, Parse parse_text) {
    const auto* node = find(key, "a string", toml::node_type::string);
    if (node == nullptr) return;
    if (const auto done = parse_text(node->as_string()->get()); !done)
      report(*node, full(key) + ": " + done.error().message);
  }

  /// A key of the contract that this version does not act on yet: said, not ignored in silence.
  void not_yet(std::string_view key) {
    if (!has(key)) return;
    problems_->push_back({place(key), full(key) + " has no effect in this version", false});
  }

  template <class Read>
  void tables(std::string_view key, Read read_table) {
    const auto* node = find(key, fmt::format("one or more [[{}]] tables", full(key)), toml::node_type::array);
    if (node == nullptr) return;
    for (const auto& item : *node->as_array()) {
      if (!item.is_table()) return report(item, fmt::format("write it as [[{}]]", full(key)));
      Section section(*item.as_table(), full(key), file_, *problems_);
      read_table(section);
      section.finish();
    }
  }

  template <class Read>
  void table(std::string_view key, Read read_table) {
    const auto* node = find(key, fmt::format("a table [{}]", full(key)), toml::node_type::table);
    if (node == nullptr) return;
    Section section(*node->as_table(), full(key), file_, *problems_);
    read_table(section);
    section.finish();
  }

  /// Reports the keys nobody asked for.
  void finish() {
    std::vector<std::string_view> names(known_.begin(), known_.end());
    for (const auto& [key, node] : *table_) {
      if (known_.contains(std::string(key.str()))) continue;
      auto message = fmt::format("unknown key {}", full(key.str()));
      if (const auto near = text::closest(key.str(), names); !near.empty())
        message += fmt::format("; did you mean {}?", full(near));
      problems_->push_back({place_of(file_, key.source()), std::move(message), true});
    }
  }

  /// Reports at the value of a key, or at the table when the key is absent.
  void report_at(std::string_view key, std::string message) {
    problems_->push_back({place(key), std::move(message), true});
  }

  [[nodiscard]] std::string full(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }

  /// @return what the table itself is called.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  const toml::node* find(std::string_view key, std::string_view wanted, toml::node_type type) {
    known_.insert(std::string(key));
    const auto* node = table_->get(key);
    if (node == nullptr) return nullptr;
    if (node->type() == type) return node;
    report(*node, fmt::format("{} takes {}", full(key), wanted));
    return nullptr;
  }

  void report(const toml::node& node, std::string message) {
    problems_->push_back({place_of(file_, node.source()), std::move(message), true});
  }

  [[nodiscard]] std::string place(std::string_view key) const {
    const auto* node = table_->get(key);
    return place_of(file_, node != nullptr ? node->source() : table_->source());
  }

  const toml::table* table_;
  std::string path_;
  std::string_view file_;
  std::vector<Problem>* problems_;
  std::set<std::string, std::less<>> known_;
};

void read_label_mode(Section& section, LabelMode& mode) {
  section.parse("label", [&](const std::string& text) -> Result<Done> {
    if (text == "auto")
      mode = LabelMode::automatic;
    else if (text == "always")
      mode = LabelMode::always;
    else if (text == "never")
      mode = LabelMode::never;
    else
      return Error{Errc::config, fmt::format("unknown value \"{}\"; one of auto, always, never", text)};
    return Done{};
  });
}

void read_name(Section& section, std::string& name) {
  section.parse("name", [&](const std::string& text) -> Result<Done> {
    if (text.empty() || text.size() > 128) return Error{Errc::config, "a name has 1 to 128 characters"};
    name = text;
    return Done{};
  });
}

/// password | password_file | password_env | password_credential: at most one of them.
Secret read_secret(Section& section) {
  Secret secret;
  int given = 0;
  const auto read = [&](std::string_view key, Secret::Kind kind) {
    std::string value;
    if (!section.has(key)) return;
    section.read(key, value);
    if (++given > 1)
      return section.report_at(key, fmt::format("{} is one too many; give only one of password, password_file, "
                                                "password_env, password_credential",
                                                section.full(key)));
    secret = Secret(kind, std::move(value));
  };
  read("password", Secret::Kind::text);
  read("password_file", Secret::Kind::file);
  read("password_env", Secret::Kind::variable);
  read("password_credential", Secret::Kind::credential);
  return secret;
}

void read_redis(Section& section, Draft& draft) {
  sources::RedisOptions options;
  LabelMode label = LabelMode::automatic;
  read_name(section, options.name);
  read_label_mode(section, label);
  section.parse("url", [&](const std::string& text) -> Result<Done> {
    const auto uri = redis::parse_uri(text);
    if (!uri) return uri.error();
    options.uri = *uri;
    return Done{};
  });
  std::string username = options.uri.username;
  section.read("username", username);
  const auto secret = read_secret(section);
  if (secret.is_empty() && username != options.uri.username)
    options.login = login_with(username, Secret(Secret::Kind::text, options.uri.password));
  else if (!secret.is_empty())
    options.login = login_with(username, secret);
  draft.config.redis.push_back(std::move(options));
  draft.redis_labels.push_back(label);
}

/// What [[postgres]] and [[pgbouncer]] have in common.
template <class Options>
void read_database_target(Section& section, Options& options, LabelMode& label) {
  read_name(section, options.name);
  read_label_mode(section, label);
  bool has_dsn = false;
  section.parse("dsn", [&](const std::string& text) -> Result<Done> {
    has_dsn = true;
    const auto parsed = pq::parse_conninfo(text);
    if (!parsed) return parsed.error();
    options.conninfo = *parsed;
    return Done{};
  });
  if (!has_dsn && !section.has("dsn"))
    section.report_at("dsn",
                      section.full("dsn") + " is missing; write it like \"host=/run/postgresql dbname=postgres\"");
  std::string username;
  section.read("username", username);
  if (!username.empty()) options.conninfo.set("user", username);
  if (const auto secret = read_secret(section); !secret.is_empty())
    options.password = [secret] { return secret.read(); };
}

void read_postgres(Section& section, Draft& draft) {
  sources::PostgresOptions options;
  LabelMode label = LabelMode::automatic;
  read_database_target(section, options, label);
  section.read("statement_timeout", options.statement_timeout, std::chrono::milliseconds(1), std::chrono::minutes(10));
  section.read("lock_timeout", options.lock_timeout, std::chrono::milliseconds(1), std::chrono::minutes(10));
  section.parse("compat", [&](const std::string& text) -> Result<Done> {
    if (text == "")
      options.compat = sources::Compat::none;
    else if (text == "0.11")
      options.compat = sources::Compat::v0_11;
    else
      return Error{Errc::config, fmt::format("unknown value \"{}\"; \"\" or \"0.11\"", text)};
    return Done{};
  });
  section.table("collectors", [&](Section& collectors) {
    for (const auto name : sources::postgres_collectors()) {
      if (!collectors.has(name)) continue;
      bool is_on = true;
      collectors.read(name, is_on);
      options.collectors[std::string(name)] = is_on;
    }
  });
  draft.config.postgres.push_back(std::move(options));
  draft.postgres_labels.push_back(label);
}

void read_pgbouncer(Section& section, Draft& draft) {
  sources::PgbouncerOptions options;
  LabelMode label = LabelMode::automatic;
  read_database_target(section, options, label);
  draft.config.pgbouncer.push_back(std::move(options));
  draft.pgbouncer_labels.push_back(label);
}

void read_web(Section& section, WebConfig& web) {
  section.read("listen", web.listen);
  section.read("lifecycle", web.lifecycle);
  section.read("probe", web.probe);
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
  if (web.lifecycle) section.not_yet("lifecycle");
  section.not_yet("tls");
  section.not_yet("basic_auth_users");
}

void read_ingest(Section& section, IngestConfig& ingest) {
  ingest.is_socket_explicit = section.has("socket") || ingest.is_socket_explicit;
  section.read("socket", ingest.socket);
  constexpr std::size_t most = 100'000'000;
  section.read("max_series", ingest.limits.max_series, 1, most);
  section.read("max_series_per_client", ingest.limits.max_series_per_client, 1, most);
  for (const auto* key : {"dogstatsd_socket", "dogstatsd_stream_socket", "allow_users", "allow_groups", "state_file"})
    section.not_yet(key);
}

void read_root(const toml::table& table, std::string_view file, Draft& draft) {
  auto& config = draft.config;
  Section root(table, "", file, draft.problems);
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
  root.table("control", [](Section& section) { section.not_yet("socket"); });
  root.finish();
}

void read_text(std::string_view toml_text, std::string_view file, Draft& draft) {
  try {
    read_root(toml::parse(toml_text, file), file, draft);
  } catch (const toml::parse_error& error) {
    draft.problems.push_back({place_of(file, error.source()), std::string(error.description()), true});
  }
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
void settle_labels(std::vector<Options>& targets, const std::vector<LabelMode>& modes, std::string_view kind,
                   std::vector<Problem>& problems) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!names.insert(targets[i].name).second)
      problems.push_back(
          {"configuration",
           fmt::format("two [[{}]] targets are called \"{}\"; give each its own name", kind, targets[i].name), true});
    const bool labelled = modes[i] == LabelMode::always || (modes[i] == LabelMode::automatic && targets.size() > 1);
    if (labelled) targets[i].constant_labels.emplace_back("target", targets[i].name);
  }
}

ParsedConfig finish(Draft draft, const Environment& environment) {
  apply_environment(environment, draft);
  auto& config = draft.config;
  settle_labels(config.redis, draft.redis_labels, "redis", draft.problems);
  settle_labels(config.postgres, draft.postgres_labels, "postgres", draft.problems);
  settle_labels(config.pgbouncer, draft.pgbouncer_labels, "pgbouncer", draft.problems);
  return {std::move(draft.config), std::move(draft.problems)};
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
