// Live counters, gauges and histograms of this process (prometheus-cpp inside) and their way into a Snapshot.
// Used by agent/app and agent/web for the agent's own metrics; sources and pushed samples do not pass through here.
#pragma once

#include "lib/metrics/snapshot.hpp"
#include "lib/metrics/spec.hpp"

#include <initializer_list>
#include <memory>
#include <span>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace midst::metrics {

/// A counter series. Cheap to copy, thread-safe, valid as long as its Instruments; a default-made one counts nowhere.
class Counter {
 public:
  Counter() = default;
  /// @param amount  finite and not negative; anything else is ignored.
  void add(double amount = 1) const noexcept;
  [[nodiscard]] double value() const noexcept;

 private:
  friend class Instruments;
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  prometheus::Counter* counter_ = nullptr;
};

/// A gauge series; otherwise like Counter.
class Gauge {
 public:
  Gauge() = default;
  void set(double value) const noexcept;
  void add(double amount) const noexcept;
  [[nodiscard]] double value() const noexcept;

 private:
  friend class Instruments;
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  prometheus::Gauge* gauge_ = nullptr;
};

/// A histogram series with fixed bounds; otherwise like Counter. Its name differs from push::Histogram, which lives in
/// the instrumented program.
class Histogram {
 public:
  Histogram() = default;
  /// @param value  in the family's unit; NaN is ignored.
  void observe(double value) const noexcept;

 private:
  friend class Instruments;
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  prometheus::Histogram* histogram_ = nullptr;
};

/// Owns the instruments. Asking for a series creates it at 0, so name every series that is known beforehand at start;
/// asking again returns the same one. Thread-safe. A series that cannot be had (a name that is none, a family of
/// another type, more than max_series) is logged, counted by refused_series() and returned as one that counts nowhere.
class Instruments {
 public:
  /// Series of all families together; self metrics have bounded labels, so reaching this is a bug.
  static constexpr std::size_t max_series = 10'000;

  /// @param created_unix_seconds  when these counters began at 0 (process start); 0 leaves it out of the page.
  explicit Instruments(double created_unix_seconds);
  ~Instruments();
  Instruments(const Instruments&) = delete;
  Instruments& operator=(const Instruments&) = delete;

  /// The type of `spec` is not looked at; its texts are copied. @return a handle that stays valid.
  [[nodiscard]] Counter counter(const MetricSpec& spec, std::span<const Label> labels);
  [[nodiscard]] Counter counter(const MetricSpec& spec, std::initializer_list<Label> labels = {});
  [[nodiscard]] Gauge gauge(const MetricSpec& spec, std::span<const Label> labels);
  [[nodiscard]] Gauge gauge(const MetricSpec& spec, std::initializer_list<Label> labels = {});
  /// @param bounds  ascending upper bounds without +Inf; those of the first series hold for its whole family.
  [[nodiscard]] Histogram histogram(const MetricSpec& spec, std::span<const double> bounds,
                                    std::span<const Label> labels);
  [[nodiscard]] Histogram histogram(const MetricSpec& spec, std::initializer_list<double> bounds,
                                    std::initializer_list<Label> labels = {});

  /// Adds every series with its present value, families and series in the order they were asked for first.
  void collect(SnapshotBuilder& builder) const;

  [[nodiscard]] std::size_t refused_series() const noexcept;

 private:
  class Registry;
  std::unique_ptr<Registry> registry_;
};

}  // namespace midst::metrics
