// What the three writers share: the growing page, the spelling of numbers, and the walk over the samples of a family.
// Used inside lib/metrics only; callers outside know encode.hpp.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace midst::metrics {

/// Bytes being written, with room asked for a line at a time: one check a line instead of one an append.
class Page {
 public:
  /// @param expected_bytes  reserved at once, so that a page is normally allocated once.
  explicit Page(std::size_t expected_bytes) { bytes_.reserve(expected_bytes + step_bytes); }

  /// @return where `size` bytes may be written now; finish them with end().
  [[nodiscard]] char* room(std::size_t size) {
    if (bytes_.size() - used_ < size) bytes_.resize(used_ + std::max(size, step_bytes));
    return bytes_.data() + used_;
  }
  void end(const char* written_to) noexcept { used_ = static_cast<std::size_t>(written_to - bytes_.data()); }

  void append(std::string_view text) { used_ += text.copy(room(text.size()), text.size()); }

  [[nodiscard]] std::string take() && {
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  /// std::string cannot grow without zeroing; in steps this small the zeros stay in the first-level cache.
  static constexpr std::size_t step_bytes = 8 * 1024;
  std::string bytes_;
  std::size_t used_ = 0;
};

/// The most bytes that write_number() or write_bound() need.
inline constexpr std::size_t number_bytes = 32;

/// Writes a sample value, shortest form that reads back equal: "42", "0.1", "1e+22", "+Inf", "-Inf", "NaN".
/// Whole numbers below 2^53 have no exponent. @return behind the last byte.
[[nodiscard]] char* write_number(char* to, double value) noexcept;
[[nodiscard]] char* write_number(char* to, std::uint64_t value) noexcept;

/// Writes an `le` or `quantile` value as Go's strconv.FormatFloat(v, 'g', -1, 64) does ("1", "0.005", "1e+06"), because
/// that is part of the series' name wherever a Go exporter was before. The spelling is one for both text formats:
/// servers before Prometheus 3 do not normalise it, so OpenMetrics' "1.0", which only SHOULD be, would rename series
/// whenever the format changes. Protobuf carries the number itself; there the server spells it (2.42 and 3: "1.0").
[[nodiscard]] char* write_bound(char* to, double value) noexcept;

[[nodiscard]] inline char* write_text(char* to, std::string_view text) noexcept {
  return to + text.copy(to, text.size());
}

/// @return about the bytes the text formats need for the page; not less than that for pages without much HELP.
[[nodiscard]] std::size_t expected_text_bytes(const Exposition& exposition) noexcept;

/// Calls visit(family, index, exemplars) for every sample of a merged family that is not a duplicate, part by part.
template <class Visit>
void for_each_sample(const MergedFamily& merged, Visit visit) {
  for (const auto& part : merged.parts) {
    const Family& family = *part.family;
    auto skipped = part.skipped.begin();
    auto exemplar = family.exemplars.begin();
    for (std::uint32_t i = 0; i < family.labels.size(); ++i) {
      const auto first = exemplar;
      while (exemplar != family.exemplars.end() && exemplar->sample == i) ++exemplar;
      if (skipped != part.skipped.end() && *skipped == i)
        ++skipped;
      else
        visit(family, i, std::span<const Exemplar>(first, exemplar));
    }
  }
}

/// @return the exemplar of a bucket, or nullptr; a sample has few.
[[nodiscard]] inline const Exemplar* exemplar_of(std::span<const Exemplar> exemplars, std::size_t bucket) noexcept {
  for (const auto& exemplar : exemplars)
    if (exemplar.bucket == bucket) return &exemplar;
  return nullptr;
}

[[nodiscard]] std::string encode_text(const Exposition& exposition);
[[nodiscard]] std::string encode_openmetrics(const Exposition& exposition);
[[nodiscard]] std::string encode_protobuf(const Exposition& exposition);

}  // namespace midst::metrics
