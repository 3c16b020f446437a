// FT._LIST and FT.INFO → the size and state of each search index (RediSearch, Valkey Search).
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace midst::sources::redis_info {

/// Which search indexes are shown.
struct SearchIndexesOptions {
  std::string names = ".*";           ///< As NamePattern takes it; check it there first: a broken one matches nothing.
  std::chrono::seconds interval{60};  ///< FT.INFO costs the server time: what is younger is not asked for again.
  std::size_t max_indexes = 100;      ///< In the order of their names; further ones are left out. 1 … 1000.
};

/// Adds what one FT.INFO reply says of an index: the numbers it has, the others not at all.
/// @param name  as FT._LIST has it. @return the server's error, or Errc::protocol for another shape.
[[nodiscard]] Result<Done> add_search_index(std::string_view name, const redis::Reply& info,
                                            metrics::SnapshotBuilder& builder);

/// Collector "search_indexes".
[[nodiscard]] std::unique_ptr<Collector> make_search_indexes(SearchIndexesOptions options);

}  // namespace midst::sources::redis_info
