// The seam between the Store and what else brings pushed series: text protocols write their families into the same
// snapshot, and each side asks the other before it takes a family's name.
#pragma once

#include "lib/base/error.hpp"
#include "lib/metrics/snapshot.hpp"

#include <chrono>
#include <string>
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

  /// @return what restore() needs for its counts to go on after a restart; empty: nothing.
  [[nodiscard]] virtual std::string state() const { return {}; }
  /// Takes what state() of an earlier process has returned; before anything else is fed to it.
  /// @return Errc::protocol when it is not that; nothing is taken then.
  virtual Result<Done> restore(std::string_view) { return Done{}; }
};

}  // namespace midst::ingest
