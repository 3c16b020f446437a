// Looks at what the backends wait for once a second, over the connection that scrapes use, between the scrapes.
#pragma once

#include "agent/sources/postgres/plan.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/metrics/snapshot.hpp"
#include "lib/pq/connection.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <string>

namespace midst::sources {

/// Loop thread only. Never opens the connection: while there is none, looks are missed, and counted as such.
class WaitSampler {
 public:
  /// @param target  for the log; @param interval  zero: nothing is ever looked at.
  WaitSampler(asio::any_io_executor executor, std::shared_ptr<pq::Connection> connection, std::string target,
              std::chrono::milliseconds interval, const Limits& limits);
  ~WaitSampler();
  WaitSampler(const WaitSampler&) = delete;
  WaitSampler& operator=(const WaitSampler&) = delete;

  /// Begins, or goes on with the statement for another server.
  /// @param is_pooled  nothing is to be prepared.
  void begin(const ServerFacts& facts, bool is_pooled);

  /// Ends when no look is under way, and keeps further ones off until release(): two cannot talk on one connection.
  [[nodiscard]] asio::awaitable<void> hold();
  void release() noexcept;

  /// Adds what was counted, if anything ever began.
  void add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const;

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< Shared with the loop.
};

}  // namespace midst::sources
