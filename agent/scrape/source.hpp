// The one seam of the agent: what the Scraper asks and what every source (redis, postgres, pgbouncer, ingest, self)
// answers.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace midst::scrape {

/// Who a source is, in labels, logs and selections.
struct SourceId {
  std::string kind;    ///< "redis", "postgres", "pgbouncer", "push", "agent".
  std::string target;  ///< The configured name; empty for push and agent, which are no targets.
};

/// Where a source's target is, for people.
struct Whereabouts {
  std::string address;                    ///< Without secrets; empty: none.
  std::chrono::milliseconds retry_in{0};  ///< How long no attempt is made, since the last ones failed.
};

/// A target, or a store, that can be collected. Used on the loop thread only; the Scraper never runs two collect()
/// of one Source at a time.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] virtual const SourceId& id() const noexcept = 0;

  /// Every family this source can deliver with a fixed name; for `midst-agent metrics` and the documentation test.
  [[nodiscard]] virtual std::vector<metrics::MetricSpec> specs() const = 0;

  /// Collects one snapshot, including the source's own "up 1" family. Never throws; honours cancellation within one
  /// I/O step.
  /// @param deadline  absolute; a late source yields Errc::timeout, not a partial snapshot.
  /// @return families in catalogue order, or why the target could not be collected.
  [[nodiscard]] virtual asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) = 0;

  /// What the page says of this source when the attempt ended in `error` (or is still running past its deadline):
  /// "up 0" and whatever tells why, in bounded words. Pure: no I/O.
  [[nodiscard]] virtual metrics::Snapshot down(const Error& error) const = 0;

  [[nodiscard]] virtual Whereabouts whereabouts() const { return {}; }

  /// @return what the last collection asked of the target, how often that is asked, and what stood in the way: text for
  /// people. Empty where a source has nothing to tell.
  [[nodiscard]] virtual std::string explain() const { return {}; }
};

}  // namespace midst::scrape
