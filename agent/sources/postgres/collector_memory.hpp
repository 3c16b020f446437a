// What is remembered of one collector between scrapes: the statements chosen for the server, the last answer while it
// may be served again, failures by reason, and until when a collector that this server or role does not allow is left
// alone. No I/O and no clock: the source hands in `now`.
#pragma once

#include "agent/sources/postgres/query.hpp"
#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/pq/rows.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace midst::sources {

/// Whether a collector's state is another than after the scrape before: what is worth a log line.
enum class Change : std::uint8_t { none, failed, recovered };

/// @return why an attempt with these answers failed: the first error that is not merely the echo of another one.
[[nodiscard]] std::optional<Error> cause_of_failure(std::span<const pq::Rows> answers);

class CollectorMemory {
 public:
  explicit CollectorMemory(const Collector& collector) : collector_(&collector) {}

  /// Chooses the statements for a server and forgets answers and back-off; called for each new connection.
  void prepare(int server_version, Edition edition);

  /// @return the statements for the server; empty when it has nothing to offer to this collector.
  [[nodiscard]] std::span<const Query* const> queries() const noexcept { return queries_; }
  /// @return whether it is to be asked now: not answered within its ttl and not backed off.
  [[nodiscard]] bool is_due(Deadline now) const noexcept;

  /// Takes the answers to queries(), in their order, none of which failed.
  /// @param took  time between the answer before the first and the last of these.
  Change succeed(std::vector<pq::Rows> answers, std::chrono::nanoseconds took, Deadline now);
  /// Notes a failed attempt and drops the answers of the one before. Errc::unsupported and Errc::noperm rest for a
  /// while.
  Change fail(Error error, std::chrono::nanoseconds took, Deadline now);
  /// Makes the collector due at the next scrape.
  void expire() noexcept { answered_at_.reset(); }

  [[nodiscard]] const Collector& collector() const noexcept { return *collector_; }
  /// @return whether the last attempt succeeded; its answers() are then to be shown.
  [[nodiscard]] bool is_ok() const noexcept { return is_ok_; }
  [[nodiscard]] std::span<const pq::Rows> answers() const noexcept { return answers_; }
  [[nodiscard]] std::chrono::nanoseconds last_duration() const noexcept { return last_duration_; }
  [[nodiscard]] const std::optional<Error>& last_error() const noexcept { return last_error_; }
  /// @return failed attempts by reason since the start.
  [[nodiscard]] const std::map<Errc, std::uint64_t>& failures() const noexcept { return failures_; }

  std::uint64_t unreadable_values = 0;  ///< Left out since the start.
  std::uint64_t rows_over_limit = 0;    ///< Left out since the start.

 private:
  const Collector* collector_;
  std::vector<const Query*> queries_;
  std::vector<pq::Rows> answers_;
  std::optional<Deadline> answered_at_, retry_at_;
  std::optional<Error> last_error_;
  std::map<Errc, std::uint64_t> failures_;
  std::chrono::nanoseconds last_duration_{0};
  bool is_ok_ = false;
};

}  // namespace midst::sources
