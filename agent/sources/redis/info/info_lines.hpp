// INFO lines that hold several values each, one line per thing: I/O threads, masters of a Sentinel, script engines,
// certificates. Pure. Used by info.cpp for what no row of the catalogue has.
#pragma once

#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace midst::sources::redis_info {

/// Takes `prefix` off the front of `text`. @return whether it was there.
bool strip(std::string_view& text, std::string_view prefix) noexcept;
/// @return whether there is at least one character, and all are '0' to '9'.
[[nodiscard]] bool is_digits(std::string_view text) noexcept;

/// One masterN line of a Sentinel; what it does not say is empty.
struct SentinelMaster {
  std::string_view name, status, address;
  double slaves = 0, sentinels = 0;
};
/// @param field  "master0"; @param value  "name=main,status=ok,address=10.0.0.1:6379,slaves=2,sentinels=3".
/// @return nothing when the field has no number or slaves or sentinels is none.
[[nodiscard]] std::optional<SentinelMaster> parse_sentinel_master(std::string_view field,
                                                                  std::string_view value) noexcept;

/// Takes the lines of one INFO.
class LineReader {
 public:
  /// @param max_lines  further ones of all kinds together are counted only.
  LineReader(std::size_t max_lines, metrics::SnapshotBuilder& builder) : max_lines_(max_lines), builder_(builder) {}

  /// @return whether the field is of one of the kinds, readable or not.
  bool read(std::string_view field, std::string_view value);
  /// @return lines above the limit, and the family that stands for them.
  [[nodiscard]] std::size_t folded() const noexcept { return folded_; }

 private:
  bool has_room();
  void read_thread(std::string_view thread, std::string_view value);
  void read_engine(std::string_view value);
  void add_sentinel_master(const SentinelMaster& master);

  std::size_t max_lines_;
  metrics::SnapshotBuilder& builder_;
  std::size_t lines_ = 0, folded_ = 0;
};

/// @return the families of this part that families.hpp does not have.
[[nodiscard]] std::span<const metrics::MetricSpec> line_specs() noexcept;

}  // namespace midst::sources::redis_info
