#include "agent/sources/host/proc_texts.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace midst::sources::host {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr auto counter = MetricType::counter;
constexpr auto gauge = MetricType::gauge;

constexpr std::size_t max_cpus = 4096;
constexpr std::size_t max_devices = 1000;  // of disks, interfaces, mounts: more are a fault of the machine
constexpr std::size_t max_memory_fields = 200;

// Names, types and labels are those of node_exporter 1.5, which dashboards use.
constexpr std::size_t first_of_disk = 11, first_of_network = 28, first_of_filesystem = 44;
constexpr MetricSpec all_specs[] = {
    {"node_cpu_seconds_total", counter, "seconds", "Time the CPUs spent in each mode.", "cpu,mode"},
    {"node_cpu_guest_seconds_total", counter, "seconds",
     "Time the CPUs spent in virtual machines, by mode; part of user and nice.", "cpu,mode"},
    {"node_intr_total", counter, "", "Interrupts serviced."},
    {"node_context_switches_total", counter, "", "Context switches."},
    {"node_boot_time_seconds", gauge, "seconds", "Unix time at which the machine was started."},
    {"node_forks_total", counter, "", "Processes and threads begun."},
    {"node_procs_running", gauge, "", "Threads that run or wait for a CPU."},
    {"node_procs_blocked", gauge, "", "Threads that wait for I/O."},
    {"node_load1", gauge, "", "Load over 1 minute."},
    {"node_load5", gauge, "", "Load over 5 minutes."},
    {"node_load15", gauge, "", "Load over 15 minutes."},
    // In the order of /proc/diskstats.
    {"node_disk_reads_completed_total", counter, "", "Reads completed.", "device"},
    {"node_disk_reads_merged_total", counter, "", "Reads merged with a neighbour before they were issued.", "device"},
    {"node_disk_read_bytes_total", counter, "bytes", "Bytes read.", "device"},
    {"node_disk_read_time_seconds_total", counter, "seconds", "Time spent by all reads.", "device"},
    {"node_disk_writes_completed_total", counter, "", "Writes completed.", "device"},
    {"node_disk_writes_merged_total", counter, "", "Writes merged with a neighbour before they were issued.", "device"},
    {"node_disk_written_bytes_total", counter, "bytes", "Bytes written.", "device"},
    {"node_disk_write_time_seconds_total", counter, "seconds", "Time spent by all writes.", "device"},
    {"node_disk_io_now", gauge, "", "Requests under way.", "device"},
    {"node_disk_io_time_seconds_total", counter, "seconds", "Time with a request under way.", "device"},
    {"node_disk_io_time_weighted_seconds_total", counter, "seconds",
     "Time with a request under way, times the requests.", "device"},
    {"node_disk_discards_completed_total", counter, "", "Discards completed.", "device"},
    {"node_disk_discards_merged_total", counter, "", "Discards merged.", "device"},
    {"node_disk_discarded_sectors_total", counter, "", "Sectors discarded.", "device"},
    {"node_disk_discard_time_seconds_total", counter, "seconds", "Time spent by all discards.", "device"},
    {"node_disk_flush_requests_total", counter, "", "Flushes completed.", "device"},
    {"node_disk_flush_requests_time_seconds_total", counter, "seconds", "Time spent by all flushes.", "device"},
    // In the order of /proc/net/dev.
    {"node_network_receive_bytes_total", counter, "bytes", "Bytes received.", "device"},
    {"node_network_receive_packets_total", counter, "", "Packets received.", "device"},
    {"node_network_receive_errs_total", counter, "", "Errors of receiving.", "device"},
    {"node_network_receive_drop_total", counter, "", "Packets that came and were dropped.", "device"},
    {"node_network_receive_fifo_total", counter, "", "Errors of the receiving queue.", "device"},
    {"node_network_receive_frame_total", counter, "", "Broken frames.", "device"},
    {"node_network_receive_compressed_total", counter, "", "Compressed packets received.", "device"},
    {"node_network_receive_multicast_total", counter, "", "Multicast packets received.", "device"},
    {"node_network_transmit_bytes_total", counter, "bytes", "Bytes sent.", "device"},
    {"node_network_transmit_packets_total", counter, "", "Packets sent.", "device"},
    {"node_network_transmit_errs_total", counter, "", "Errors of sending.", "device"},
    {"node_network_transmit_drop_total", counter, "", "Packets that were to be sent and were dropped.", "device"},
    {"node_network_transmit_fifo_total", counter, "", "Errors of the sending queue.", "device"},
    {"node_network_transmit_colls_total", counter, "", "Collisions.", "device"},
    {"node_network_transmit_carrier_total", counter, "", "Losses of the carrier.", "device"},
    {"node_network_transmit_compressed_total", counter, "", "Compressed packets sent.", "device"},
    // In the order of Usage.
    {"node_filesystem_size_bytes", gauge, "bytes", "Size of the file system.", "device,fstype,mountpoint"},
    {"node_filesystem_free_bytes", gauge, "bytes", "Free space.", "device,fstype,mountpoint"},
    {"node_filesystem_avail_bytes", gauge, "bytes", "Space that is free for others than root.",
     "device,fstype,mountpoint"},
    {"node_filesystem_files", gauge, "", "Inodes.", "device,fstype,mountpoint"},
    {"node_filesystem_files_free", gauge, "", "Free inodes.", "device,fstype,mountpoint"},
    {"node_filesystem_readonly", gauge, "", "1 while it is mounted read-only.", "device,fstype,mountpoint"},
    {"node_filesystem_device_error", gauge, "", "1 when its space could not be asked for.", "device,fstype,mountpoint"},
};
static_assert(all_specs[first_of_disk].name == "node_disk_reads_completed_total");
static_assert(all_specs[first_of_network].name == "node_network_receive_bytes_total");
static_assert(all_specs[first_of_filesystem].name == "node_filesystem_size_bytes");

/// Lines of /proc/stat with one number, and where their families stand.
constexpr std::pair<std::string_view, std::size_t> single_counts[] = {
    {"intr", 2}, {"ctxt", 3}, {"btime", 4}, {"processes", 5}, {"procs_running", 6}, {"procs_blocked", 7}};

/// The words of a line, whatever stands between them.
std::vector<std::string_view> words_of(std::string_view line, std::size_t most) {
  std::vector<std::string_view> words;
  while (words.size() < most) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const auto size = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, size));
    line.remove_prefix(size);
  }
  return words;
}

/// The files have whole numbers and, in loadavg, plain fractions: what is anything else is no number.
std::optional<double> number_in(std::string_view word) {
  const auto value = text::parse_number(word);
  if (!value || !std::isfinite(*value) || *value < 0) return std::nullopt;
  return *value;
}

bool is_ignored(const Globs& globs, std::string_view name) noexcept {
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) { return text::matches_glob(glob, name); });
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// @return `name` without the digits at its end, or nothing when it ends in none.
std::optional<std::string_view> without_number(std::string_view name) {
  const auto size = name.size();
  while (!name.empty() && is_digit(name.back())) name.remove_suffix(1);
  return name.size() < size ? std::optional(name) : std::nullopt;
}

/// sda1, vdb2, xvda1, nvme0n1p1: what node_exporter leaves out too.
bool is_partition(std::string_view name) {
  auto stem = without_number(name);
  if (!stem) return false;
  if (stem->starts_with("nvme")) return stem->ends_with('p') && without_number(stem->substr(0, stem->size() - 1));
  for (const std::string_view disk : {"hd", "sd", "vd", "xvd"})
    if (stem->size() == disk.size() + 1 && stem->starts_with(disk)) return true;
  return false;
}

Error unreadable(std::string_view file) {
  return {Errc::protocol, std::string(file) + " has no line that can be read"};
}

/// "Active(anon)" → "Active_anon", as node_exporter names it.
std::string memory_name(std::string_view field, bool is_size) {
  std::string name = "node_memory_";
  for (const char c : field)
    if (c != ')') name += c == '(' ? '_' : c;
  return is_size ? name + "_bytes" : name;
}

/// \040 and its like stand for what would split the line.
std::string unescaped(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) && octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty())
    if (text::take_until(options, ',') == wanted) return true;
  return false;
}

}  // namespace

std::span<const MetricSpec> specs() noexcept {
  return all_specs;
}

Result<Done> CpuTimes::add(std::string_view stat, SnapshotBuilder& builder) {
  bool has_cpu = false;
  while (!stat.empty()) {
    auto line = text::take_until(stat, '\n');
    const auto name = text::take_until(line, ' ');
    if (name.starts_with("cpu") && name.size() > 3) {
      const auto cpu = text::parse_integer(name.substr(3));
      if (!cpu || *cpu < 0 || static_cast<std::size_t>(*cpu) >= max_cpus) continue;
      add_cpu(static_cast<std::size_t>(*cpu), line, builder);
      has_cpu = true;
    }
    for (const auto& [field, row] : single_counts)
      if (name == field)
        if (const auto value = number_in(text::take_until(line, ' '))) builder.add(all_specs[row], *value);
  }
  return has_cpu ? Result<Done>(Done{}) : unreadable("/proc/stat");
}

void CpuTimes::add_cpu(std::size_t cpu, std::string_view fields, SnapshotBuilder& builder) {
  constexpr std::string_view modes[mode_count] = {"user", "nice",    "system", "idle", "iowait",
                                                  "irq",  "softirq", "steal",  "user", "nice"};
  constexpr std::size_t first_guest = 8;
  // A CPU that is switched off and on begins anew; less than this is the kernel's own imprecision.
  constexpr double restart_seconds = 3;
  const auto words = words_of(fields, mode_count);
  if (cpu >= last_.size()) last_.resize(cpu + 1, Times{});
  const auto number = std::to_string(cpu);
  for (std::size_t mode = 0; mode < words.size(); ++mode) {
    const auto ticks = number_in(words[mode]);
    if (!ticks) continue;
    const double seconds = *ticks / ticks_;
    auto& last = last_[cpu][mode];
    last = seconds < last && last - seconds < restart_seconds ? last : seconds;
    builder.add(all_specs[mode < first_guest ? 0 : 1], {{"cpu", number}, {"mode", modes[mode]}}, last);
  }
}

Result<Done> add_meminfo(std::string_view meminfo, SnapshotBuilder& builder) {
  std::size_t count = 0;
  while (!meminfo.empty() && count < max_memory_fields) {
    auto line = text::take_until(meminfo, '\n');
    const auto field = text::take_until(line, ':');
    const auto words = words_of(line, 2);
    const auto value = words.empty() ? std::nullopt : number_in(words.front());
    if (!value || field.empty()) continue;
    const bool is_size = words.size() == 2 && words.back() == "kB";
    const auto name = memory_name(field, is_size);
    builder.add({name, gauge, is_size ? "bytes" : "", "Field of /proc/meminfo."}, *value * (is_size ? 1024 : 1));
    ++count;
  }
  return count > 0 ? Result<Done>(Done{}) : unreadable("/proc/meminfo");
}

Result<Done> add_loadavg(std::string_view loadavg, SnapshotBuilder& builder) {
  constexpr std::size_t first_row = 8, averages = 3;
  const auto words = words_of(text::take_until(loadavg, '\n'), averages);
  for (std::size_t i = 0; i < averages; ++i) {
    const auto value = i < words.size() ? number_in(words[i]) : std::nullopt;
    if (!value) return unreadable("/proc/loadavg");
    builder.add(all_specs[first_row + i], *value);
  }
  return Done{};
}

Result<Done> add_diskstats(std::string_view diskstats, const Globs& ignored, SnapshotBuilder& builder) {
  // A sector has 512 bytes whatever the device's own have: Documentation/admin-guide/iostats.rst. Times are in ms.
  constexpr double sectors = 1.0 / 512, ms = 1000;
  constexpr double divisors[] = {1, 1, sectors, ms, 1, 1, sectors, ms, 1, ms, ms, 1, 1, 1, ms, 1, ms};
  constexpr std::size_t names = 3;  // major, minor, name
  std::size_t lines = 0, devices = 0;
  while (!diskstats.empty() && devices < max_devices) {
    const auto words = words_of(text::take_until(diskstats, '\n'), names + std::size(divisors));
    if (words.size() <= names || !number_in(words[0]) || !number_in(words[1])) continue;
    ++lines;
    if (is_partition(words[2]) || is_ignored(ignored, words[2])) continue;
    ++devices;
    for (std::size_t i = names; i < words.size(); ++i)
      if (const auto value = number_in(words[i]))
        builder.add(all_specs[first_of_disk + i - names], {{"device", words[2]}}, *value / divisors[i - names]);
  }
  return lines > 0 ? Result<Done>(Done{}) : unreadable("/proc/diskstats");
}

Result<Done> add_net_dev(std::string_view net_dev, const Globs& ignored, SnapshotBuilder& builder) {
  constexpr std::size_t columns = first_of_filesystem - first_of_network;
  std::size_t lines = 0, devices = 0;
  while (!net_dev.empty() && devices < max_devices) {
    auto line = text::take_until(net_dev, '\n');
    const auto colon = line.rfind(':');  // an alias has one in its name: "eth0:1"
    if (colon == std::string_view::npos) continue;
    const auto device = text::trim(line.substr(0, colon));
    const auto words = words_of(line.substr(colon + 1), columns);
    if (words.size() < columns || device.empty()) continue;
    ++lines;
    if (is_ignored(ignored, device)) continue;
    ++devices;
    for (std::size_t i = 0; i < columns; ++i)
      if (const auto value = number_in(words[i]))
        builder.add(all_specs[first_of_network + i], {{"device", device}}, *value);
  }
  return lines > 0 ? Result<Done>(Done{}) : unreadable("/proc/net/dev");
}

std::vector<Mount> parse_mounts(std::string_view mounts) {
  constexpr std::size_t fields = 4;
  std::map<std::string, std::size_t, std::less<>> by_mount_point;
  std::vector<Mount> found;
  while (!mounts.empty()) {
    const auto words = words_of(text::take_until(mounts, '\n'), fields);
    if (words.size() < fields) continue;
    Mount mount{unescaped(words[0]), unescaped(words[1]), unescaped(words[2]), has_option(words[3], "ro")};
    const auto known = by_mount_point.find(mount.mount_point);
    if (known != by_mount_point.end()) {
      found[known->second] = std::move(mount);
    } else if (found.size() < max_devices) {
      by_mount_point.emplace(mount.mount_point, found.size());
      found.push_back(std::move(mount));
    }
  }
  return found;
}

void add_filesystem(const Mount& mount, const Usage& usage, SnapshotBuilder& builder) {
  const auto labels =
      builder.labels({{"device", mount.device}, {"fstype", mount.type}, {"mountpoint", mount.mount_point}});
  const double values[] = {usage.size_bytes, usage.free_bytes, usage.available_bytes, usage.files, usage.files_free};
  auto row = first_of_filesystem;
  for (const double value : values) {
    if (usage.is_known) builder.family(all_specs[row]).add(labels, value);
    ++row;
  }
  builder.family(all_specs[row]).add(labels, mount.is_readonly ? 1 : 0);
  builder.family(all_specs[row + 1]).add(labels, usage.is_known ? 0 : 1);
}

}  // namespace midst::sources::host
