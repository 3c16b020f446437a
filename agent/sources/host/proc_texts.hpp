// What the files of /proc about the whole machine say, as families with the names of node_exporter. Pure: texts in,
// samples out. Used by HostSource, which reads the files. proc(5) and the kernel's Documentation have the formats.
#pragma once

#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::host {

/// Names that are left out.
using Globs = std::vector<std::string>;

/// /proc/stat: times of CPUs, and counts of the whole machine. One object for each source: it remembers the times.
class CpuTimes {
 public:
  /// @param ticks_per_second  sysconf(_SC_CLK_TCK).
  explicit CpuTimes(double ticks_per_second) : ticks_(ticks_per_second) {}

  /// A time that falls a little, as idle and iowait do now and then, stays where it was: rate() would take it for a
  /// restart. @return Errc::protocol when there is no line of a CPU.
  Result<Done> add(std::string_view stat, metrics::SnapshotBuilder& builder);

 private:
  static constexpr std::size_t mode_count = 10;
  using Times = std::array<double, mode_count>;

  void add_cpu(std::size_t cpu, std::string_view fields, metrics::SnapshotBuilder& builder);

  double ticks_;
  std::vector<Times> last_;  ///< By number of the CPU.
};

/// /proc/meminfo. @return Errc::protocol when no line can be read; so do all below.
Result<Done> add_meminfo(std::string_view meminfo, metrics::SnapshotBuilder& builder);
/// /proc/loadavg.
Result<Done> add_loadavg(std::string_view loadavg, metrics::SnapshotBuilder& builder);
/// /proc/diskstats, without partitions and what `ignored` names.
Result<Done> add_diskstats(std::string_view diskstats, const Globs& ignored, metrics::SnapshotBuilder& builder);
/// /proc/net/dev.
Result<Done> add_net_dev(std::string_view net_dev, const Globs& ignored, metrics::SnapshotBuilder& builder);

/// A mounted file system.
struct Mount {
  std::string device, mount_point, type;
  bool is_readonly = false;
};
/// @return those of /proc/PID/mounts, the last of each mount point: it hides the others.
[[nodiscard]] std::vector<Mount> parse_mounts(std::string_view mounts);

/// What statfs(2) says of one.
struct Usage {
  bool is_known = false;  ///< False: it could not be asked.
  double size_bytes = 0, free_bytes = 0, available_bytes = 0, files = 0, files_free = 0;
};
void add_filesystem(const Mount& mount, const Usage& usage, metrics::SnapshotBuilder& builder);

/// @return every family with a fixed name that the functions here make.
[[nodiscard]] std::span<const metrics::MetricSpec> specs() noexcept;

}  // namespace midst::sources::host
