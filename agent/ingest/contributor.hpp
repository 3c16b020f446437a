// The seam between the Store and what else brings pushed series: text protocols write their families into the same
// snapshot, and each side asks the other before it takes a family's name.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <chrono>
#include <string_view>
#include <vector>

namespace midst::ingest {

using SteadyTime = std::chrono::steady_clock::time_point;

class Contributor {
 public:
  Contributor() = default;
  Contributor(const Contributor&) = delete;
  Contributor& operator=(const Contributor&) = delete;
  virtual ~Contributor() = default;

  /// Appends its families as they stand at `now`.
  virtual void write(metrics::SnapshotBuilder& builder, SteadyTime now) = 0;
  /// @return the rows of its own families; those of its clients are not known beforehand.
  [[nodiscard]] virtual std::vector<metrics::MetricSpec> specs() const = 0;
  /// @return whether its clients have a family of that name, which nobody else then may define.
  [[nodiscard]] virtual bool has_family(std::string_view name) const = 0;
};

}  // namespace midst::ingest
