#include "lib/push/exemplars.hpp"

#include <time.h>

#include <new>
#include <thread>

namespace midst::push::detail {
namespace {

/// Milliseconds are all that Prometheus keeps, and the coarse clock costs a quarter of the exact one.
std::uint64_t coarse_unix_time_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

void ExemplarNews::add(Exemplars& series) noexcept {
  auto* first = first_.load(std::memory_order_relaxed);
  do {
    series.next_in_news_ = first;
  } while (!first_.compare_exchange_weak(first, &series, std::memory_order_release, std::memory_order_relaxed));
}

void ExemplarNews::take(std::vector<wire::Exemplar>& out) {
  auto* series = first_.exchange(nullptr, std::memory_order_acquire);
  while (series != nullptr) {
    auto* const next = series->next_in_news_;  // read before the series may be listed again
    series->take(out);
    series = next;
  }
}

void Exemplars::offer(std::uint32_t bucket, double value, const TraceContext& trace) noexcept {
  if (bucket >= buckets_ || !trace.is_valid() || is_busy_.test_and_set(std::memory_order_acquire)) return;
  if (!slots_) slots_.reset(new (std::nothrow) Slot[buckets_]);
  const bool has_room = slots_ != nullptr;
  if (has_room) slots_[bucket] = {value, coarse_unix_time_ns(), trace, true};
  is_busy_.clear(std::memory_order_release);
  if (has_room && !is_listed_.exchange(true, std::memory_order_acq_rel)) news_.add(*this);
}

void Exemplars::take(std::vector<wire::Exemplar>& out) {
  is_listed_.exchange(false, std::memory_order_acq_rel);  // first: what comes from now on lists it again
  while (is_busy_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  for (std::uint32_t bucket = 0; bucket < buckets_; ++bucket) {
    auto& slot = slots_[bucket];
    if (!slot.is_new) continue;
    slot.is_new = false;
    out.push_back({series_, bucket, slot.value, slot.unix_time_ns, slot.trace});
  }
  is_busy_.clear(std::memory_order_release);
}

void Exemplars::start_over() noexcept {
  is_busy_.clear();  // its holder may not be in this process
  is_listed_ = false;
  for (std::uint32_t bucket = 0; slots_ && bucket < buckets_; ++bucket) slots_[bucket].is_new = false;
}

}  // namespace midst::push::detail
