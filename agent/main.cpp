// midst-agent: from argv to a subcommand.
#include "agent/app/catalogue_command.hpp"
#include "agent/app/commands.hpp"
#include "agent/app/push_commands.hpp"
#include "lib/base/version.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>

namespace {

using namespace midst::app;

struct Arguments {
  std::optional<std::string> config_path;
  bool connects = false, as_json = false;
  CollectOptions collect;
  std::chrono::seconds interval{2};
  unsigned rounds = 0;
  std::string catalogue_format = "md";
};

void add_config_option(CLI::App& command, Arguments& arguments) {
  command.add_option("-c,--config", arguments.config_path, "Configuration file")
      ->type_name("FILE")
      ->default_str("/etc/midst-agent/midst-agent.toml");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App program("One sidecar for Redis, Postgres, PgBouncer and pushed metrics.", "midst-agent");
  program.set_version_flag("--version", "midst-agent " + std::string(midst::version()));
  program.require_subcommand(0, 1);
  add_config_option(program, arguments);

  auto* run_command = program.add_subcommand("run", "Serve until SIGTERM (what happens without a command too)");
  add_config_option(*run_command, arguments);

  auto* check_command = program.add_subcommand("check", "Report every problem of the configuration");
  add_config_option(*check_command, arguments);
  check_command->add_flag("--connect", arguments.connects, "Also try every target");
  check_command->add_flag("--json", arguments.as_json, "Report as JSON");

  auto* collect_command = program.add_subcommand("collect", "Collect once and print, without a daemon");
  add_config_option(*collect_command, arguments);
  collect_command->add_option("target", arguments.collect.targets, "Names of targets; all when none");
  collect_command->add_option("--format", arguments.collect.format, "text, openmetrics or json")
      ->check(CLI::IsMember({"text", "openmetrics", "json"}));
  collect_command->add_flag("--explain", arguments.collect.explains,
                            "Print the SQL that Postgres targets are asked, how often, and why not");
  collect_command->add_flag("--timing", arguments.collect.shows_timing, "Print how long each target took");

  auto* metrics_command =
      program.add_subcommand("metrics", "Print every metric there is: type, unit, labels, source, help");
  metrics_command->add_option("--format", arguments.catalogue_format, "md or json")
      ->check(CLI::IsMember({"md", "json"}));

  auto* push_command = program.add_subcommand("push", "What the running daemon has been pushed");
  push_command->require_subcommand(1);
  auto* clients_command = push_command->add_subcommand("clients", "List the clients");
  clients_command->add_flag("--json", arguments.as_json, "Print as JSON");
  auto* dump_command = push_command->add_subcommand("dump", "Print every pushed series");
  auto* top_command = push_command->add_subcommand("top", "Show the series that grow fastest");
  top_command->add_option("--interval", arguments.interval, "Seconds from one table to the next")
      ->check(CLI::Range(1, 3600));
  top_command->add_option("--rounds", arguments.rounds, "Tables to print; 0: until interrupted");
  for (auto* command : {clients_command, dump_command, top_command}) add_config_option(*command, arguments);

  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = program.exit(error);
    return code == 0 ? exit_ok : exit_usage;
  }
  if (check_command->parsed()) return check(arguments.config_path, arguments.connects, arguments.as_json);
  if (collect_command->parsed()) return collect(arguments.config_path, arguments.collect);
  if (metrics_command->parsed()) return print_metrics(arguments.catalogue_format);
  if (clients_command->parsed()) return push_clients(arguments.config_path, arguments.as_json);
  if (dump_command->parsed()) return push_dump(arguments.config_path);
  if (top_command->parsed()) return push_top(arguments.config_path, arguments.interval, arguments.rounds);
  return run(arguments.config_path);
}
