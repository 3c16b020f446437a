#include "agent/app/push_commands.hpp"

#include "agent/app/commands.hpp"
#include "agent/app/config.hpp"
#include "agent/app/control.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <map>
#include <thread>
#include <vector>

namespace midst::app {
namespace {

using nlohmann::json;

constexpr std::size_t top_rows = 20;

Result<std::string> ask(const std::optional<std::string>& config_path, std::string_view target) {
  return ask_daemon_of(config_path, "GET", target);
}

/// What can be counted of a text page: counters, and of histograms the counts.
std::map<std::string, double> growing(std::string_view page) {
  std::map<std::string, double> found;
  for (const auto line : text::split(page, '\n')) {
    const auto space = line.rfind(' ');
    if (line.empty() || line.front() == '#' || space == std::string_view::npos) continue;
    const auto series = line.substr(0, space);
    const auto name = series.substr(0, series.find('{'));
    if (!name.ends_with("_total") && !name.ends_with("_count")) continue;
    if (const auto value = text::parse_number(line.substr(space + 1))) found.emplace(series, *value);
  }
  return found;
}

void print_top(const std::map<std::string, double>& before, const std::map<std::string, double>& now, double seconds) {
  std::vector<std::pair<double, std::string_view>> rates;
  for (const auto& [series, value] : now) {
    const auto found = before.find(series);
    const auto rate = (value - (found == before.end() ? 0 : found->second)) / seconds;
    if (rate > 0) rates.emplace_back(rate, series);
  }
  std::sort(rates.rbegin(), rates.rend());
  rates.resize(std::min(rates.size(), top_rows));
  fmt::print("{:>14}  SERIES\n", "PER SECOND");
  for (const auto& [rate, series] : rates) fmt::print("{:>14.1f}  {}\n", rate, series);
  std::fflush(stdout);
}

}  // namespace

int push_clients(const std::optional<std::string>& config_path, bool as_json) {
  const auto answer = ask(config_path, "/push/clients");
  if (!answer) return report_failure(answer.error());
  if (as_json) {
    std::cout << *answer;
    return exit_ok;
  }
  const auto clients = json::parse(*answer, nullptr, false);
  if (!clients.is_array()) return exit_failed;
  fmt::print("{:<9}  {:>8}  {:>6}  {:>8}  {:>9}  {:<6}  {:<16}  RESOURCE\n", "STATE", "PID", "UID", "SERIES",
             "SNAPSHOT", "SHARED", "LIBRARY");
  for (const auto& client : clients)
    fmt::print("{:<9}  {:>8}  {:>6}  {:>8}  {:>9}  {:<6}  {:<16}  {}\n",
               client.value("connected", false) ? "connected" : "lost",
               client.at("pid").is_null() ? "-" : client.at("pid").dump(), client.value("uid", 0U),
               client.value("series", 0U), client.value("last_seq", 0U),
               client.value("shared_memory", false) ? "yes" : "no", client.value("library", ""),
               client.value("resource", ""));
  return exit_ok;
}

int push_dump(const std::optional<std::string>& config_path) {
  const auto answer = ask(config_path, "/metrics/api");
  if (!answer) return report_failure(answer.error());
  std::cout << *answer;
  return exit_ok;
}

int push_top(const std::optional<std::string>& config_path, std::chrono::milliseconds interval, unsigned rounds) {
  auto before = ask(config_path, "/metrics/api");
  for (unsigned round = 0; before && (rounds == 0 || round < rounds); ++round) {
    std::this_thread::sleep_for(interval);
    auto now = ask(config_path, "/metrics/api");
    if (now) print_top(growing(*before), growing(*now), std::chrono::duration<double>(interval).count());
    before = std::move(now);
  }
  return before ? exit_ok : report_failure(before.error());
}

}  // namespace midst::app
