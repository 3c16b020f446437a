#include "lib/base/process_usage.hpp"

#include "lib/base/text.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace midst {
namespace {

std::string read_all(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

double number_at(const std::vector<std::string_view>& fields, std::size_t index) {
  if (index >= fields.size()) return 0;
  const auto value = text::parse_number(fields[index]);
  return value ? *value : 0;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// @return when the machine booted, Unix seconds; read once, so that it does not waver. /proc/stat has it too, but a
/// service with ProcSubset=pid does not see that file.
double boot_time_seconds() {
  static const double seconds = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME);
  return seconds;
}

std::uint64_t count_descriptors() {
  std::error_code ignored;
  const std::filesystem::directory_iterator entries("/proc/self/fd", ignored);
  // One of them is the directory being read.
  const auto count = static_cast<std::uint64_t>(std::distance(begin(entries), end(entries)));
  return count > 0 ? count - 1 : 0;
}

}  // namespace

Result<ProcessUsage> read_process_usage() {
  const auto stat = read_all("/proc/self/stat");
  // The command name may hold spaces and brackets; the fields after it do not (proc(5)).
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return Error{Errc::internal, "/proc/self/stat cannot be read"};
  const auto fields = text::split(std::string_view(stat).substr(name_end + 2), ' ');
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessUsage usage;
  usage.cpu_user_seconds = number_at(fields, 11) / ticks;
  usage.cpu_system_seconds = number_at(fields, 12) / ticks;
  usage.threads = static_cast<std::uint64_t>(number_at(fields, 17));
  usage.start_time_seconds = boot_time_seconds() + number_at(fields, 19) / ticks;
  usage.virtual_bytes = static_cast<std::uint64_t>(number_at(fields, 20));
  usage.resident_bytes =
      static_cast<std::uint64_t>(number_at(fields, 21)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  usage.open_descriptors = count_descriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_descriptors = limit.rlim_cur;
  return usage;
}

}  // namespace midst
