#include "agent/app/daemon_commands.hpp"

#include "agent/app/commands.hpp"
#include "agent/app/control.hpp"
#include "lib/base/text.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <thread>

namespace midst::app {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds poll_interval{250};
constexpr std::chrono::seconds patience{10};

bool is_healthy(const json& document) {
  const auto& targets = document.at("targets");
  return document.value("ready", false) && document.at("configuration").value("successful", false) &&
         std::none_of(targets.begin(), targets.end(),
                      [](const json& target) { return target.value("state", "") == "down"; });
}

/// "32s", "5m 12s", "3h 4m", "12d 3h"; of nothing "-".
std::string duration_text(const json& value) {
  if (!value.is_number()) return "-";
  const auto seconds = static_cast<std::int64_t>(value.get<double>());
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d {}h", seconds / 86'400, seconds / 3600 % 24);
}

std::string trouble_of(const json& target) {
  const auto& error = target.at("last_error");
  if (target.value("state", "") != "down" || !error.is_object()) return {};
  auto text = fmt::format("{}: {}", error.value("reason", ""), error.value("message", ""));
  const auto retry = target.value("retry_in_seconds", 0.0);
  if (retry > 0) text += fmt::format(" (next try in {:.0f} s)", std::ceil(retry));
  return text;
}

std::string target_line(const json& target) {
  const auto& took = target.at("duration_seconds");
  return fmt::format("{:<24} {:<8} {:>9} {:>9} {:>10} {:>8}  {}\n",
                     fmt::format("{}.{}", target.value("kind", ""), target.value("target", "")),
                     target.value("state", ""), duration_text(target.at("state_age_seconds")),
                     duration_text(target.at("success_age_seconds")),
                     took.is_number() ? fmt::format("{:.1f} ms", took.get<double>() * 1000) : "-",
                     target.value("samples", 0U), target.value("address", ""));
}

std::string configuration_line(const json& configuration) {
  const auto loaded = static_cast<std::time_t>(configuration.value("loaded_at", 0.0));
  auto line = fmt::format("configuration of {:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(loaded));
  if (!configuration.value("successful", false))
    line += fmt::format("; the last reload failed:\n{}", configuration.value("error", ""));
  else if (configuration.value("waits_for_restart", false))
    line += "; some of it waits for a restart";
  return line + '\n';
}

}  // namespace

std::string status_text(std::string_view text) {
  const auto document = json::parse(text, nullptr, false);
  if (!document.is_object()) return "the daemon's answer is not to be understood\n";
  auto out =
      fmt::format("midst-agent {}, up {}, {}\n", document.value("version", ""),
                  duration_text(document.at("uptime_seconds")), document.value("ready", false) ? "ready" : "not ready");
  out += configuration_line(document.at("configuration"));
  const auto& push = document.at("push");
  out += fmt::format("{} series on the page; {} push clients with {} series\n\n", document.value("samples", 0U),
                     push.value("clients", 0U), push.value("series", 0U));
  out += fmt::format("{:<24} {:<8} {:>9} {:>9} {:>10} {:>8}  {}\n", "TARGET", "STATE", "SINCE", "LAST OK", "TOOK",
                     "SAMPLES", "ADDRESS");
  for (const auto& target : document.at("targets")) {
    if (target.value("target", "").empty()) continue;
    out += target_line(target);
    if (const auto trouble = trouble_of(target); !trouble.empty()) out += fmt::format("  {}\n", trouble);
  }
  return out;
}

int status(const std::optional<std::string>& config_path, bool as_json, std::chrono::seconds wait) {
  const auto socket = control_socket_of(config_path);
  if (!socket) return report_failure(socket.error());
  const auto end = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto answer = ask_daemon(*socket, "GET", "/api/v1/status", patience);
    const auto document = answer ? json::parse(*answer, nullptr, false) : json();
    const bool is_good = document.is_object() && is_healthy(document);
    if (is_good || std::chrono::steady_clock::now() >= end) {
      if (!answer) return report_failure(answer.error());
      std::cout << (as_json ? *answer + '\n' : status_text(*answer));
      return is_good ? exit_ok : exit_failed;
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

int health(const std::optional<std::string>& config_path) {
  const auto answer = ask_daemon_of(config_path, "GET", "/-/ready");
  if (!answer) return report_failure(answer.error());
  std::cout << *answer;
  return exit_ok;
}

int reload(const std::optional<std::string>& config_path) {
  const auto answer = ask_daemon_of(config_path, "POST", "/reload");
  if (!answer) return report_failure(answer.error());
  std::cout << *answer;
  return exit_ok;
}

}  // namespace midst::app
