// From an Exposition to the bytes of one scrape: which format the server wants, what it is called, and the writing.
// Used by agent/web and the collect command; nothing else knows a wire format of metrics.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <string>
#include <string_view>

namespace midst::metrics {

/// The wire formats of a scrape, least capable first.
enum class Format {
  text,         ///< Prometheus text 0.0.4.
  openmetrics,  ///< OpenMetrics 1.0: units, exemplars, unknown, info and stateset.
  protobuf,     ///< Delimited io.prometheus.client.MetricFamily: also created times and native histograms.
};

/// @return the format to answer an Accept header with. The highest q wins; of equal ones the most capable. OpenMetrics
/// is meant by version 1.0.0, by 0.0.1 (a draft whose readers take 1.0) and by none; text by version 0.0.4 and by none;
/// protobuf only with its proto and encoding=delimited. Wildcards mean text: OpenMetrics and protobuf must be named.
/// A part with q=0, a broken q or another version is no offer; without any offer the answer is text, never a refusal.
[[nodiscard]] Format negotiate(std::string_view accept);

/// @return the Content-Type of a format, with version and charset; never blank, which Prometheus 3 would refuse.
[[nodiscard]] std::string_view content_type(Format format) noexcept;

/// @return the page. Every series keeps its name and labels in all three formats. What OpenMetrics forbids under its
/// own type (a counter that is not called "_total" or is negative, quantiles beyond 0…1, a NaN sum) is written there
/// as `unknown` families of the same series. Samples carry no timestamps.
[[nodiscard]] std::string encode(const Exposition& exposition, Format format);

}  // namespace midst::metrics
