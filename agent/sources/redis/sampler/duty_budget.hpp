// How much of the server's time the sampler takes, and when it may go on. Pure: it is told the time.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace midst::sources::redis_info {

struct DutyBudgetOptions {
  double duty_cycle = 0.01;                    ///< Share of the server's time, 0.0001…1.
  std::chrono::microseconds step_target{500};  ///< Server time one step is to take.
  int min_count = 10, max_count = 500;         ///< Of SCAN COUNT.
};

/// The server's time of a step is what its own clock says between the first and the last command, or, where it does not
/// tell, the time until the reply minus the shortest round trip seen lately. After a step of b seconds the next may
/// begin b / duty_cycle after its beginning, so that the share holds over every run of steps.
class DutyBudget {
 public:
  using Clock = std::chrono::steady_clock;

  explicit DutyBudget(DutyBudgetOptions options);

  /// Notes a round trip in which the server had next to nothing to do.
  void note_round_trip(Clock::duration elapsed, Clock::time_point now);
  /// One write and its replies.
  struct Exchange {
    Clock::time_point begin, end;
    std::size_t commands = 0;
    std::optional<Clock::duration> server_time;  ///< By the server's clock.
  };
  /// Notes a step, SCAN with count() among its commands; adapts count().
  void note_step(const Exchange& exchange);
  /// Notes other commands, which are paid for alike.
  void note_check(const Exchange& exchange);
  /// Notes a step without replies: how long a server hangs is no work for us, so the usual price is paid.
  void note_lost(Clock::time_point begin);
  /// A reply was too big: asks for half.
  void shrink() noexcept;

  /// @return when the next step may begin.
  [[nodiscard]] Clock::time_point next_at() const noexcept { return next_at_; }
  /// @return what to give SCAN as COUNT.
  [[nodiscard]] int count() const noexcept { return static_cast<int>(count_); }
  [[nodiscard]] Clock::duration shortest_round_trip() const noexcept;
  /// @return the server's time of all steps.
  [[nodiscard]] Clock::duration busy() const noexcept { return busy_; }
  /// @return the share of the server's time that was taken in the last one to two minutes.
  [[nodiscard]] double duty_ratio(Clock::time_point now) const noexcept;

 private:
  /// A minute, and what was seen in it.
  struct Window {
    Clock::time_point begin;
    Clock::duration busy{0};
    std::optional<Clock::duration> shortest;
  };
  void turn_window(Clock::time_point now);
  Clock::duration spend(const Exchange& exchange);
  void pay(Clock::time_point begin, Clock::duration busy);
  void adapt(Clock::duration busy);

  DutyBudgetOptions options_;
  double count_;
  std::optional<double> seconds_per_count_;  ///< Smoothed over the last steps.
  Clock::duration busy_{0};
  Clock::time_point next_at_;
  std::optional<Window> current_, previous_;
};

}  // namespace midst::sources::redis_info
