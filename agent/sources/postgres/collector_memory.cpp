#include "agent/sources/postgres/collector_memory.hpp"

#include "agent/sources/postgres/rows_view.hpp"

#include <algorithm>
#include <utility>

namespace midst::sources {
namespace {

/// SQLSTATE of a statement that was skipped because one before it failed; never the cause.
constexpr std::string_view skipped = "25P02";

/// A collector that ran into its timeout rests this long after the first time, twice as long after the next …
constexpr std::chrono::seconds first_timeout_rest{15};
/// … unless it gave up early: waiting for a lock in vain costs the server next to nothing.
constexpr std::chrono::seconds costly_timeout{1};

/// A pace below this is no pace: nobody scrapes that often.
constexpr std::chrono::seconds shortest_pace{1};

/// How much of the last cost a new one replaces, when it is less: one cheap answer does not make a collector cheap.
constexpr double cost_decay = 0.2;

bool is_same_plan(std::span<const PlannedQuery> left, std::span<const PlannedQuery> right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const PlannedQuery& a, const PlannedQuery& b) { return a.query == b.query && a.sql == b.sql; });
}

}  // namespace

std::optional<Error> cause_of_failure(std::span<const pq::Rows> answers) {
  const pq::Rows* cause = nullptr;
  for (const auto& answer : answers)
    if (answer.error() && (cause == nullptr || cause->sqlstate() == skipped)) cause = &answer;
  return cause == nullptr ? std::nullopt : cause->error();
}

CollectorMemory::CollectorMemory(const Collector& collector, Schedule schedule, const Limits& limits)
    : collector_(&collector), schedule_(schedule) {
  if (collector.make_treatment != nullptr) treatment_ = collector.make_treatment(limits);
}

Change CollectorMemory::prepare(const ServerFacts& facts) {
  queries_.clear();
  forget_answers();
  retry_at_.reset();
  return plan_again(facts);
}

Change CollectorMemory::plan_again(const ServerFacts& facts) {
  auto planned = plan(*collector_, facts);
  is_missing_ = !planned;
  if (planned && is_same_plan(*planned, queries_)) return Change::none;
  queries_.clear();
  forget_answers();
  retry_at_.reset();
  if (!planned) return fail(planned.error(), {}, {});
  queries_ = std::move(*planned);
  return Change::none;
}

bool CollectorMemory::is_due(Deadline now) const noexcept {
  if (queries_.empty()) return false;
  if (retry_at_ && now < *retry_at_) return false;
  return !answered_at_ || now - *answered_at_ >= interval();
}

std::chrono::nanoseconds CollectorMemory::interval() const noexcept {
  const std::chrono::nanoseconds ttl = schedule_.ttl;
  if (schedule_.max_share <= 0) return ttl;
  const auto paced = std::chrono::duration<double, std::nano>(static_cast<double>(cost_.count()) / schedule_.max_share);
  return paced < shortest_pace ? ttl : std::max(ttl, std::chrono::duration_cast<std::chrono::nanoseconds>(paced));
}

Change CollectorMemory::succeed(std::vector<pq::Rows> answers, std::chrono::nanoseconds took, Deadline now) {
  const bool had_failed = last_error_.has_value();
  last_duration_ = took;
  cost_ = std::max(
      took, std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(cost_.count()) * (1 - cost_decay) +
                                                               static_cast<double>(took.count()) * cost_decay)));
  last_error_.reset();
  timeouts_ = 0;
  is_ok_ = true;
  is_counted_ = false;
  answered_at_ = now;
  answers_ = std::move(answers);
  if (treatment_) {
    std::vector<TableView> views;
    std::vector<const Query*> asked;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      views.push_back(view_of(answers_[i]));
      asked.push_back(queries_[i].query);
    }
    const auto read = treatment_->take(asked, views, now);
    left_out_.unreadable += read.unreadable;
    left_out_.rows_over_limit += read.rows_over_limit;
    answers_.clear();
  }
  return had_failed ? Change::recovered : Change::none;
}

Change CollectorMemory::fail(Error error, std::chrono::nanoseconds took, Deadline now) {
  const bool is_news = !last_error_ || last_error_->code != error.code;
  last_duration_ = took;
  ++failures_[error.code];
  if (error.code == Errc::unsupported || error.code == Errc::noperm) retry_at_ = now + schedule_.refused_retry;
  if (error.code == Errc::timeout && took >= costly_timeout) {
    const auto longest = std::chrono::duration_cast<std::chrono::seconds>(schedule_.refused_retry);
    retry_at_ = now + std::min(longest, first_timeout_rest * (1 << std::min(timeouts_, 10U)));
    ++timeouts_;
  }
  last_error_ = std::move(error);
  forget_answers();
  return is_news ? Change::failed : Change::none;
}

void CollectorMemory::forget_answers() noexcept {
  is_ok_ = false;
  answers_.clear();
  answered_at_.reset();
}

void CollectorMemory::add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const {
  if (!is_ok_) return;
  if (treatment_) return treatment_->add(extra, builder);
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const auto read = interpret(*queries_[i].query, view_of(answers_[i]), extra, builder);
    if (is_counted_) continue;
    left_out_.unreadable += read.unreadable;
    left_out_.rows_over_limit += read.rows_over_limit;
  }
  is_counted_ = true;
}

}  // namespace midst::sources
