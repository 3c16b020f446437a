// [host] of the configuration, as the source takes it.
#pragma once

#include "agent/scrape/series_rules.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

/// Everything about the machine the agent runs on. Defaults here are the defaults of the configuration.
struct HostOptions {
  bool is_enabled = false;
  std::string root = "/";  ///< Where the machine's own file system is seen: "/host" in a container that has it there.
  std::vector<std::string> collectors{"cpu", "memory", "disk", "filesystem", "load", "network"};
  std::vector<std::string> ignore_devices{"ram*", "zram*", "loop*", "fd*"};  ///< Globs; partitions never appear.
  std::vector<std::string> ignore_interfaces;                                ///< Globs.
  std::vector<std::string> ignore_mount_points{"/dev",
                                               "/dev/*",
                                               "/proc",
                                               "/proc/*",
                                               "/sys",
                                               "/sys/*",
                                               "/run/credentials/*",
                                               "/var/lib/docker/*",
                                               "/var/lib/containers/storage/*"};  ///< Globs.
  /// Globs of types. Those of the kernel, which hold no data, and those of other machines, whose statfs(2) may hang.
  std::vector<std::string> ignore_filesystems{
      "autofs",     "binfmt_misc", "bpf",       "cgroup*", "configfs", "debugfs",  "devpts", "devtmpfs", "efivarfs",
      "fusectl",    "hugetlbfs",   "iso9660",   "mqueue",  "nsfs",     "overlay",  "proc*",  "pstore",   "rpc_pipefs",
      "securityfs", "selinuxfs",   "squashfs",  "sysfs",   "tracefs",  "nfs*",     "cifs",   "smb*",     "fuse.*",
      "9p",         "ceph",        "glusterfs", "lustre",  "afs",      "virtiofs", "ocfs2",  "gfs2"};
  scrape::RuleOptions rules;  ///< Which of its series the page has; for the Scraper.

  [[nodiscard]] bool operator==(const HostOptions&) const = default;
};

/// @return the names that `collectors` may have, in the order of the page.
[[nodiscard]] std::vector<std::string_view> host_collectors();

}  // namespace midst::sources
