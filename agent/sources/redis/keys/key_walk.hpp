// What the collectors that walk the keyspace share: the cursor of one SCAN, and when and for how long to walk. Pure.
#pragma once

#include "agent/sources/redis/collector.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace midst::sources::redis_info {

/// Which servers are asked about their keys; what a target is changes with a failover.
enum class KeyRoles : std::uint8_t { any, master, replica };

/// When a walk begins and how long it may go on. Plain data, part of the options of each such collector.
struct KeyPaceOptions {
  KeyRoles roles = KeyRoles::any;  ///< Elsewhere nothing is asked and nothing shown.
  /// From the begin of one pass to the next; 0: at every scrape. Until then the last results are shown.
  std::chrono::milliseconds interval{0};
  /// How long one scrape may go on asking, and never longer than half of the time it has. What is not done then goes
  /// on in the next scrape; the last whole result is shown meanwhile. 1 ms to 60 s.
  std::chrono::milliseconds time_per_scrape{2000};
};

/// The clock of a walking collector.
class KeyPace {
 public:
  explicit KeyPace(const KeyPaceOptions& options) : options_(options), due_(options.interval) {}

  /// At index 0 of a scrape. @return whether anything may be asked in it.
  [[nodiscard]] bool begin_scrape(const Round& round) noexcept;
  /// @return whether a new pass is due; then it counts as begun.
  [[nodiscard]] bool begins_pass(const Round& round) noexcept;
  [[nodiscard]] bool has_time(const Round& round) const noexcept { return round.now < stop_at_; }
  /// @return whether a server of this role is to be asked at all.
  [[nodiscard]] bool is_wanted(const ServerFacts& facts) const noexcept;
  void forget() noexcept { due_.reset(); }

 private:
  KeyPaceOptions options_;
  Due due_;
  std::chrono::steady_clock::time_point stop_at_;
};

/// One SCAN from its beginning to its end, a batch at a time.
class KeyWalk {
 public:
  /// @param pattern  empty: every key.
  KeyWalk(int database, std::string pattern, std::size_t batch_size)
      : database_(database), pattern_(std::move(pattern)), batch_size_(batch_size) {}
  /// Lets the server leave out keys of other types; empty: none. Redis 6.0 and later can.
  void set_type(std::string type) { type_ = std::move(type); }

  [[nodiscard]] int database() const noexcept { return database_; }
  [[nodiscard]] bool is_done() const noexcept { return is_done_; }
  [[nodiscard]] redis::Command command() const;
  /// Moves on behind the batch that `reply` brought.
  /// @return its names, which live in the reply; the server's error, or Errc::protocol.
  [[nodiscard]] Result<std::span<redis::Reply>> take(redis::Reply& reply);
  void restart();

 private:
  int database_;
  std::string pattern_, type_;
  std::size_t batch_size_;
  std::string cursor_ = "0";
  bool is_done_ = false;
};

}  // namespace midst::sources::redis_info
