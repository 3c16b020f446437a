#include "agent/app/manual.hpp"

#include "agent/app/commands.hpp"
#include "lib/base/text.hpp"
#include "lib/base/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <iostream>

namespace midst::app {
namespace {

/// A command with the words that lead to it: "push clients".
struct Command {
  std::string words;
  const CLI::App* app = nullptr;
};

bool is_hidden(const CLI::App& app) {
  return app.get_group().empty();
}

void collect_commands(const CLI::App& parent, const std::string& before, std::vector<Command>& all) {
  for (const auto* app : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (is_hidden(*app)) continue;
    const auto words = before.empty() ? app->get_name() : before + ' ' + app->get_name();
    all.push_back({words, app});
    collect_commands(*app, words, all);
  }
}

std::vector<Command> commands_of(const CLI::App& program) {
  std::vector<Command> all;
  collect_commands(program, "", all);
  return all;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return option->nonpositional(); });
}

/// "--config", and "-c" before it where there is one.
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_snames()) names.push_back('-' + name);
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

/// "FILE", without what its checks add.
std::string type_of(const CLI::Option& option) {
  const auto type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

std::vector<std::string> option_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* option : options_of(app))
    for (auto& name : names_of(*option)) words.push_back(std::move(name));
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

/// Text as groff takes it: nothing of it is a request, a quote or a hyphen that may be broken at.
std::string groff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out.append("\\&").push_back(c);
    else
      out += c;
  }
  return out;
}

/// The last words of the manual's title line are the page's date and version; a date would make builds differ.
std::string title(std::string_view name, int section, std::string_view what) {
  return fmt::format(".TH {} {} \"\" \"midst\\-agent {}\" \"{}\"\n", name, section, version(), what);
}

std::string option_entry(const CLI::Option& option) {
  std::string names;
  for (const auto& name : names_of(option))
    names.append(names.empty() ? "" : ", ").append("\\fB" + groff(name) + "\\fR");
  if (takes_value(option)) names += " \\fI" + groff(type_of(option)) + "\\fR";
  return fmt::format(".TP\n{}\n{}\n", names, groff(option.get_description()));
}

std::string synopsis(const Command& command) {
  std::string line = ".B midst\\-agent " + groff(command.words) + '\n';
  for (const auto* option : command.app->get_options()) {
    const auto value = takes_value(*option) ? " \\fI" + groff(type_of(*option)) + "\\fR" : std::string();
    if (!option->nonpositional())
      line += "[\\fI" + groff(type_of(*option)) + "\\fR...]\n";
    else if (option->get_name() != "--help" && option->get_lnames().front() != "help")
      line += (option->get_required() ? "" : "[") + ("\\fB" + groff(names_of(*option).back()) + "\\fR" + value) +
              (option->get_required() ? "\n" : "]\n");
  }
  return line + ".br\n";
}

constexpr std::string_view command_epilogue = R"(.SH SIGNALS
.TP
.B SIGHUP
Read the configuration anew. If there is a mistake in it, the old one stays in force, and the log, the status and the
metric midst_agent_config_last_reload_successful say so.
.TP
.B SIGTERM, SIGINT
Answer what is under way, take what clients have sent, and end. A second one ends at once.
.SH EXIT STATUS
.TP
.B 0
Success; of \fBrun\fR, ended by a signal.
.TP
.B 1
A target cannot be collected, the daemon is not healthy, or a listener cannot be opened.
.TP
.B 64
The arguments are not understood.
.TP
.B 69
No daemon answers at the control socket.
.TP
.B 78
The configuration has errors; they are told as file:line:col.
.SH ENVIRONMENT
.TP
.B MIDST_AGENT_CONFIG
The configuration file when \-\-config is not given.
.TP
.BI MIDST_AGENT_ TABLE _ KEY
Overrides a setting: MIDST_AGENT_WEB_LISTEN sets listen of [web]. Lists have commas between.
.TP
.B REDIS_ADDR, DATA_SOURCE_NAME, DATA_SOURCE_URI, PGBOUNCER_EXPORTER_CONNECTION_STRING
As in the exporters, with their companions, when the configuration names no such target.
.SH FILES
.TP
.I /etc/midst\-agent/midst\-agent.toml, /etc/midst\-agent/conf.d/*.toml
The configuration, see midst\-agent.toml(5). Without any file the defaults hold.
.TP
.I /run/midst\-agent/
Sockets for pushed metrics, the control socket, and what keeps pushed totals over a restart.
.SH SEE ALSO
.BR midst\-agent.toml (5),
.BR prometheus (1)
)";

/// A word in single quotes of a shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? "'\\''" : std::string(1, c));
  return out + '\'';
}

}  // namespace

std::string command_page(const CLI::App& program) {
  const auto commands = commands_of(program);
  auto page = title("MIDST\\-AGENT", 1, "User Commands");
  page += ".SH NAME\nmidst\\-agent \\- " + groff("one sidecar for Redis, Postgres, PgBouncer and pushed metrics") +
          "\n.SH SYNOPSIS\n";
  for (const auto& command : commands)
    if (command.app->get_subcommands([](const CLI::App*) { return true; }).empty()) page += synopsis(command);
  page += ".SH DESCRIPTION\n" +
          groff(
              "Scrapes Redis, Postgres and PgBouncer, takes the metrics that programs push over Unix sockets, and "
              "serves all of it on one page for Prometheus, by default at http://127.0.0.1:9464/metrics.") +
          "\n.SH COMMANDS\n";
  for (const auto& command : commands) {
    page += fmt::format(".SS {}\n{}.\n", groff(command.words), groff(command.app->get_description()));
    for (const auto* option : options_of(*command.app)) page += option_entry(*option);
  }
  return page + std::string(command_epilogue);
}

std::string settings_page(const std::vector<ReferenceTable>& tables) {
  auto page = title("MIDST\\-AGENT.TOML", 5, "File Formats");
  page += ".SH NAME\nmidst\\-agent.toml \\- configuration of midst\\-agent\n.SH DESCRIPTION\n" +
          groff(
              "A TOML file, followed by the files of conf.d beside it in the order of their names. Durations are "
              "\"250ms\", \"9s\", \"1m30s\"; sizes are \"64KiB\" or a number of bytes. A changed file is checked with "
              "midst-agent check and taken over with midst-agent reload.") +
          "\n";
  for (const auto& table : tables) {
    page += fmt::format(".SH {}\n", groff(table.is_list ? "[[" + table.name + "]]" : "[" + table.name + "]"));
    if (!table.meaning.empty()) page += groff(table.meaning) + '\n';
    for (const auto& key : table.keys)
      page += fmt::format(".TP\n\\fB{}\\fR = {}\n{}\n", groff(key.key), groff(key.value),
                          key.meaning.empty() ? "\\&" : groff(key.meaning));
  }
  return page + ".SH SEE ALSO\n.BR midst\\-agent (1)\n";
}

std::string bash_completion(const CLI::App& program) {
  std::string out =
      "# bash completion of midst-agent\n_midst_agent() {\n  local words='' word command=''\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in -*) ;; *) "
      "command=\"${command:+$command }$word\" ;; esac\n  done\n"
      "  case ${COMP_WORDS[COMP_CWORD-1]} in -c|--config|-o|--output) COMPREPLY=(); return ;; esac\n"
      "  case $command in\n";
  const auto words_of = [](const CLI::App& app) {
    std::vector<std::string> words;
    for (const auto* each : app.get_subcommands([](const CLI::App*) { return true; }))
      if (!is_hidden(*each)) words.push_back(each->get_name());
    for (auto& word : option_words(app)) words.push_back(std::move(word));
    return joined(words);
  };
  auto commands = commands_of(program);
  for (auto command = commands.rbegin(); command != commands.rend(); ++command)  // the longest first
    out += fmt::format("    {}*) words={} ;;\n", shell_quoted(command->words), shell_quoted(words_of(*command->app)));
  out += fmt::format("    *) words={} ;;\n  esac\n", shell_quoted(words_of(program)));
  return out +
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n}\n"
         "complete -o default -F _midst_agent midst-agent\n";
}

std::string zsh_completion(const CLI::App& program) {
  std::string out =
      "#compdef midst-agent\nlocal command=\"${(j: :)${(@)words[2,CURRENT-1]:#-*}}\"\n"
      "case ${words[CURRENT-1]} in -c|--config|-o|--output) _files; return ;; esac\n"
      "local -a choices\ncase $command in\n";
  const auto choices_of = [](const CLI::App& app) {
    std::string choices;
    const auto add = [&](std::string_view word, const std::string& help) {
      choices.append(choices.empty() ? "" : " ").append(shell_quoted(std::string(word) + ':' + help));
    };
    for (const auto* each : app.get_subcommands([](const CLI::App*) { return true; }))
      if (!is_hidden(*each)) add(each->get_name(), each->get_description());
    for (const auto* option : options_of(app))
      for (const auto& name : names_of(*option)) add(name, option->get_description());
    return choices;
  };
  auto commands = commands_of(program);
  for (auto command = commands.rbegin(); command != commands.rend(); ++command)
    out += fmt::format("  {}*) choices=({}) ;;\n", shell_quoted(command->words), choices_of(*command->app));
  return out + fmt::format("  *) choices=({}) ;;\nesac\n_describe midst-agent choices\n", choices_of(program));
}

std::string fish_completion(const CLI::App& program) {
  std::string out = "# fish completion of midst-agent\ncomplete -c midst-agent -f\n";
  std::vector<std::string> top;
  for (const auto* each : program.get_subcommands([](const CLI::App*) { return true; }))
    if (!is_hidden(*each)) top.push_back(each->get_name());
  const auto add_options = [&](const CLI::App& app, const std::string& condition) {
    for (const auto* option : options_of(app)) {
      out += "complete -c midst-agent -n " + shell_quoted(condition);
      for (const auto& name : option->get_snames()) out += " -s " + name;
      for (const auto& name : option->get_lnames()) out += " -l " + name;
      if (takes_value(*option)) out += type_of(*option).starts_with("FILE") ? " -r -F" : " -x";
      out += " -d " + shell_quoted(option->get_description()) + '\n';
    }
  };
  const auto none = "not __fish_seen_subcommand_from " + joined(top);
  add_options(program, none);
  for (const auto& command : commands_of(program)) {
    const auto space = command.words.find(' ');
    const auto parent = command.words.substr(0, space);
    const auto condition = space == std::string::npos ? none : "__fish_seen_subcommand_from " + parent;
    out += fmt::format("complete -c midst-agent -n {} -a {} -d {}\n", shell_quoted(condition), command.app->get_name(),
                       shell_quoted(command.app->get_description()));
    add_options(*command.app, "__fish_seen_subcommand_from " + command.app->get_name());
  }
  return out;
}

int print_manual(const CLI::App& program, const std::string& page) {
  if (page == "man1") std::cout << command_page(program);
  if (page == "man5") std::cout << settings_page(reference());
  if (page == "bash") std::cout << bash_completion(program);
  if (page == "zsh") std::cout << zsh_completion(program);
  if (page == "fish") std::cout << fish_completion(program);
  return exit_ok;
}

}  // namespace midst::app
