// What a catalogue row says of a metric. Every table of the agent is made of these.
#pragma once

#include <cstdint>
#include <string_view>

namespace midst::metrics {

/// The types of the exposition formats. `unknown` is "untyped" in text 0.0.4.
enum class MetricType : std::uint8_t { counter, gauge, histogram, summary, unknown, info, stateset };

/// @return "counter", "gauge", … as OpenMetrics spells it ("unknown", not "untyped").
[[nodiscard]] constexpr std::string_view word(MetricType type) noexcept {
  constexpr std::string_view words[] = {"counter", "gauge", "histogram", "summary", "unknown", "info", "stateset"};
  return words[static_cast<std::size_t>(type)];
}

/// One family: what its name, type, unit and help are. The name is the series name of text 0.0.4, so a counter
/// carries its "_total" here where it has one; a counter without it stays so in every format (drop-in names).
struct MetricSpec {
  std::string_view name;
  MetricType type = MetricType::unknown;
  std::string_view unit;  ///< OpenMetrics UNIT ("seconds", "bytes") or empty; written only if the name ends in it.
  std::string_view help;  ///< One sentence; what a reader of a dashboard needs to know.
  /// The names of its labels, sorted, with commas between; "*": they depend on the target. Without those that a whole
  /// target carries, and without le and quantile. For the catalogue only.
  std::string_view labels = {};
};

}  // namespace midst::metrics
