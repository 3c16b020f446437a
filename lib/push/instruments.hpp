// The series types of the push client: what a program keeps where it counts. Installed with client.hpp, which makes
// them.
#pragma once

#include "lib/push/cells.hpp"
#include "lib/push/trace.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <span>

namespace midst::push {

class Client;
class Timer;
namespace detail {
class Exemplars;
}

/// A counter series. Cheap to copy; valid as long as its Client. add() is one relaxed load and store in memory of the
/// calling thread: no lock, no allocation after a thread's first touch, no clock, no syscall.
class Counter {
 public:
  Counter() = default;
  /// @param amount  not negative and finite; anything else is ignored.
  [[gnu::always_inline]] void add(double amount = 1) const noexcept {
    // Whole amounts have a cell of their own: adding integers takes half the time, and they stay exact.
    if (amount >= 0 && amount <= 4294967295.0 && amount == static_cast<double>(static_cast<std::uint64_t>(amount)))
      return detail::add(client_, cell_, 0, static_cast<std::uint64_t>(amount));
    if (amount > 0 && amount <= std::numeric_limits<double>::max()) detail::add(client_, cell_, 1, amount);
  }
  /// The same, and says in which trace it happened. The newest such call between two flushes becomes the series'
  /// exemplar; costs a clock and may allocate at its first use.
  void add(double amount, const TraceContext& trace) const noexcept;
  /// @return the same for every handle of the same series, nullptr when it counts nowhere.
  [[nodiscard]] const void* identity() const noexcept { return exemplars_; }

 private:
  friend class Client;
  std::uint32_t client_ = 0, cell_ = 0;  ///< First of two cells: the whole amounts, then the rest.
  detail::Exemplars* exemplars_ = nullptr;
};

/// A gauge series; set() replaces, add() changes. Shared between threads by one atomic.
class Gauge {
 public:
  Gauge() = default;
  void set(double value) const noexcept;
  void add(double amount) const noexcept;
  /// @return the same for every handle of the same series, nullptr when it counts nowhere.
  [[nodiscard]] const void* identity() const noexcept { return value_; }

 private:
  friend class Client;
  std::atomic<double>* value_ = nullptr;
};

/// A histogram series with fixed bounds; observe() touches memory of the calling thread only.
class Histogram {
 public:
  Histogram() = default;
  /// @param value  finite; anything else is ignored, for one infinity would spoil the sum for ever.
  void observe(double value) const noexcept;
  /// Several values at once; the cells of the thread are looked for once.
  void observe_many(std::span<const double> values) const noexcept;
  /// Starts a clock whose end is observed in seconds; for families in seconds.
  [[nodiscard]] Timer time() const noexcept;
  /// The same, and says in which trace it happened. The newest such call of each bucket between two flushes becomes
  /// the bucket's exemplar; costs a clock and may allocate at its first use.
  void observe(double value, const TraceContext& trace) const noexcept;
  /// @return the same for every handle of the same series, nullptr when it counts nowhere.
  [[nodiscard]] const void* identity() const noexcept { return exemplars_; }

 private:
  friend class Client;
  std::uint32_t client_ = 0, cell_ = 0;  ///< First of bounds + 2 cells: the buckets, then the sum.
  detail::Exemplars* exemplars_ = nullptr;
  std::span<const double> bounds_;
};

/// Observes the seconds from its making to its end, once.
class Timer {
 public:
  explicit Timer(const Histogram& histogram) noexcept
      : histogram_(histogram), start_(std::chrono::steady_clock::now()), is_running_(true) {}
  Timer(Timer&& other) noexcept;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  Timer& operator=(Timer&&) = delete;
  ~Timer() { stop(); }

  /// Observes now instead of at the end. @return the seconds, 0 when it was stopped or cancelled before.
  double stop() noexcept;
  /// Nothing is observed.
  void cancel() noexcept { is_running_ = false; }
  /// The trace of what is timed, for the exemplar.
  void set_trace(const TraceContext& trace) noexcept { trace_ = trace; }

 private:
  Histogram histogram_;
  std::chrono::steady_clock::time_point start_;
  TraceContext trace_;
  bool is_running_ = false;
};

}  // namespace midst::push
