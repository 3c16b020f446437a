// [host] of the configuration.
#include "agent/app/section.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace midst::app {

void read_host(Section& section, sources::HostOptions& host) {
  section.read("enabled", host.is_enabled);
  section.parse("root", [&](const std::string& text) -> Result<Done> {
    if (!text.starts_with('/')) return Error{Errc::config, "takes a path that begins with /"};
    host.root = text;
    return Done{};
  });
  const auto known = sources::host_collectors();
  std::vector<std::string> collectors;
  section.parse_each("collectors", [&](const std::string& name) -> Result<Done> {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Error{Errc::config, fmt::format("unknown collector \"{}\"; one of {}", name, fmt::join(known, ", "))};
    collectors.push_back(name);
    return Done{};
  });
  if (section.has("collectors")) host.collectors = std::move(collectors);
  section.read("ignore_devices", host.ignore_devices);
  section.read("ignore_interfaces", host.ignore_interfaces);
  section.read("ignore_mount_points", host.ignore_mount_points);
  section.read("ignore_filesystems", host.ignore_filesystems);
  read_rules(section, host.rules);
}

}  // namespace midst::app
