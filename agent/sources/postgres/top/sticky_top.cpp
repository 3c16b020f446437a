#include "agent/sources/postgres/top/sticky_top.hpp"

#include <algorithm>

namespace midst::sources {
namespace {

/// A newcomer's weight times this is still more than the member's: below that the two would swap places all the time.
constexpr double clearly = 0.8;

bool is_heavier(const Candidate& left, const Candidate& right) {
  return left.weight != right.weight ? left.weight > right.weight : left.id < right.id;
}

/// Puts the `count` heaviest in front, in order, and drops the others.
void keep_heaviest(std::vector<Candidate>& candidates, std::size_t count) {
  if (count < candidates.size()) {
    std::nth_element(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count), candidates.end(),
                     is_heavier);
    candidates.resize(count);
  }
  std::sort(candidates.begin(), candidates.end(), is_heavier);
}

}  // namespace

Membership StickyTop::update(std::span<const Candidate> candidates, Deadline now) {
  std::vector<double> weights(since_.size(), 0.0);
  std::vector<Candidate> newcomers, displaceable;
  for (const auto& candidate : candidates) {
    if (is_member(candidate.id))
      weights[candidate.id] = candidate.weight;
    else
      newcomers.push_back(candidate);
  }
  const auto room = limit_ == 0 ? newcomers.size() : limit_ - std::min(limit_, size_);
  if (newcomers.size() > room)
    for (std::uint32_t id = 0; id < since_.size(); ++id)
      if (since_[id].is_member && now - since_[id].at >= hold_) displaceable.push_back({id, weights[id]});
  keep_heaviest(newcomers, room + displaceable.size());
  // The lightest member is the first to go; of equal ones the latest by id.
  std::sort(displaceable.begin(), displaceable.end(),
            [](const Candidate& left, const Candidate& right) { return is_heavier(right, left); });

  Membership changed;
  auto newcomer = newcomers.begin();
  for (; newcomer != newcomers.end() && changed.joined.size() < room; ++newcomer)
    changed.joined.push_back(newcomer->id);
  for (auto member = displaceable.begin(); member != displaceable.end() && newcomer != newcomers.end();
       ++member, ++newcomer) {
    if (newcomer->weight * clearly <= member->weight) break;
    changed.displaced.push_back(member->id);
    changed.displacing.push_back(newcomer->id);
  }
  for (const auto id : changed.displaced) remove(id);
  for (const auto id : changed.joined) join(id, now);
  for (const auto id : changed.displacing) join(id, now);
  return changed;
}

void StickyTop::join(std::uint32_t id, Deadline now) {
  if (id >= since_.size()) since_.resize(id + 1);
  since_[id] = {now, true};
  ++size_;
}

void StickyTop::remove(std::uint32_t id) noexcept {
  if (!is_member(id)) return;
  since_[id].is_member = false;
  --size_;
}

}  // namespace midst::sources
