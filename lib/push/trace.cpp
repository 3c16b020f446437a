#include "lib/push/trace.hpp"

#include <span>

namespace midst::push {
namespace {

/// @return the value of a lower-case hexadecimal digit, or 16: the standard forbids upper case.
unsigned digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  return 16;
}

/// @return whether `text` is all of `bytes` in hexadecimal and not all zeros.
bool read(std::string_view text, std::span<std::uint8_t> bytes) noexcept {
  unsigned any = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high > 15 || low > 15) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    any |= bytes[i];
  }
  return any != 0;
}

}  // namespace

std::optional<TraceContext> sampled_trace(std::string_view text) noexcept {
  // version "-" trace id "-" span id "-" flags; a later version may go on after another "-".
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const auto version_high = digit(text[0]), version_low = digit(text[1]);
  if (version_high > 15 || version_low > 15 || (version_high == 15 && version_low == 15)) return std::nullopt;
  const bool is_version_0 = version_high == 0 && version_low == 0;
  if (text.size() > size && (is_version_0 || text[size] != '-')) return std::nullopt;
  const auto flags_high = digit(text[53]), flags_low = digit(text[54]);
  if (flags_high > 15 || flags_low > 15 || (flags_low & 1) == 0) return std::nullopt;
  TraceContext trace;
  if (!read(text.substr(3, 32), trace.trace_id) || !read(text.substr(36, 16), trace.span_id)) return std::nullopt;
  return trace;
}

}  // namespace midst::push
