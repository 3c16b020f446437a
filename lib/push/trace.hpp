// Which trace a measurement belongs to: what an exemplar points at. Installed with client.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace midst::push {

/// The ids of a trace and of the span in it, as W3C Trace Context has them.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};

  /// @return whether it names a trace; all zeros do not.
  [[nodiscard]] bool is_valid() const noexcept {
    return std::any_of(trace_id.begin(), trace_id.end(), [](std::uint8_t byte) { return byte != 0; });
  }
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// Reads a `traceparent` header (W3C Trace Context, level 1).
/// @return its ids if it is valid and the trace is sampled: an exemplar of a trace that nobody keeps leads nowhere.
[[nodiscard]] std::optional<TraceContext> sampled_trace(std::string_view traceparent) noexcept;

}  // namespace midst::push
