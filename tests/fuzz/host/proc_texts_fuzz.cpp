// Any bytes as each of the files of /proc: the page that comes of them can be encoded, and no counter falls by less
// than a restart.
#include "agent/sources/host/proc_texts.hpp"
#include "lib/metrics/encode.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace host = midst::sources::host;
namespace metrics = midst::metrics;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  metrics::SnapshotBuilder builder;
  host::CpuTimes times(100);
  (void)times.add(text, builder);
  (void)times.add(text.substr(size / 2), builder);
  (void)host::add_meminfo(text, builder);
  (void)host::add_loadavg(text, builder);
  (void)host::add_diskstats(text, {"loop*"}, builder);
  (void)host::add_net_dev(text, {"veth*"}, builder);
  const auto mounts = host::parse_mounts(text);
  if (mounts.size() > size) std::abort();
  for (const auto& mount : mounts) host::add_filesystem(mount, {.is_known = true}, builder);
  const auto page = metrics::merge({std::make_shared<const metrics::Snapshot>(builder.freeze())});
  for (const auto& family : page.families)
    for (const auto& part : family.parts)
      for (const double value : part.family->values)
        if (!(value >= 0)) std::abort();
  (void)metrics::encode(page, metrics::Format::openmetrics);
  return 0;
}
