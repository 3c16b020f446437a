#include "agent/sources/redis/commands/bounded_counts.hpp"

namespace midst::sources::redis_info {

void BoundedCounts::add(std::string_view label, Count count) {
  constexpr std::string_view other = "other";
  auto found = counts_.find(label);
  if (found == counts_.end() && label != other && counts_.size() - counts_.count(other) >= limit_) {
    if (folded_.size() < limit_ && !folded_.contains(label)) folded_.emplace(label);
    label = other;
    found = counts_.find(label);
  }
  if (found == counts_.end()) found = counts_.emplace(label, Count{}).first;
  found->second.events += count.events;
  found->second.amount += count.amount;
}

}  // namespace midst::sources::redis_info
