#include "agent/sources/postgres/pgbouncer/process.hpp"

#include "lib/base/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec cpu{"pgbouncer_process_cpu_seconds_total", MetricType::counter, "seconds",
                         "Processor time that PgBouncer has used, user and system."};
constexpr MetricSpec open_fds{"pgbouncer_process_open_fds", MetricType::gauge, "",
                              "File descriptors that PgBouncer has open."};
constexpr MetricSpec max_fds{"pgbouncer_process_max_fds", MetricType::gauge, "",
                             "File descriptors that PgBouncer may have open."};
constexpr MetricSpec virtual_memory{"pgbouncer_process_virtual_memory_bytes", MetricType::gauge, "bytes",
                                    "Address space of PgBouncer."};
constexpr MetricSpec max_virtual_memory{"pgbouncer_process_virtual_memory_max_bytes", MetricType::gauge, "bytes",
                                        "Address space that PgBouncer may have."};
constexpr MetricSpec resident_memory{"pgbouncer_process_resident_memory_bytes", MetricType::gauge, "bytes",
                                     "Memory of PgBouncer that is in RAM."};
constexpr MetricSpec start_time{"pgbouncer_process_start_time_seconds", MetricType::gauge, "seconds",
                                "When PgBouncer started, Unix time."};
constexpr MetricSpec received{"pgbouncer_process_network_receive_bytes_total", MetricType::counter, "bytes",
                              "Bytes that PgBouncer's network namespace received over IP."};
constexpr MetricSpec sent{"pgbouncer_process_network_transmit_bytes_total", MetricType::counter, "bytes",
                          "Bytes that PgBouncer's network namespace sent over IP."};
constexpr MetricSpec specs[] = {cpu,        open_fds, max_fds, virtual_memory, max_virtual_memory, resident_memory,
                                start_time, received, sent};

/// A process that is older than the file by the clock of /proc, whose ticks are 10 ms, may seem younger.
constexpr double clock_slack_seconds = 1;

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::optional<double> number_in(const std::vector<std::string_view>& fields, std::size_t index) {
  if (index >= fields.size()) return std::nullopt;
  const auto value = text::parse_number(fields[index]);
  return value ? std::optional(*value) : std::nullopt;
}

/// The fields after the command's name, which may hold spaces and brackets: the first is field 3 of proc(5).
std::vector<std::string_view> stat_fields(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 > stat.size()) return {};
  return text::split(text::trim(stat.substr(name_end + 2)), ' ');
}

std::optional<double> boot_time(const std::filesystem::path& proc) {
  const auto stat = read_all(proc / "stat");
  std::string_view rest = stat;
  while (!rest.empty()) {
    const auto words = text::split(text::take_until(rest, '\n'), ' ');
    if (!words.empty() && words.front() == "btime") return number_in(words, 1);
  }
  return std::nullopt;
}

/// The soft limit of a line of /proc/PID/limits; "unlimited" is the largest number, as the exporter has it.
std::optional<double> soft_limit(std::string_view limits, std::string_view name) {
  while (!limits.empty()) {
    auto line = text::take_until(limits, '\n');
    if (!line.starts_with(name)) continue;
    line = text::trim(line.substr(name.size()));
    const auto value = text::take_until(line, ' ');
    if (value == "unlimited") return static_cast<double>(std::numeric_limits<std::uint64_t>::max());
    const auto number = text::parse_number(value);
    return number ? std::optional(*number) : std::nullopt;
  }
  return std::nullopt;
}

/// A value of a line pair "IpExt: names" and "IpExt: numbers".
std::optional<double> ip_counter(std::string_view netstat, std::string_view name) {
  while (!netstat.empty()) {
    const auto names = text::split(text::take_until(netstat, '\n'), ' ');
    const auto numbers = text::split(text::take_until(netstat, '\n'), ' ');
    if (names.empty() || names.front() != "IpExt:") continue;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == name) return number_in(numbers, i);
  }
  return std::nullopt;
}

std::optional<double> count_descriptors(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(folder, error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(entries), end(entries)));
}

std::optional<double> written_at(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return static_cast<double>(status.st_mtim.tv_sec) + static_cast<double>(status.st_mtim.tv_nsec) * 1e-9;
}

}  // namespace

std::span<const MetricSpec> process_specs() noexcept {
  return specs;
}

void add_process(const std::filesystem::path& pid_file, const std::filesystem::path& proc,
                 metrics::SnapshotBuilder& builder) {
  const auto written = written_at(pid_file);
  const auto pid = text::parse_integer(text::trim(read_all(pid_file)));
  if (!written || !pid || *pid <= 0) return;
  const auto folder = proc / std::to_string(*pid);
  const auto stat = read_all(folder / "stat");
  const auto fields = stat_fields(stat);
  const auto user = number_in(fields, 11), system = number_in(fields, 12), started = number_in(fields, 19),
             address_space = number_in(fields, 20), resident_pages = number_in(fields, 21), booted = boot_time(proc);
  if (!user || !system || !started || !booted) return;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto started_at = *booted + *started / ticks;
  if (started_at > *written + clock_slack_seconds) return;
  const auto add = [&](const MetricSpec& spec, std::optional<double> value) {
    if (value) builder.add(spec, *value);
  };
  const auto limits = read_all(folder / "limits"), netstat = read_all(folder / "net/netstat");
  add(cpu, (*user + *system) / ticks);
  add(open_fds, count_descriptors(folder / "fd"));
  add(max_fds, soft_limit(limits, "Max open files"));
  add(virtual_memory, address_space);
  add(max_virtual_memory, soft_limit(limits, "Max address space"));
  if (resident_pages) add(resident_memory, *resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  add(start_time, started_at);
  add(received, ip_counter(netstat, "InOctets"));
  add(sent, ip_counter(netstat, "OutOctets"));
}

}  // namespace midst::sources
