// What is remembered of one collector between scrapes, for one database: the statements planned for the server, the
// last answer while it may be served again, failures by reason, when it is due. No I/O and no clock: `now` is handed
// in.
#pragma once

#include "agent/sources/postgres/plan.hpp"
#include "agent/sources/postgres/query.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/pq/rows.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace midst::sources {

/// Whether a collector's state is another than after the scrape before: what is worth a log line.
enum class Change : std::uint8_t { none, failed, recovered };

/// @return why an attempt with these answers failed: the first error that is not merely the echo of another one.
[[nodiscard]] std::optional<Error> cause_of_failure(std::span<const pq::Rows> answers);

/// How often a collector is asked.
struct Schedule {
  std::chrono::milliseconds ttl{0};  ///< An answer is served again for this long.
  double max_share = 0.05;           ///< See Pace.
  std::chrono::seconds refused_retry{300};
};

class CollectorMemory {
 public:
  CollectorMemory(const Collector& collector, Schedule schedule, const Limits& limits);

  /// Plans the statements for a server and forgets what it answered before; called for each new connection.
  /// @return Change::failed when an extension that it needs is missing now.
  Change prepare(const ServerFacts& facts);
  /// Plans anew on the same connection; what was answered stays where the plan does.
  Change plan_again(const ServerFacts& facts);

  /// @return the statements for the server; empty when it has nothing to offer to this collector.
  [[nodiscard]] std::span<const PlannedQuery> queries() const noexcept { return queries_; }
  /// @return whether this server has statements for it, or only lacks an extension.
  [[nodiscard]] bool is_offered() const noexcept { return !queries_.empty() || is_missing_; }
  /// @return whether it is to be asked now: not answered within its interval() and not resting after a failure.
  [[nodiscard]] bool is_due(Deadline now) const noexcept;
  /// @return what the ttl has become with the collector's cost: the longer of ttl and cost / max_share.
  [[nodiscard]] std::chrono::nanoseconds interval() const noexcept;

  /// Takes the answers to queries(), in their order, none of which failed.
  /// @param took  time between the answer before the first and the last of these.
  Change succeed(std::vector<pq::Rows> answers, std::chrono::nanoseconds took, Deadline now);
  /// Notes a failed attempt and drops the answers of the one before. Errc::unsupported and Errc::noperm rest for
  /// refused_retry; a timeout of a second or more rests for longer each time.
  Change fail(Error error, std::chrono::nanoseconds took, Deadline now);
  /// Makes the collector due at the next scrape.
  void expire() noexcept { answered_at_.reset(); }

  /// Adds the samples of the last answer, if the last attempt succeeded.
  void add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const;

  [[nodiscard]] const Collector& collector() const noexcept { return *collector_; }
  /// @return whether the last attempt succeeded.
  [[nodiscard]] bool is_ok() const noexcept { return is_ok_; }
  /// @return the rows of the last answers; empty where a treatment has taken them.
  [[nodiscard]] std::span<const pq::Rows> answers() const noexcept { return answers_; }
  /// @return when the answers that add() shows were received.
  [[nodiscard]] std::optional<Deadline> answered_at() const noexcept { return answered_at_; }
  [[nodiscard]] std::chrono::nanoseconds last_duration() const noexcept { return last_duration_; }
  [[nodiscard]] const std::optional<Error>& last_error() const noexcept { return last_error_; }
  /// @return failed attempts by reason since the start.
  [[nodiscard]] const std::map<Errc, std::uint64_t>& failures() const noexcept { return failures_; }
  /// @return values and rows left out since the start.
  [[nodiscard]] const Interpretation& left_out() const noexcept { return left_out_; }

 private:
  void forget_answers() noexcept;

  const Collector* collector_;
  Schedule schedule_;
  std::unique_ptr<Treatment> treatment_;
  std::vector<PlannedQuery> queries_;
  std::vector<pq::Rows> answers_;
  std::optional<Deadline> answered_at_, retry_at_;
  std::optional<Error> last_error_;
  std::map<Errc, std::uint64_t> failures_;
  std::chrono::nanoseconds last_duration_{0}, cost_{0};
  unsigned timeouts_ = 0;  ///< In a row.
  mutable Interpretation left_out_;
  mutable bool is_counted_ = false;  ///< Whether left_out_ has what the answers leave out.
  bool is_ok_ = false;
  bool is_missing_ = false;
};

}  // namespace midst::sources
