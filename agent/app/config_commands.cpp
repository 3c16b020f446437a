#include "agent/app/config_commands.hpp"

#include "agent/app/commands.hpp"
#include "agent/app/reference.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iostream>

namespace midst::app {
namespace {

void append_table(std::string& out, const ReferenceTable& table, const GivenTable* given) {
  out += fmt::format("[{}]\n", table.name);
  const auto value_of = [&](const std::string& key) -> const std::string* {
    if (given == nullptr) return nullptr;
    for (const auto& [name, value] : given->values)
      if (name == key) return &value;
    return nullptr;
  };
  for (const auto& key : table.keys)
    if (const auto* value = value_of(key.key))
      out += fmt::format("{} = {}\n", key.key, *value);
    else if (!table.is_example)
      out += fmt::format("{} = {}  # default\n", key.key, key.value);
  out += '\n';
}

/// A target that the exporters' variables made.
void append_made(std::string& out, std::string_view kind, std::string_view name, std::string_view key,
                 const std::string& address) {
  out += fmt::format("[[{}]]  # of a variable\nname = \"{}\"\n{} = \"{}\"\n\n", kind, name, key, address);
}

bool has_table(const Config& config, std::string_view name) {
  return std::any_of(config.given.begin(), config.given.end(), [&](const auto& given) { return given.name == name; });
}

}  // namespace

std::string effective_text(const Config& config) {
  std::string out =
      "# What is in force. Of targets, what is not listed has its default: see midst-agent config example.\n\n";
  for (const auto& table : reference()) {
    const auto given = std::find_if(config.given.begin(), config.given.end(), [&](const GivenTable& each) {
      return each.name == table.name && !each.is_of_list;
    });
    const bool is_given = given != config.given.end();
    if (!table.is_list && (is_given || !table.is_example)) append_table(out, table, is_given ? &*given : nullptr);
  }
  for (const auto& table : config.given) {
    if (!table.is_of_list) continue;
    out += table.is_item ? "[[" + table.name + "]]\n" : "[" + table.name + "]\n";
    for (const auto& [key, value] : table.values) out += fmt::format("{} = {}\n", key, value);
    out += '\n';
  }
  if (!has_table(config, "redis"))
    for (const auto& target : config.redis) append_made(out, "redis", target.name, "url", target.uri.redacted());
  if (!has_table(config, "postgres"))
    for (const auto& target : config.postgres)
      append_made(out, "postgres", target.name, "dsn", target.conninfo.redacted());
  if (!has_table(config, "pgbouncer"))
    for (const auto& target : config.pgbouncer)
      append_made(out, "pgbouncer", target.name, "dsn", target.conninfo.redacted());
  return out;
}

int config_example() {
  std::cout << example_config();
  return exit_ok;
}

int config_effective(const std::optional<std::string>& config_path) {
  const auto config = usable_config(config_path);
  if (!config) return exit_config;
  std::cout << effective_text(*config);
  return exit_ok;
}

}  // namespace midst::app
