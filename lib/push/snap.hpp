// SNAP, the frame of values in MPP/1: its columns, encoded and decoded. Pure like the rest of the protocol, which is in
// wire.hpp and brings this file along.
#pragma once

#include "lib/base/error.hpp"
#include "lib/push/packed.hpp"
#include "lib/push/trace.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::push::wire {

/// 2^53: from here on a double does not hold every whole number.
inline constexpr std::uint64_t first_inexact = 9007199254740992;

/// What the client has counted of itself since it began; absolute, with every last SNAP frame.
struct ClientReport {
  std::uint64_t skipped_flushes = 0, reconnects = 0, send_errors = 0, overflowed_series = 0;
};

/// A frame of values, not yet unpacked: the columns point into the payload.
struct Snap {
  std::string_view payload;  ///< All of it, as decode_snap() was given it.
  std::uint64_t seq = 0;
  std::uint64_t unix_time_ns = 0;
  bool is_full = false, is_last = false;
  std::string_view integer_ids, integer_values;  ///< Delta-coded ids, then values as varints.
  std::string_view double_ids, double_values;    ///< Delta-coded ids, then 8 bytes each.
  std::vector<std::string_view> histograms;      ///< One HistogramPoint each.
  std::string_view removed_ids;                  ///< Delta-coded; gauges that have no value any more.
  std::vector<std::string_view> exemplars;       ///< One Exemplar each; needs feature_exemplars.
  ClientReport report;
};

/// One histogram of a Snap. Counts are per bucket, not cumulative over buckets, bounds + 1 of them.
struct HistogramPoint {
  std::uint32_t id = 0;
  std::string_view buckets;  ///< Packed varints.
  double sum = 0;
};

/// Bit of Hello::features and Welcome::features: SNAP may carry exemplars.
inline constexpr std::uint64_t feature_exemplars = 1U << 1;

/// One measurement of a counter or a histogram and the trace that it was taken in.
struct Exemplar {
  std::uint32_t id = 0;
  std::uint32_t bucket = 0;  ///< Histogram: index of the bucket; its number of bounds is +Inf. Counter: 0.
  double value = 0;          ///< Observed, or added to the counter.
  std::uint64_t unix_time_ns = 0;
  TraceContext trace;
};

/// Builds the SNAP frames of one snapshot, one frame at a time.
class SnapEncoder {
 public:
  /// Whole numbers below first_inexact travel as varints, all other values as doubles. Ids must ascend.
  void add(std::uint32_t id, std::uint64_t value) {
    integer_ids_.append_varint(id - last_integer_id_);
    integer_values_.append_varint(value);
    last_integer_id_ = id;
  }
  void add(std::uint32_t id, double value);
  void add(std::uint32_t id, const std::vector<std::uint64_t>& buckets, double sum);
  void add(const Exemplar& exemplar);
  /// The gauge has no value any more. Ids must ascend here too.
  void remove(std::uint32_t id) {
    removed_ids_.append_varint(id - last_removed_id_);
    last_removed_id_ = id;
  }
  /// @return payload bytes so far, an upper bound.
  [[nodiscard]] std::size_t size_bytes() const noexcept {
    constexpr std::size_t rest = 128;  // seq, time, flags, report, and the tags and lengths of the columns
    return integer_ids_.size() + integer_values_.size() + double_ids_.size() + double_values_.size() +
           histograms_.size() + exemplars_.size() + removed_ids_.size() + rest;
  }
  /// Appends the frame to `out` and starts over with an empty one.
  /// @param rest  its seq, time, flags and report are written, its columns are not looked at.
  void finish(std::string& out, const Snap& rest);

 private:
  Column integer_ids_, integer_values_, double_ids_, double_values_, histograms_, exemplars_, removed_ids_, head_,
      buckets_;
  std::uint32_t last_integer_id_ = 0, last_double_id_ = 0, last_removed_id_ = 0;
};

/// Read one payload, and one element of Snap::histograms and Snap::exemplars; Errc::protocol names what is wrong.
[[nodiscard]] Result<Snap> decode_snap(std::string_view payload);
[[nodiscard]] Result<HistogramPoint> decode_histogram(std::string_view point);
[[nodiscard]] Result<Exemplar> decode_exemplar(std::string_view exemplar);

}  // namespace midst::push::wire
