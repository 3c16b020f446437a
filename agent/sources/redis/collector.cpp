#include "agent/sources/redis/collector.hpp"

#include "agent/sources/redis/families.hpp"

#include <fmt/core.h>

namespace midst::sources::redis_info {

Error misshapen(std::string_view command) {
  return Error{Errc::protocol, fmt::format("{}: the reply has an unknown shape", command)};
}

Result<Done> expect_array(const redis::Reply& reply, std::string_view command) {
  if (reply.is_error()) return reply.to_error().with_context(command);
  if (!reply.is_array()) return misshapen(command);
  return Done{};
}

void add_folded(const metrics::MetricSpec& spec, std::size_t count, metrics::SnapshotBuilder& builder) {
  if (count > 0) builder.add(family::folded_series, {{"metric", spec.name}}, static_cast<double>(count));
}

}  // namespace midst::sources::redis_info
