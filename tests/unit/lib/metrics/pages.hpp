// Expositions that several tests of the encoders look at from different sides.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <functional>
#include <memory>

namespace midst::metrics::test {

/// @return one finished snapshot filled by `fill`.
std::shared_ptr<const Snapshot> snapshot_of(const std::function<void(SnapshotBuilder&)>& fill);

/// @return a page of one snapshot.
Exposition page_of(const std::function<void(SnapshotBuilder&)>& fill);

/// Every type, escape, exemplar, created time, native histogram and each family that OpenMetrics must rename or split;
/// two snapshots that share families and a duplicate. The goldens tests/golden/encode/everything.* are this page.
Exposition everything();

/// What a linter has nothing to say against: names, units and help as the conventions want them.
Exposition well_named();

}  // namespace midst::metrics::test
