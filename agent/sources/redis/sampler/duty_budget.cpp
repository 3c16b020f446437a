#include "agent/sources/redis/sampler/duty_budget.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

using Clock = DutyBudget::Clock;
constexpr std::chrono::seconds window_length{60};
/// No command costs the server less, whatever the round trips say.
constexpr std::chrono::nanoseconds least_per_command{200};
/// What reading a step and writing its replies takes the server outside of its commands.
constexpr std::chrono::microseconds around_commands{20};
constexpr double newest_share = 0.3, greatest_growth = 1.25, greatest_cut = 0.5;

double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

DutyBudget::DutyBudget(DutyBudgetOptions options) : options_(options) {
  options_.duty_cycle = std::clamp(options_.duty_cycle, 0.0001, 1.0);
  options_.min_count = std::max(options_.min_count, 1);
  options_.max_count = std::max(options_.max_count, options_.min_count);
  count_ = options_.min_count;
}

void DutyBudget::note_round_trip(Clock::duration elapsed, Clock::time_point now) {
  turn_window(now);
  current_->shortest = std::min(current_->shortest.value_or(elapsed), elapsed);
}

void DutyBudget::note_step(const Exchange& exchange) {
  adapt(spend(exchange));
}

void DutyBudget::note_check(const Exchange& exchange) {
  (void)spend(exchange);
}

void DutyBudget::note_lost(Clock::time_point begin) {
  turn_window(begin);
  pay(begin, options_.step_target);
}

void DutyBudget::shrink() noexcept {
  count_ = std::max(count_ * greatest_cut, 1.0);
}

Clock::duration DutyBudget::shortest_round_trip() const noexcept {
  std::optional<Clock::duration> shortest;
  for (const auto* window : {&current_, &previous_})
    if (*window && (*window)->shortest)
      shortest = std::min(shortest.value_or(*(*window)->shortest), *(*window)->shortest);
  return shortest.value_or(Clock::duration{0});
}

double DutyBudget::duty_ratio(Clock::time_point now) const noexcept {
  if (!current_ || now - current_->begin >= 2 * window_length) return 0;
  const bool has_previous = previous_ && now - current_->begin < window_length;
  const auto begin = has_previous ? previous_->begin : current_->begin;
  const auto busy = current_->busy + (has_previous ? previous_->busy : Clock::duration{0});
  // The wait after the last step belongs to it, also when it is not over.
  const auto end = std::max(now, next_at_);
  return end > begin ? seconds(busy) / seconds(end - begin) : 0;
}

Clock::duration DutyBudget::spend(const Exchange& exchange) {
  turn_window(exchange.begin);
  const auto elapsed = exchange.end - exchange.begin;
  current_->shortest = std::min(current_->shortest.value_or(elapsed), elapsed);
  const Clock::duration least = least_per_command * static_cast<Clock::duration::rep>(exchange.commands);
  const auto told = exchange.server_time ? std::min(*exchange.server_time + around_commands, elapsed)
                                         : elapsed - shortest_round_trip();
  const auto busy = std::max(told, least);
  pay(exchange.begin, busy);
  return busy;
}

void DutyBudget::pay(Clock::time_point begin, Clock::duration busy) {
  busy_ += busy;
  current_->busy += busy;
  next_at_ = std::max(next_at_, begin) + std::chrono::duration_cast<Clock::duration>(busy / options_.duty_cycle);
}

void DutyBudget::turn_window(Clock::time_point now) {
  if (current_ && now - current_->begin < window_length) return;
  previous_.reset();
  if (current_ && now - current_->begin < 2 * window_length) previous_ = current_;
  current_ = Window{now, Clock::duration{0}, std::nullopt};
}

void DutyBudget::adapt(Clock::duration busy) {
  const double latest = seconds(busy) / count_;
  seconds_per_count_ = seconds_per_count_ ? *seconds_per_count_ * (1 - newest_share) + latest * newest_share : latest;
  const double wanted = seconds(options_.step_target) / std::max(*seconds_per_count_, 1e-12);
  const double next = std::clamp(wanted, count_ * greatest_cut, count_ * greatest_growth);
  count_ = std::clamp(next, static_cast<double>(options_.min_count), static_cast<double>(options_.max_count));
}

}  // namespace midst::sources::redis_info
