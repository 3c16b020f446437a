// CLUSTER INFO → samples.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <memory>
#include <string_view>

namespace midst::sources::redis_info {

/// CLUSTER INFO: each cluster_ line becomes a gauge.
[[nodiscard]] Result<Done> add_cluster_info(const redis::Reply& reply, metrics::SnapshotBuilder& builder);
/// One cluster_ field of CLUSTER INFO or INFO; nothing is added when it is no number.
void add_cluster_field(std::string_view field, std::string_view value, metrics::SnapshotBuilder& builder);

/// Collector "cluster".
[[nodiscard]] std::unique_ptr<Collector> make_cluster_info();

}  // namespace midst::sources::redis_info
