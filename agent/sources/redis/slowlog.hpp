// SLOWLOG LEN and SLOWLOG GET → samples.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <memory>

namespace midst::sources::redis_info {

/// SLOWLOG LEN and SLOWLOG GET 1. Each of the two adds what it can; an error of either is returned.
[[nodiscard]] Result<Done> add_slowlog(const redis::Reply& length, const redis::Reply& newest,
                                       metrics::SnapshotBuilder& builder);

/// Collector "slowlog".
[[nodiscard]] std::unique_ptr<Collector> make_slowlog();

}  // namespace midst::sources::redis_info
