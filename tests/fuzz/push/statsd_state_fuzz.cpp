// Bytes of a state file: refused whole, or restored into a table that writes a page and the same state again.
#include "agent/ingest/statsd/statsd.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace statsd = midst::ingest::statsd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const midst::ingest::SteadyTime now{std::chrono::hours(1)};
  statsd::StatsdOptions options;
  options.limits.max_series = 20;
  statsd::Statsd restored(options);
  const auto empty = restored.state();
  const bool is_restored = restored.restore(bytes).has_value();
  if (!is_restored && restored.state() != empty) std::abort();
  midst::metrics::SnapshotBuilder builder;
  restored.feed("a:1|c|#k:v\nh:1|h\n", statsd::Protocol::datagram, now);
  restored.write(builder, now);
  if (builder.freeze().duplicate_count() != 0) std::abort();
  statsd::Statsd again(options);
  if (!again.restore(restored.state())) std::abort();
  if (again.state() != restored.state()) std::abort();
  return 0;
}
