#include "agent/app/command_line.hpp"

#include "agent/app/bundle.hpp"
#include "agent/app/commands.hpp"
#include "agent/app/config_commands.hpp"
#include "agent/app/daemon_commands.hpp"
#include "agent/app/manual.hpp"
#include "agent/app/push_commands.hpp"
#include "lib/base/text.hpp"
#include "lib/base/version.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

namespace midst::app {
namespace {

struct Arguments {
  std::optional<std::string> config_path;
  bool connects = false, as_json = false;
  CollectOptions collect;
  std::chrono::seconds interval{2}, wait{0};
  unsigned rounds = 0;
  std::string output, manual;
  int exit_code = exit_ok;
};

/// Adds commands to a program, or to a command that has some of its own.
class Commands {
 public:
  Commands(CLI::App& parent, Arguments& arguments) : parent_(parent), arguments_(arguments) {}

  CLI::App& add(const std::string& name, const std::string& help, std::function<int()> run) {
    auto& command = add_group(name, help);
    command.callback([&to = arguments_, action = std::move(run)] { to.exit_code = action(); });
    add_config_option(command);
    return command;
  }

  /// One that has subcommands.
  CLI::App& add_group(const std::string& name, const std::string& help) { return *parent_.add_subcommand(name, help); }

  void add_config_option(CLI::App& command) {
    command.add_option("-c,--config", arguments_.config_path, "Configuration file")
        ->type_name("FILE")
        ->default_str("/etc/midst-agent/midst-agent.toml");
  }

 private:
  CLI::App& parent_;
  Arguments& arguments_;
};

void add_json_flag(CLI::App& command, Arguments& to) {
  command.add_flag("--json", to.as_json, "Print as JSON");
}

void add_looking_at_targets(Commands& commands, Arguments& to) {
  auto& checking = commands.add("check", "Report every problem of the configuration",
                                [&] { return check(to.config_path, to.connects, to.as_json); });
  checking.add_flag("--connect", to.connects, "Also try every target");
  add_json_flag(checking, to);

  auto& collecting = commands.add("collect", "Collect once and print, without a daemon",
                                  [&] { return collect(to.config_path, to.collect); });
  collecting.add_option("target", to.collect.targets, "Names of targets; all when none")->type_name("TARGET");
  collecting.add_option("--format", to.collect.format, "text, openmetrics or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "openmetrics", "json"}));
  collecting.add_flag("--explain", to.collect.explains,
                      "Print the SQL that Postgres targets are asked, how often, and why not");
  collecting.add_flag("--timing", to.collect.shows_timing, "Print how long each target took");
}

void add_looking_after_the_daemon(Commands& commands, Arguments& to) {
  auto& asking = commands.add("status", "Tell how the running daemon and its targets do",
                              [&] { return status(to.config_path, to.as_json, to.wait); });
  add_json_flag(asking, to);
  asking
      .add_option_function<std::string>(
          "--wait",
          [&to](const std::string& text) {
            const auto duration = text::parse_duration(text);
            if (!duration) throw CLI::ValidationError("--wait", duration.error().message);
            to.wait = std::chrono::duration_cast<std::chrono::seconds>(*duration);
          },
          "Ask again until all is well, for this long at most: \"30s\"")
      ->type_name("DURATION");
  commands.add("health", "Tell whether the daemon is ready, for HEALTHCHECK", [&] { return health(to.config_path); });
  commands.add("reload", "Have the daemon read its configuration anew", [&] { return reload(to.config_path); });
  auto& bundling = commands.add("bundle", "Gather what helps somebody who helps, without secrets",
                                [&] { return bundle(to.config_path, to.output); });
  bundling.add_option("-o,--output", to.output, "The archive to write")->type_name("FILE.tgz")->required();
}

void add_config_commands(Commands& commands, Arguments& to) {
  auto& config = commands.add_group("config", "Show a configuration");
  config.require_subcommand(1);
  Commands below(config, to);
  below.add("example", "Every setting with its default and meaning", [] { return config_example(); });
  below.add("effective", "What is in force, secrets left out", [&] { return config_effective(to.config_path); });
}

void add_push_commands(Commands& commands, Arguments& to) {
  auto& push = commands.add_group("push", "Show what the running daemon has been pushed");
  push.require_subcommand(1);
  Commands below(push, to);
  add_json_flag(below.add("clients", "List the clients", [&] { return push_clients(to.config_path, to.as_json); }), to);
  below.add("dump", "Print every pushed series", [&] { return push_dump(to.config_path); });
  auto& top = below.add("top", "Show the series that grow fastest",
                        [&] { return push_top(to.config_path, to.interval, to.rounds); });
  top.add_option("--interval", to.interval, "Seconds from one table to the next")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600));
  top.add_option("--rounds", to.rounds, "Tables to print; 0: until interrupted")->type_name("NUMBER");
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Arguments arguments;
  arguments.config_path = process_environment()("MIDST_AGENT_CONFIG");
  CLI::App program("One sidecar for Redis, Postgres, PgBouncer and pushed metrics.", "midst-agent");
  program.set_version_flag("--version", "midst-agent " + std::string(version()));
  program.require_subcommand(0, 1);
  Commands commands(program, arguments);
  commands.add_config_option(program);
  commands.add("run", "Serve until SIGTERM (what happens without a command too)",
               [&] { return run(arguments.config_path); });
  add_looking_at_targets(commands, arguments);
  add_looking_after_the_daemon(commands, arguments);
  add_config_commands(commands, arguments);
  add_push_commands(commands, arguments);
  auto& manual = *program.add_subcommand("manual", "Print the manual or a shell's completions");
  manual.group("")
      ->callback([&] { arguments.exit_code = print_manual(program, arguments.manual); })
      ->add_option("page", arguments.manual)
      ->required()
      ->check(CLI::IsMember({"man1", "man5", "bash", "zsh", "fish"}));
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? exit_ok : exit_usage;
  }
  return program.get_subcommands().empty() ? run(arguments.config_path) : arguments.exit_code;
}

}  // namespace midst::app
