// Under which name and type OpenMetrics 1.0 allows a family. Used inside lib/metrics only.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <string_view>

namespace midst::metrics {

/// How a family is announced. Its samples keep their names whatever the shape.
struct OpenMetricsShape {
  std::string_view name;  ///< On the TYPE line: without "_total" for a counter, without "_info" for an info.
  MetricType type;
  bool is_split = false;  ///< Histogram or summary that breaks the rules: `unknown` families, one a series name.
};

/// @return the family's own type where all its samples keep that type's rules ("Metric types" of OpenMetrics 1.0), else
/// unknown (or gauge for info and stateset). A reader may drop the whole page for one broken rule, so this looks at
/// every sample; it costs about a nanosecond each.
[[nodiscard]] OpenMetricsShape openmetrics_shape(const MergedFamily& merged);

}  // namespace midst::metrics
