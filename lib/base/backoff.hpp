// Keeps attempts apart after a failure; what both kinds of kept connections use when they reconnect.
#pragma once

#include "lib/base/error.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>

namespace midst {

/// After each failure the wait is twice the last, and a random half of it is taken off, so that many clients of one
/// server do not come back in step. Used on the loop thread only.
class Backoff {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param first  the wait after the first failure; at most `longest`, where it stops to grow.
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest) : first_(first), longest_(longest) {}

  /// @return the failure that began the wait, or nullptr when an attempt may be made.
  [[nodiscard]] const Error* running(Clock::time_point now) const noexcept {
    return error_ && now < until_ ? &*error_ : nullptr;
  }

  /// @return how long no attempt is made; 0 when one may be.
  [[nodiscard]] std::chrono::milliseconds remaining(Clock::time_point now) const noexcept {
    return running(now) == nullptr ? std::chrono::milliseconds(0)
                                   : std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
  }

  /// Notes a failed attempt.
  void begin(const Error& error, Clock::time_point now) {
    wait_ = error_ ? std::min(wait_ * 2, longest_) : std::min(first_, longest_);
    error_ = error;
    until_ = now + jittered(wait_, 0.5, 1.0);
  }

  /// Notes a successful attempt.
  void reset() noexcept { error_.reset(); }

  /// @return `duration` times a random factor between the two.
  [[nodiscard]] Clock::duration jittered(std::chrono::milliseconds duration, double least, double most) {
    std::uniform_real_distribution<double> factor(least, most);
    return std::chrono::duration_cast<Clock::duration>(duration * factor(random_));
  }

 private:
  std::chrono::milliseconds first_, longest_, wait_{0};
  std::optional<Error> error_;
  Clock::time_point until_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace midst
