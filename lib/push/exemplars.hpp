// The exemplars of one series between two flushes: any thread offers, the flush thread takes. Nobody waits in offer().
#pragma once

#include "lib/push/snap.hpp"
#include "lib/push/trace.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace midst::push::detail {

class Exemplars;

/// The series of one client that have exemplars to send.
class ExemplarNews {
 public:
  void add(Exemplars& series) noexcept;
  /// Moves the newest exemplar of every bucket behind those in `out`. The flush thread only.
  void take(std::vector<wire::Exemplar>& out);
  /// In the child of a fork: nothing is new.
  void start_over() noexcept { first_ = nullptr; }

 private:
  std::atomic<Exemplars*> first_{nullptr};
};

/// Memory is taken when the first exemplar comes: 48 bytes for each bucket of the series.
class Exemplars {
 public:
  Exemplars(ExemplarNews& news, std::uint32_t series, std::uint32_t buckets) noexcept
      : news_(news), series_(series), buckets_(buckets) {}
  Exemplars(const Exemplars&) = delete;
  Exemplars& operator=(const Exemplars&) = delete;

  /// Keeps the exemplar in place of an older one of its bucket; forgets it when another thread is at it or memory is
  /// short, for there will be others.
  void offer(std::uint32_t bucket, double value, const TraceContext& trace) noexcept;
  /// In the child of a fork, where no other thread is: forgets everything.
  void start_over() noexcept;

 private:
  friend class ExemplarNews;
  struct Slot {
    double value = 0;
    std::uint64_t unix_time_ns = 0;
    TraceContext trace;
    bool is_new = false;
  };
  void take(std::vector<wire::Exemplar>& out);

  ExemplarNews& news_;
  const std::uint32_t series_, buckets_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic_flag is_busy_;            ///< Guards slots_.
  std::atomic<bool> is_listed_{false};  ///< In news_.
  Exemplars* next_in_news_ = nullptr;
};

}  // namespace midst::push::detail
