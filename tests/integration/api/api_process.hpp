// The real midst-api as a child process on a free port, with its settings, its log and a client.
#pragma once

#include "tests/support/http_client.hpp"
#include "tests/support/servers.hpp"

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace midst::test {

/// Asks again every few milliseconds until it is true, for at most `limit`. @return whether it became true.
template <class Predicate>
bool eventually(Predicate is_true, std::chrono::milliseconds limit = std::chrono::milliseconds(20'000)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  return true;
}

class ApiProcess {
 public:
  using Variables = std::map<std::string, std::string>;

  /// Starts it with these variables only and this file. Waits until it listens unless it ends before that.
  explicit ApiProcess(Variables variables, const std::string& config = {}) {
    variables.try_emplace("API_LISTEN", "127.0.0.1:0");
    variables.try_emplace("MIDST_PUSH_SOCKET", (directory_.path() / "nobody.sock").string());
    const auto file = directory_.path() / "api.toml";
    std::ofstream(file) << config;
    std::vector<std::string> command{"env", "-i"};
    for (const auto& [name, value] : variables) command.push_back(name + "=" + value);
    command.insert(command.end(), {MIDST_API_BINARY, "--config", file.string()});
    process_.emplace(std::move(command), log_path(), false);
    eventually([this] { return !address().empty() || !process_->is_running(); });
  }

  /// @return where it listens; empty before it does.
  [[nodiscard]] std::string address() const {
    const auto text = log();
    const auto line = text.find("msg=listening addr=");
    if (line == std::string::npos) return {};
    const auto begin = text.find("addr=", line) + 5;
    const auto end = text.find('\n', begin);
    return end == std::string::npos ? std::string() : text.substr(begin, end - begin);
  }
  [[nodiscard]] std::string log() const { return read_file(log_path()); }

  HttpAnswer get(std::string_view target) const { return HttpClient(address()).get(target); }
  HttpAnswer post(std::string_view target, std::string_view body) const {
    return HttpClient(address()).request("POST", target, "Content-Type: application/json\r\n", body);
  }
  bool wait_until_ready() const {
    return eventually([this] { return get("/ready").status == 200; });
  }

  void signal(int number) const { process_->signal(number); }
  /// @return its exit code, or 128 and the signal.
  int wait_for_exit() {
    eventually([this] { return !process_->is_running(); });
    const int status = process_->stop(SIGKILL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  bool is_running() { return process_->is_running(); }

 private:
  [[nodiscard]] std::filesystem::path log_path() const { return directory_.path() / "api.log"; }

  TempDir directory_;
  std::optional<Process> process_;
};

/// @return a profile's JSON that is valid.
inline std::string profile_json(const std::string& slug, const std::string& id = {}) {
  return R"({"slug":")" + slug + R"(","displayName":"Name of )" + slug + '"' +
         (id.empty() ? "" : R"(,"id":")" + id + '"') + "}";
}

}  // namespace midst::test
