// What a Sentinel says of the masters it watches → samples. What its INFO tells is read with every other INFO.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

namespace midst::sources::redis_info {

/// What is asked of a Sentinel beside the state of its masters.
struct SentinelOptions {
  bool has_peer_info = false;  ///< Whether each Sentinel that watches a master gets a series: sentinel_peer_info.
  bool has_config = false;     ///< Whether SENTINEL CONFIG GET * is exported, secrets and user names left out.
  std::chrono::seconds config_interval{60};  ///< How old that configuration may be.
  std::size_t max_masters = 100;  ///< Masters with series, in the Sentinel's order. 1 … 10000; each costs 3 commands.
  std::size_t max_peers = 1000;   ///< Series of sentinel_peer_info over all masters. 1 … 100000.
};

/// What SENTINEL CKQUORUM answered.
struct Quorum {
  bool is_reachable = false;
  /// The server's sentence holds a number that changes, and every text would be a new series: this is one of five.
  std::string_view message;
  std::optional<double> usable_sentinels;  ///< That number; unset when it is not told.
};

/// @param reply  "OK 3 usable Sentinels. …" or the error "NOQUORUM 1 usable Sentinels. …".
/// @return Errc::{noperm, unsupported, loading, auth, protocol} when the answer says nothing of the quorum; another
/// error of the server is an unreachable one, with the message "other error".
[[nodiscard]] Result<Quorum> read_quorum(const redis::Reply& reply);

/// Collector "sentinel"; silent unless the target is one. Its commands do not exist elsewhere, and a server refuses an
/// ACL rule with a command it does not know, so rights() is empty; a Sentinel's user needs
/// "+sentinel|masters +sentinel|ckquorum +sentinel|sentinels +sentinel|slaves +sentinel|config".
[[nodiscard]] std::unique_ptr<Collector> make_sentinel(SentinelOptions options);

}  // namespace midst::sources::redis_info
