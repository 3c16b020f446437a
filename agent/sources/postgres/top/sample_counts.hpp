// Counters of samples by key, begun by this agent: at most N keys have a series of their own, the rest is one counter
// per group. Used by the wait sampler; pure.
#pragma once

#include "agent/sources/postgres/top/sticky_top.hpp"
#include "lib/base/deadline.hpp"
#include "lib/metrics/snapshot.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace midst::sources {

class SampleCounts {
 public:
  /// @param label_names  of a key's parts.  @param limit  keys with a series; zero: no limit but max_keys.
  SampleCounts(std::vector<std::string_view> label_names, std::size_t limit, std::chrono::milliseconds hold);

  /// Adds `count` samples of a key.
  /// @param labels  the values of its labels.  @param rest  those of the series that counts it when it has none.
  void count(std::span<const std::string_view> labels, std::span<const std::string_view> rest, double count);
  /// Ends a look: weights decay, and members may change.
  void end_look(Deadline now);

  /// Adds every series to `family`; one that was never added before as 0.
  void add(std::span<const metrics::Label> extra, metrics::FamilyBuilder& family, metrics::SnapshotBuilder& builder);

  /// @return keys that are remembered, whether they have a series or not.
  [[nodiscard]] std::size_t key_count() const noexcept { return ids_.size(); }

  /// Candidates without a series are forgotten when they have become light, and none is added beyond this.
  static constexpr std::size_t max_keys = 4096;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  struct Series {
    double count = 0;             ///< Since it got its series.
    std::optional<double> shown;  ///< What the page said last.
  };
  struct Key {
    std::string text;              ///< The label values, each with a zero byte behind it.
    std::string rest;              ///< Those of the series for the time without one of its own.
    double weight = 0, fresh = 0;  ///< Decayed samples; samples of this look.
    std::optional<Series> own;
  };

  void put(std::string_view key, Series& series, std::span<const metrics::Label> extra, metrics::FamilyBuilder& family,
           metrics::SnapshotBuilder& builder);
  Series& rest_of(const std::string& rest);

  std::vector<std::string_view> label_names_;
  StickyTop top_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> ids_;
  std::vector<Key> keys_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::string, Series, Hash, std::equal_to<>> rests_;
  std::optional<Deadline> looked_at_;
  std::string scratch_, scratch_rest_;
  std::vector<metrics::Label> scratch_labels_;
};

}  // namespace midst::sources
