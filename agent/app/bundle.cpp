#include "agent/app/bundle.hpp"

#include "agent/app/commands.hpp"
#include "agent/app/config_commands.hpp"
#include "agent/app/control.hpp"
#include "lib/base/text.hpp"
#include "lib/base/version.hpp"
#include "lib/net/gzip.hpp"

#include <fmt/core.h>

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>
#include <memory>
#include <thread>

namespace midst::app {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t block_bytes = 512;
constexpr std::chrono::seconds between_pages{2};
constexpr std::chrono::seconds patience{10};
constexpr std::size_t most_output_bytes = 4 * 1024 * 1024;

std::string ustar_header(const std::string& name, std::size_t size, std::int64_t unix_time) {
  std::string header(block_bytes, '\0');
  const auto put = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, fmt::format("{:011o}", unix_time));
  put(148, "        ");  // the sum is taken with blanks in its own place
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const unsigned char byte : header) sum += byte;
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

/// What a program of the system says; the command is fixed text.
std::string output_of(const char* command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command, "re"), ::pclose);
  if (!pipe) return fmt::format("{}: {}\n", command, std::strerror(errno));
  std::string output;
  std::array<char, 4096> chunk{};
  while (output.size() < most_output_bytes) {
    const auto size = std::fread(chunk.data(), 1, chunk.size(), pipe.get());
    if (size == 0) break;
    output.append(chunk.data(), size);
  }
  return output;
}

/// Without the variables of the unit, which may hold passwords.
std::string without_environment(const std::string& properties) {
  std::string kept;
  for (const auto line : text::split(properties, '\n'))
    if (!line.starts_with("Environment") && !line.starts_with("SetCredential")) kept.append(line).append("\n");
  return kept;
}

std::string host_text() {
  utsname host{};
  ::uname(&host);
  return fmt::format("midst-agent {}\n{} {} {} {}\n", version(), host.sysname, host.release, host.version,
                     host.machine);
}

void add_answers(const std::string& socket, Files& files) {
  const auto add = [&](const char* name, std::string_view path) {
    const auto answer = ask_daemon(socket, "GET", path, patience);
    files.emplace_back(name, answer ? *answer : answer.error().message + '\n');
  };
  add("status.json", "/api/v1/status");
  add("push_clients.json", "/push/clients");
  add("metrics_1.txt", "/metrics");
  std::this_thread::sleep_for(between_pages);
  add("metrics_2.txt", "/metrics");
}

Files gather(const std::optional<std::string>& config_path) {
  Files files{{"version.txt", host_text()}};
  const auto parsed = load_config(config_path, process_environment());
  std::string problems;
  for (const auto& problem : parsed.problems) problems += describe(problem) + '\n';
  files.emplace_back("problems.txt", problems.empty() ? "none\n" : problems);
  files.emplace_back("config.toml", effective_text(parsed.config));
  if (!parsed.config.control_socket.empty()) add_answers(parsed.config.control_socket, files);
  files.emplace_back("log.txt", output_of("journalctl --no-pager -n 2000 -u midst-agent 2>&1"));
  files.emplace_back("unit.txt", without_environment(output_of("systemctl show --no-pager midst-agent 2>&1")));
  for (auto& [name, content] : files) name.insert(0, "midst-agent-bundle/");
  return files;
}

bool write_file(const std::string& path, const std::string& bytes) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return false;
  const auto written = ::write(descriptor, bytes.data(), bytes.size());
  return ::close(descriptor) == 0 && written == static_cast<ssize_t>(bytes.size());
}

}  // namespace

std::string tar(const Files& files, std::int64_t unix_time) {
  std::string archive;
  for (const auto& [name, content] : files) {
    archive += ustar_header(name, content.size(), unix_time) + content;
    archive.resize((archive.size() + block_bytes - 1) / block_bytes * block_bytes, '\0');
  }
  archive.append(2 * block_bytes, '\0');
  return archive;
}

int bundle(const std::optional<std::string>& config_path, const std::string& file) {
  const auto files = gather(config_path);
  const auto packed = net::gzip(tar(files, std::time(nullptr)));
  if (!packed || !write_file(file, *packed)) {
    std::cerr << fmt::format("{}: {}\n", file, packed ? std::strerror(errno) : packed.error().message.c_str());
    return exit_failed;
  }
  for (const auto& [name, content] : files) fmt::print("{:>9} {}\n", content.size(), name);
  fmt::print("written: {} ({} bytes). Read it before you send it.\n", file, packed->size());
  return exit_ok;
}

}  // namespace midst::app
