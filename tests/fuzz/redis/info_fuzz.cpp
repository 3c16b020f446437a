// Any bytes as an INFO reply: no crash, and a page within the limits.
#include "agent/sources/redis/info/info.hpp"
#include "agent/sources/redis/server_facts.hpp"
#include "lib/metrics/encode.hpp"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace midst;
  sources::redis_info::InfoOptions options;
  options.max_error_labels = 4;
  options.max_labels = 8;
  options.max_key_sizes = 8;
  options.max_extra_fields = 8;
  static const std::vector<std::string> patterns{"*e*", "s*:?*"};
  options.extra_fields = patterns;
  metrics::SnapshotBuilder builder;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto facts = sources::redis_info::read_info(text, options, builder);
  const auto peeked = sources::redis_info::peek_facts(text, {}, 1.7e9);
  if (peeked.version < 0 || peeked.valkey_version < 0) std::abort();
  auto snapshot = std::make_shared<const metrics::Snapshot>(builder.freeze());
  for (const auto* name : {"redis_commands_total", "redis_db_keys", "redis_connected_slave_offset_bytes",
                           "redis_db_key_items", "redis_info_field", "redis_io_thread_clients"}) {
    const auto* family = snapshot->find(name);
    // The zero databases come on top of those that were sent.
    if (family != nullptr && family->labels.size() > 2 * options.max_labels) std::abort();
  }
  if (facts && facts->commands.size() > size) std::abort();
  const auto page = metrics::encode(metrics::merge({snapshot}), metrics::Format::text);
  if (page.size() > 1000 * size + 100'000) std::abort();
  return 0;
}
