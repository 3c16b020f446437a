#include "agent/app/self_metrics.hpp"

#include "lib/base/text.hpp"
#include "lib/base/version.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace midst::app {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

constexpr MetricSpec build_info{"midst_agent_build_info", MetricType::gauge, "",
                                "Always 1; the labels tell version and compiler of the agent."};
constexpr MetricSpec reload_successful{"midst_agent_config_last_reload_successful", MetricType::gauge, "",
                                       "1 if the configuration in force is the one that was loaded last."};
constexpr MetricSpec reload_timestamp{"midst_agent_config_last_reload_success_timestamp_seconds", MetricType::gauge,
                                      "seconds", "Unix time at which the configuration in force was loaded."};
constexpr MetricSpec http_requests{"midst_agent_http_requests_total", MetricType::counter, "",
                                   "HTTP requests the agent has answered."};
constexpr MetricSpec http_refused{"midst_agent_http_refused_connections_total", MetricType::counter, "",
                                  "HTTP connections refused because the limit of open ones was reached."};
constexpr MetricSpec http_bad{"midst_agent_http_bad_requests_total", MetricType::counter, "",
                              "HTTP requests refused as malformed, too large or too slow."};
constexpr MetricSpec http_open{"midst_agent_http_open_connections", MetricType::gauge, "", "HTTP connections open now."};
constexpr MetricSpec cpu{"process_cpu_seconds_total", MetricType::counter, "",
                         "CPU time of the agent, user and system, in seconds."};
constexpr MetricSpec resident{"process_resident_memory_bytes", MetricType::gauge, "bytes", "Resident memory of the agent."};
constexpr MetricSpec virtual_memory{"process_virtual_memory_bytes", MetricType::gauge, "bytes",
                                    "Virtual memory of the agent."};
constexpr MetricSpec start_time{"process_start_time_seconds", MetricType::gauge, "seconds",
                                "Unix time at which the agent was started."};
constexpr MetricSpec open_fds{"process_open_fds", MetricType::gauge, "", "File descriptors the agent has open."};
constexpr MetricSpec max_fds{"process_max_fds", MetricType::gauge, "", "File descriptors the agent may open."};
constexpr MetricSpec threads{"process_threads", MetricType::gauge, "", "Threads of the agent."};
constexpr MetricSpec all_specs[] = {build_info, reload_successful, reload_timestamp, http_requests, http_refused,
                                    http_bad,   http_open,         cpu,              resident,      virtual_memory,
                                    start_time, open_fds,          max_fds,          threads};

/// The numbers of /proc/self/stat that are exported; proc(5), fields 14, 15, 20, 22, 23 and 24.
struct ProcessStat {
  double cpu_seconds, threads, start_ticks, virtual_bytes, resident_bytes;
};

std::optional<std::string> read_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<ProcessStat> read_process_stat() {
  const auto line = read_line("/proc/self/stat");
  if (!line) return std::nullopt;
  // The second field is the program's name in parentheses and may hold spaces; numbers start after the last ')'.
  const auto name_end = line->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields = text::split(std::string_view(*line).substr(name_end + 2), ' ');
  constexpr std::size_t first_field = 3;
  const auto number = [&](std::size_t field) {
    const auto index = field - first_field;
    return index < fields.size() ? text::parse_number(fields[index]) : Error{Errc::protocol, "short"};
  };
  const auto user = number(14), system = number(15), thread_count = number(20), start = number(22), size = number(23),
             pages = number(24);
  if (!user || !system || !thread_count || !start || !size || !pages) return std::nullopt;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return ProcessStat{(*user + *system) / ticks, *thread_count, *start / ticks, *size,
                     *pages * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("btime ")) continue;
    const auto seconds = text::parse_number(std::string_view(line).substr(6));
    return seconds ? std::optional<double>(*seconds) : std::nullopt;
  }
  return std::nullopt;
}

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void add_process(metrics::SnapshotBuilder& builder) {
  if (const auto stat = read_process_stat()) {
    builder.add(cpu, stat->cpu_seconds);
    builder.add(resident, stat->resident_bytes);
    builder.add(virtual_memory, stat->virtual_bytes);
    builder.add(threads, stat->threads);
    if (const auto boot = boot_time()) builder.add(start_time, *boot + stat->start_ticks);
  }
  std::error_code ignored;
  const std::filesystem::directory_iterator descriptors("/proc/self/fd", ignored);
  if (!ignored) builder.add(open_fds, static_cast<double>(std::distance(begin(descriptors), end(descriptors))));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) builder.add(max_fds, static_cast<double>(limit.rlim_cur));
}

}  // namespace

SelfMetrics::SelfMetrics(std::function<WebCounters()> web) : web_(std::move(web)), config_loaded_at_(unix_now()) {}

std::vector<MetricSpec> SelfMetrics::specs() const { return {std::begin(all_specs), std::end(all_specs)}; }

asio::awaitable<Result<metrics::Snapshot>> SelfMetrics::collect(Deadline) {
  metrics::SnapshotBuilder builder;
  builder.add(build_info, {{"version", version()}, {"compiler", "g++ " __VERSION__}}, 1);
  builder.add(reload_successful, 1);
  builder.add(reload_timestamp, config_loaded_at_);
  const auto web = web_();
  builder.add(http_requests, static_cast<double>(web.requests));
  builder.add(http_refused, static_cast<double>(web.refused_connections));
  builder.add(http_bad, static_cast<double>(web.bad_requests));
  builder.add(http_open, static_cast<double>(web.open_connections));
  add_process(builder);
  co_return builder.freeze();
}

metrics::Snapshot SelfMetrics::down(const Error&) const { return metrics::SnapshotBuilder().freeze(); }

}  // namespace midst::app
