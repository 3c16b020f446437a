// Replies of XINFO STREAM, GROUPS and CONSUMERS → numbers, as Redis 5 to 8 write them. Pure. Used by streams.cpp.
#pragma once

#include "lib/base/error.hpp"
#include "lib/redis/reply.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// What XINFO STREAM says; unset: this version of the server does not say it. Ids are their millisecond part.
struct StreamFacts {
  std::optional<double> length, radix_tree_keys, radix_tree_nodes, groups, entries_added;
  std::optional<double> last_generated_id, max_deleted_entry_id;
  std::optional<double> first_entry_id, last_entry_id;  ///< 0 in an empty stream.
};

/// One consumer group. `entries_read` and `lag` are unset before Redis 7.0, and where the server cannot tell them
/// because entries between were deleted or the group was set to an id of its own.
struct StreamGroup {
  std::string name;
  std::optional<double> consumers, pending, last_delivered_id, entries_read, lag;
};

/// One consumer of a group.
struct StreamConsumer {
  std::string name;
  std::optional<double> pending, idle_seconds;
};

/// @return the millisecond part of an id "1638006862416-0"; nothing when it is no id.
[[nodiscard]] std::optional<double> stream_id_milliseconds(std::string_view id) noexcept;

/// @return the server's error, or Errc::protocol when the reply has another shape. Unknown fields are skipped.
[[nodiscard]] Result<StreamFacts> read_stream(const redis::Reply& reply);
/// Reads the first `limit` groups or consumers; what has no name is skipped.
[[nodiscard]] Result<std::vector<StreamGroup>> read_stream_groups(const redis::Reply& reply, std::size_t limit);
[[nodiscard]] Result<std::vector<StreamConsumer>> read_stream_consumers(const redis::Reply& reply, std::size_t limit);

}  // namespace midst::sources::redis_info
