#include "agent/sources/postgres/collector_memory.hpp"

#include <utility>

namespace midst::sources {
namespace {

/// How long a collector rests that the server or the role does not allow: an extension or a grant may come later.
constexpr std::chrono::minutes back_off{5};

/// SQLSTATE of a statement that was skipped because one before it failed; never the cause.
constexpr std::string_view skipped = "25P02";

}  // namespace

std::optional<Error> cause_of_failure(std::span<const pq::Rows> answers) {
  const pq::Rows* cause = nullptr;
  for (const auto& answer : answers)
    if (answer.error() && (cause == nullptr || cause->sqlstate() == skipped)) cause = &answer;
  return cause == nullptr ? std::nullopt : cause->error();
}

void CollectorMemory::prepare(int server_version, Edition edition) {
  queries_.clear();
  for (const auto& query : collector_->queries)
    if (query.fits(server_version, edition)) queries_.push_back(&query);
  answers_.clear();
  answered_at_.reset();
  retry_at_.reset();
}

bool CollectorMemory::is_due(Deadline now) const noexcept {
  if (queries_.empty()) return false;
  if (retry_at_ && now < *retry_at_) return false;
  return !answered_at_ || now - *answered_at_ >= collector_->ttl;
}

Change CollectorMemory::succeed(std::vector<pq::Rows> answers, std::chrono::nanoseconds took, Deadline now) {
  const bool had_failed = last_error_.has_value();
  last_duration_ = took;
  last_error_.reset();
  is_ok_ = true;
  answers_ = std::move(answers);
  answered_at_ = now;
  return had_failed ? Change::recovered : Change::none;
}

Change CollectorMemory::fail(Error error, std::chrono::nanoseconds took, Deadline now) {
  const bool is_news = !last_error_ || last_error_->code != error.code;
  last_duration_ = took;
  ++failures_[error.code];
  if (error.code == Errc::unsupported || error.code == Errc::noperm) retry_at_ = now + back_off;
  last_error_ = std::move(error);
  is_ok_ = false;
  answers_.clear();
  answered_at_.reset();
  return is_news ? Change::failed : Change::none;
}

}  // namespace midst::sources
