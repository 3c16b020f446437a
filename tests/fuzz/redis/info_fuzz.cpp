// Any bytes as an INFO reply: no crash, and a page within the limits.
#include "agent/sources/redis/info.hpp"
#include "lib/metrics/encode.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace midst;
  sources::redis_info::InfoOptions options;
  options.max_error_labels = 4;
  options.max_labels = 8;
  metrics::SnapshotBuilder builder;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto facts = sources::redis_info::read_info(text, options, builder);
  auto snapshot = std::make_shared<const metrics::Snapshot>(builder.freeze());
  for (const auto* name : {"redis_commands_total", "redis_db_keys", "redis_connected_slave_offset_bytes"}) {
    const auto* family = snapshot->find(name);
    // The zero databases come on top of those that were sent.
    if (family != nullptr && family->labels.size() > 2 * options.max_labels) std::abort();
  }
  if (facts && (facts->major_version < 0 || facts->commands.size() > size)) std::abort();
  const auto page = metrics::encode(metrics::merge({snapshot}), metrics::Format::text);
  if (page.size() > 1000 * size + 100'000) std::abort();
  return 0;
}
