#include "lib/metrics/page.hpp"

#include <charconv>
#include <cmath>

namespace midst::metrics {
namespace {

/// Whole doubles below this are exact and keep all their digits.
constexpr double exact_limit = 9007199254740992.0;  // 2^53

char* write_special(char* to, double value) noexcept {
  if (std::isnan(value)) return write_text(to, "NaN");
  return write_text(to, value > 0 ? "+Inf" : "-Inf");
}

}  // namespace

char* write_number(char* to, std::uint64_t value) noexcept {
  return std::to_chars(to, to + number_bytes, value).ptr;
}

char* write_number(char* to, double value) noexcept {
  if (std::abs(value) < exact_limit) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) return std::to_chars(to, to + number_bytes, whole).ptr;
  } else if (!std::isfinite(value)) {
    return write_special(to, value);
  }
  return std::to_chars(to, to + number_bytes, value).ptr;
}

char* write_bound(char* to, double value) noexcept {
  if (!std::isfinite(value)) return write_special(to, value);
  // Go's %g with shortest digits has an exponent below 1e-04 and from 1e+06 on; checked with Go 1.26 strconv, 2025-11.
  const bool is_plain = value == 0 || (std::abs(value) >= 1e-4 && std::abs(value) < 1e6);
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  return std::to_chars(to, to + number_bytes, value, format).ptr;
}

std::size_t expected_text_bytes(const Exposition& exposition) noexcept {
  constexpr std::size_t header_bytes = 64, line_bytes = 24, bucket_line_bytes = 40;
  std::size_t bytes = header_bytes;
  for (const auto& merged : exposition.families) {
    bytes += header_bytes + merged.head->help.size() + 3 * merged.head->name.size();
    for (const auto& part : merged.parts) {
      const auto& family = *part.family;
      const auto name = family.name.size();
      if (family.distributions.empty()) {
        bytes += family.labels.size() * (name + line_bytes);
        for (const auto& labels : family.labels) bytes += labels.text.size();
      }
      for (std::size_t i = 0; i < family.distributions.size(); ++i)
        bytes +=
            (family.distributions[i].bounds.size() + 3) * (name + family.labels[i].text.size() + bucket_line_bytes);
      bytes += family.exemplars.size() * 192;
    }
  }
  return bytes;
}

}  // namespace midst::metrics
