// Where the master is that a group of Sentinels watches: for a target that follows it through failovers.
// redis_source.cpp asks before it connects, and again when the connection broke or the server is no master.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

/// A target that is found by its Sentinels.
struct SentinelFollowOptions {
  std::vector<redis::Uri> sentinels;     ///< Asked in this order; at least one. See parse_sentinel_address().
  std::string master_name = "mymaster";  ///< What the Sentinels call it.
  redis::LoginProvider login;            ///< To the Sentinels, not to the master; unset: that of the URI, mostly none.
  redis::ConnectionOptions connection;   ///< To the Sentinels: client name, TLS, back-off.
};

/// @param text  "host", "host:port", "[::1]:port" or a redis:// or rediss:// URL; the port is 26379 unless it is given.
/// @return Errc::config as parse_uri() does; also for a Unix socket.
[[nodiscard]] Result<redis::Uri> parse_sentinel_address(std::string_view text);

/// Where a master listens.
struct MasterAddress {
  std::string host;  ///< Address, or name where the Sentinels resolve names.
  std::uint16_t port = 0;

  friend bool operator==(const MasterAddress&, const MasterAddress&) = default;
};

/// Asks Sentinels for one master. No connection to them is kept. One find_master() at a time.
class MasterFinder {
 public:
  /// Requires options.sentinels not to be empty.
  MasterFinder(asio::any_io_executor executor, SentinelFollowOptions options);
  ~MasterFinder();
  MasterFinder(const MasterFinder&) = delete;
  MasterFinder& operator=(const MasterFinder&) = delete;

  /// Asks the Sentinel that answered last, then the others; each gets its share of the time that is left.
  /// @return Errc::not_found when one answered and none knows the master, else the first error of one that answered,
  /// or the first of all.
  [[nodiscard]] asio::awaitable<Result<MasterAddress>> find_master(Deadline deadline);

  /// The last answer led to a server that is no master: that Sentinel has missed a failover, or it is not over yet.
  /// The next search begins with the next one.
  void distrust_last() noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with a search under way.
};

}  // namespace midst::sources::redis_info
