// What the backends are busy with or wait for, looked at once a second and counted here: waits between two scrapes
// show too. Fed by the sampler's loop in the Postgres source; pure, no clock.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "agent/sources/postgres/top/sample_counts.hpp"
#include "agent/sources/postgres/treatment.hpp"
#include "lib/base/deadline.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstdint>
#include <span>

namespace midst::sources {

/// The counters of one target's sampler. Memory: Limits::waits pairs and Limits::statements queries, with as many
/// candidates again; whatever does not fit is counted under "_other".
class WaitSamples {
 public:
  explicit WaitSamples(const Limits& limits);

  /// Takes one look: the answer to wait_samples_collector's statement.
  /// @return what of it could not be used.
  Interpretation take(const TableView& rows, Deadline now);
  /// Notes a look that was due and did not take place, or failed.
  void missed() noexcept { ++missed_; }

  /// Adds the counters. A series is 0 the first time it is added, so that Prometheus sees it grow from there: a wait
  /// that was seen for a few seconds only would otherwise begin with its last value, and never count.
  /// @param extra  labels that every one of these samples carries besides its own.
  void add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder);

  /// @return the families of add().
  [[nodiscard]] static std::span<const metrics::MetricSpec> specs() noexcept;

 private:
  SampleCounts waits_, queries_;
  std::uint64_t ticks_ = 0, missed_ = 0;
};

}  // namespace midst::sources
