#include "agent/sources/host/host_source.hpp"

#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace midst::sources {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr MetricSpec uname_info{"node_uname_info", MetricType::gauge, "",
                                "What uname(2) says of the machine. Always 1.",
                                "domainname,machine,nodename,release,sysname,version"};
constexpr MetricSpec success{"node_scrape_collector_success", MetricType::gauge, "",
                             "1 when the collector could read what it shows, 0 when it could not.", "collector"};
constexpr MetricSpec memory_total{"node_memory_MemTotal_bytes", MetricType::gauge, "bytes",
                                  "Field of /proc/meminfo; each of its fields has a metric node_memory_FIELD_bytes."};

/// The names of the configuration, and those that node_exporter has for the same.
constexpr std::pair<std::string_view, std::string_view> names[] = {
    {"cpu", "cpu"},      {"memory", "meminfo"}, {"disk", "diskstats"}, {"filesystem", "filesystem"},
    {"load", "loadavg"}, {"network", "netdev"},
};

/// No file of /proc that is read here comes near, but on machines with thousands of disks.
constexpr std::size_t max_file_bytes = 4 * 1024 * 1024;

std::string_view label_of(std::string_view collector) {
  for (const auto& [name, label] : names)
    if (name == collector) return label;
  return collector;
}

bool is_ignored(const std::vector<std::string>& globs, std::string_view name) {
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) { return text::matches_glob(glob, name); });
}

/// What is hidden from this process, as ProtectHome= of systemd does it, lies behind a small tmpfs.
host::Usage usage_of(const std::string& path, const std::string& type) {
  struct statfs found {};
  host::Usage usage;
  if (::statfs(path.c_str(), &found) != 0) return usage;
  if (found.f_type == TMPFS_MAGIC && type != "tmpfs" && type != "ramfs") return usage;
  usage.is_known = true;
  const auto block = static_cast<double>(found.f_frsize != 0 ? found.f_frsize : found.f_bsize);
  usage.size_bytes = static_cast<double>(found.f_blocks) * block;
  usage.free_bytes = static_cast<double>(found.f_bfree) * block;
  usage.available_bytes = static_cast<double>(found.f_bavail) * block;
  usage.files = static_cast<double>(found.f_files);
  usage.files_free = static_cast<double>(found.f_ffree);
  return usage;
}

Result<std::string> read_whole(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return Error{Errc::unsupported, path + ": " + std::strerror(errno)};
  std::string bytes;
  std::array<char, 16 * 1024> chunk{};
  for (;;) {
    const auto size = ::read(file, chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    const int error = size < 0 ? errno : 0;
    if (size > 0) bytes.append(chunk.data(), static_cast<std::size_t>(size));
    if (size > 0 && bytes.size() <= max_file_bytes) continue;
    ::close(file);
    if (error != 0) return Error{Errc::unsupported, path + ": " + std::strerror(error)};
    if (bytes.size() > max_file_bytes) return Error{Errc::limit, path + " is larger than 4 MiB"};
    return bytes;
  }
}

}  // namespace

std::vector<std::string_view> host_collectors() {
  std::vector<std::string_view> all;
  for (const auto& [name, label] : names) all.push_back(name);
  return all;
}

HostSource::HostSource(HostOptions options)
    : options_(std::move(options)), root_(options_.root), cpu_times_(static_cast<double>(::sysconf(_SC_CLK_TCK))) {
  while (root_.ends_with('/')) root_.pop_back();
  for (const auto& [name, label] : names)
    if (std::find(options_.collectors.begin(), options_.collectors.end(), name) != options_.collectors.end())
      parts_.push_back({name, true});
}

std::vector<MetricSpec> HostSource::specs() const {
  std::vector<MetricSpec> all(host::specs().begin(), host::specs().end());
  for (const auto& spec : {memory_total, uname_info, success}) all.push_back(spec);
  return all;
}

asio::awaitable<Result<metrics::Snapshot>> HostSource::collect(Deadline) {
  SnapshotBuilder builder;
  std::optional<Error> failure;
  bool is_any_well = false;
  if (const auto done = add_uname(builder); !done) failure = done.error();
  for (auto& part : parts_) {
    const auto done = add(part.name, builder);
    builder.add(success, {{"collector", label_of(part.name)}}, done ? 1 : 0);
    if (!done && part.is_well)
      log::warn(
          "host collector cannot read its file; ProcSubset=pid of a systemd unit hides it, and host.root has to "
          "be where the machine's / is seen",
          {{"collector", part.name}, {"error", done.error().message}});
    if (done && !part.is_well) log::info("host collector reads its file again", {{"collector", part.name}});
    part.is_well = done.has_value();
    is_any_well = is_any_well || part.is_well;
    if (!done) failure = done.error();
  }
  if (!is_any_well && failure) co_return *failure;
  co_return builder.freeze();
}

metrics::Snapshot HostSource::down(const Error&) const {
  SnapshotBuilder builder;
  for (const auto& part : parts_) builder.add(success, {{"collector", label_of(part.name)}}, 0);
  return builder.freeze();
}

Result<Done> HostSource::add(std::string_view collector, SnapshotBuilder& builder) {
  if (collector == "filesystem") return add_filesystems(builder);
  // Of process 1, since /proc/net is that of who asks, and the agent may be in a container.
  const std::string_view interfaces = root_.empty() ? "/proc/net/dev" : "/proc/1/net/dev";
  const auto file = collector == "cpu"      ? "/proc/stat"
                    : collector == "memory" ? "/proc/meminfo"
                    : collector == "disk"   ? "/proc/diskstats"
                    : collector == "load"   ? "/proc/loadavg"
                                            : interfaces;
  const auto text = read(file);
  if (!text) return text.error();
  if (collector == "cpu") return cpu_times_.add(*text, builder);
  if (collector == "memory") return host::add_meminfo(*text, builder);
  if (collector == "disk") return host::add_diskstats(*text, options_.ignore_devices, builder);
  if (collector == "load") return host::add_loadavg(*text, builder);
  return host::add_net_dev(*text, options_.ignore_interfaces, builder);
}

Result<Done> HostSource::add_filesystems(SnapshotBuilder& builder) const {
  // Of process 1, since the agent's own unit may see fewer; where that is hidden, of the agent.
  auto text = read("/proc/1/mounts");
  if (!text) text = read("/proc/self/mounts");
  if (!text) return text.error();
  for (const auto& mount : host::parse_mounts(*text)) {
    if (is_ignored(options_.ignore_filesystems, mount.type)) continue;
    if (is_ignored(options_.ignore_mount_points, mount.mount_point)) continue;
    host::add_filesystem(mount, usage_of(root_ + mount.mount_point, mount.type), builder);
  }
  return Done{};
}

Result<Done> HostSource::add_uname(SnapshotBuilder& builder) const {
  utsname name{};
  if (::uname(&name) != 0) return Error{Errc::unsupported, std::string("uname: ") + std::strerror(errno)};
  builder.add(uname_info,
              {{"sysname", name.sysname},
               {"release", name.release},
               {"version", name.version},
               {"machine", name.machine},
               {"nodename", name.nodename},
               {"domainname", name.domainname}},
              1);
  return Done{};
}

Result<std::string> HostSource::read(std::string_view path) const {
  return read_whole(root_ + std::string(path));
}

}  // namespace midst::sources
