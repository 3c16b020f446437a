// ACL LOG → counters of what was denied to whom.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace midst::sources::redis_info {

/// How the log of denials is read.
struct AclLogOptions {
  std::size_t entries = 128;          ///< Entries asked for; acllog-max-len of a default server. 1 … 10000.
  std::size_t max_users = 50;         ///< Users of one reason with a counter of their own; the rest is "other".
  std::chrono::seconds interval{15};  ///< A log read less long ago is not read again.
};

/// One entry: a denial, and how often it has happened in a row.
struct AclLogEntry {
  std::string reason, user;
  std::string identity;            ///< What tells two entries apart as far as the server says it.
  std::optional<std::int64_t> id;  ///< Since Redis 7.2.
  double count = 0;
};

/// @return the entries of ACL LOG, newest first; its error, or Errc::protocol for another shape.
[[nodiscard]] Result<std::vector<AclLogEntry>> read_acl_log(const redis::Reply& reply);

/// @param before  counts of the entries of one identity, oldest first, at the last look; @param now at this one.
/// Between two looks the oldest may fall out, the newest may grow, and new ones may join.
/// @return how many denials came between, at least: of all ways to read it the one with the fewest.
[[nodiscard]] double denials_between(const std::vector<double>& before, const std::vector<double>& now);

/// Collector "acl_log". What the log holds at the first look counts as before the agent's time.
[[nodiscard]] std::unique_ptr<Collector> make_acl_log(AclLogOptions options);

}  // namespace midst::sources::redis_info
