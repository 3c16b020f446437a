// SERVER EXT of a Tile38 → its own families.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <memory>

namespace midst::sources::redis_info {

/// Adds the fields of a SERVER EXT reply that are known. @return its error, or Errc::protocol for another shape.
[[nodiscard]] Result<Done> add_tile38(const redis::Reply& reply, metrics::SnapshotBuilder& builder);

/// Collector "tile38".
[[nodiscard]] std::unique_ptr<Collector> make_tile38();

}  // namespace midst::sources::redis_info
