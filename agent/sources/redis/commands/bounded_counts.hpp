// Counters of the agent by a label whose values come from outside. Used by the collectors that count log entries.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace midst::sources::redis_info {

/// What is counted under one label: how often, and how much (seconds) where there is such a thing.
struct Count {
  double events = 0, amount = 0;
};

/// At most `limit` labels; those that come later count as "other", for good.
class BoundedCounts {
 public:
  explicit BoundedCounts(std::size_t limit) : limit_(limit) {}

  void add(std::string_view label, Count count);
  [[nodiscard]] const std::map<std::string, Count, std::less<>>& counts() const noexcept { return counts_; }
  /// @return how many labels have been folded; of more than there is room for, so many.
  [[nodiscard]] std::size_t folded() const noexcept { return folded_.size(); }

 private:
  std::size_t limit_;
  std::map<std::string, Count, std::less<>> counts_;
  std::set<std::string, std::less<>> folded_;
};

}  // namespace midst::sources::redis_info
