#include "agent/sources/redis/sampler/space_saving.hpp"

#include "agent/sources/redis/sampler/key_fanout.hpp"

#include <algorithm>
#include <tuple>

namespace midst::sources::redis_info {

SpaceSaving::SpaceSaving(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {
  index_.reserve(capacity_);
  counts_.reserve(capacity_);
  errors_.reserve(capacity_);
  ids_.reserve(capacity_);
}

void SpaceSaving::add(PrefixView id) {
  if (const auto found = index_.find(id); found != index_.end()) {
    ++counts_[found->second];
    return;
  }
  if (counts_.size() < capacity_) {
    const auto added = index_.try_emplace(PrefixId{id.database, std::string(id.pattern)}, counts_.size()).first;
    counts_.push_back(1);
    errors_.push_back(0);
    ids_.push_back(&added->first);
    return;
  }
  const auto place = static_cast<std::size_t>(std::min_element(counts_.begin(), counts_.end()) - counts_.begin());
  auto node = index_.extract(*ids_[place]);
  node.key().database = id.database;
  node.key().pattern.assign(id.pattern);
  ids_[place] = &index_.insert(std::move(node)).position->first;
  errors_[place] = counts_[place]++;
}

std::vector<SpaceSaving::Found> SpaceSaving::ranked() const {
  std::vector<Found> all;
  all.reserve(ids_.size());
  for (std::size_t i = 0; i < ids_.size(); ++i) all.push_back({*ids_[i], counts_[i] - errors_[i]});
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return std::tie(b.guaranteed, a.id.database, a.id.pattern) < std::tie(a.guaranteed, b.id.database, b.id.pattern);
  });
  return all;
}

void SpaceSaving::forget_below(std::string_view prefix, std::string_view separators) {
  for (std::size_t place = 0; place < ids_.size();) {
    if (folded_pattern(ids_[place]->pattern, prefix, separators).empty()) {
      ++place;
      continue;
    }
    index_.erase(*ids_[place]);
    counts_[place] = counts_.back();
    errors_[place] = errors_.back();
    ids_[place] = ids_.back();
    counts_.pop_back();
    errors_.pop_back();
    ids_.pop_back();
    if (place < ids_.size()) index_[*ids_[place]] = place;
  }
}

void SpaceSaving::clear() {
  index_.clear();
  counts_.clear();
  errors_.clear();
  ids_.clear();
}

}  // namespace midst::sources::redis_info
