// The flush thread's work: keep a connection, send a snapshot when one is due, listen to the agent. One step machine
// without locks of its own; what other threads want from it comes through Requests.
#pragma once

#include "lib/push/connection.hpp"
#include "lib/push/registry.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace midst::push::detail {

using Clock = std::chrono::steady_clock;

/// What other threads ask of the flush thread and what it tells them; all under `mutex`.
struct Requests {
  std::mutex mutex;
  std::condition_variable changed;  ///< Notified when `flushed` grows or the client stops.
  bool must_stop = false;
  std::uint64_t wanted = 0, flushed = 0;  ///< Calls of flush(): made, and answered by an ACK.
  ClientStats stats;
  std::vector<std::function<void()>> before_flush;
  int wake_descriptor = -1;  ///< eventfd(2) that ends the thread's wait.

  /// Ends the wait of the flush thread.
  void wake() const noexcept;
};

struct FlusherOptions {
  std::string socket_path, resource;
  std::chrono::milliseconds flush_interval;
  wire::InstanceId instance;
  std::uint64_t start_time_ns;
  Registry::Report report;
  int memory = -1;  ///< To be passed to the agent; -1: none.
};

class Flusher {
 public:
  Flusher(FlusherOptions options, Registry& registry, Requests& requests);

  /// Works until Requests::must_stop, then sends the last snapshot and BYE within exit_limit.
  void run();

  static constexpr std::chrono::milliseconds exit_limit{50};

  /// In the child of a fork: the descriptor that the child has a copy of; -1 without one.
  [[nodiscard]] int descriptor() const noexcept { return connection_.descriptor(); }

 private:
  enum class Phase { down, greeting, ready };
  enum class Snapshot { none, sending, unacknowledged };

  void work();
  void finish();
  void connect(Clock::time_point now);
  void disconnect(Clock::time_point now);
  void tick(Clock::time_point now);
  void start_snapshot();
  void call_back();
  void pump();
  void wait(Clock::time_point until);
  void receive();
  /// @return false when the connection must end.
  [[nodiscard]] bool handle(wire::FrameHeader header, std::string_view payload);
  [[nodiscard]] bool handle_welcome(std::string_view payload);
  [[nodiscard]] bool handle_ack(std::string_view payload);
  [[nodiscard]] bool handle_err(std::string_view payload);
  void publish_stats();
  [[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds interval) noexcept;

  const FlusherOptions options_;
  Registry& registry_;
  Requests& requests_;
  Connection connection_;
  ClientStats stats_;

  Phase phase_ = Phase::down;
  Snapshot snapshot_ = Snapshot::none;
  Clock::time_point next_attempt_{}, next_tick_{}, answer_due_{};
  std::chrono::milliseconds backoff_;
  std::size_t max_frame_ = wire::default_max_frame;
  std::uint64_t seq_ = 0, epoch_ = 0, told_epoch_ = 0;
  std::uint64_t covered_ = 0;  ///< Calls of flush() that the snapshot under way answers.
  std::uint64_t wanted_ = 0, flushed_ = 0;
  bool is_last_snapshot_ = false;
  std::uint64_t random_;
  bool has_reported_callback_ = false;
};

}  // namespace midst::push::detail
