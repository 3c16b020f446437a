#include "agent/sources/postgres/top/sample_counts.hpp"

#include <algorithm>
#include <cmath>

namespace midst::sources {
namespace {

/// Time in which a weight halves: some minutes, so that a burst counts and an hour ago does not.
constexpr double half_life_seconds = 300;

/// A candidate that weighs less has not been seen for a long time: one sample is below this after 33 minutes.
constexpr double forgotten_below = 0.01;

void assign(std::string& text, std::span<const std::string_view> values) {
  text.clear();
  for (const auto value : values) text.append(value).push_back('\0');
}

}  // namespace

SampleCounts::SampleCounts(std::vector<std::string_view> label_names, std::size_t limit, std::chrono::milliseconds hold)
    : label_names_(std::move(label_names)), top_(limit, hold) {
}

void SampleCounts::count(std::span<const std::string_view> labels, std::span<const std::string_view> rest,
                         double count) {
  assign(scratch_, labels);
  assign(scratch_rest_, rest);
  auto found = ids_.find(std::string_view(scratch_));
  if (found == ids_.end()) {
    if (ids_.size() >= max_keys) {
      rest_of(scratch_rest_).count += count;
      return;
    }
    auto id = static_cast<std::uint32_t>(keys_.size());
    if (free_.empty()) {
      keys_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    keys_[id] = {.text = scratch_, .rest = scratch_rest_, .weight = 0, .fresh = 0, .own = std::nullopt};
    found = ids_.emplace(scratch_, id).first;
  }
  keys_[found->second].fresh += count;
}

void SampleCounts::end_look(Deadline now) {
  const std::chrono::duration<double> past = looked_at_ ? now - *looked_at_ : Deadline::duration(0);
  const double decay = std::exp2(-std::max(0.0, past.count()) / half_life_seconds);
  looked_at_ = now;
  std::vector<Candidate> candidates;
  candidates.reserve(ids_.size());
  for (const auto& [text, id] : ids_) {
    auto& key = keys_[id];
    key.weight = key.weight * decay + key.fresh;
    candidates.push_back({id, key.weight});
  }
  const auto changed = top_.update(candidates, now);
  for (const auto id : changed.displaced) {
    auto& key = keys_[id];
    // What the page never said of it would be lost with its series.
    rest_of(key.rest).count += key.own->count - key.own->shown.value_or(0);
    key.own.reset();
  }
  for (const auto id : changed.joined) keys_[id].own.emplace();
  for (const auto id : changed.displacing) keys_[id].own.emplace();
  for (const auto& [id, weight] : candidates) {
    auto& key = keys_[id];
    if (key.fresh > 0) (key.own ? *key.own : rest_of(key.rest)).count += key.fresh;
    key.fresh = 0;
    if (key.own || weight >= forgotten_below) continue;
    ids_.erase(key.text);
    key = {};
    free_.push_back(id);
  }
}

SampleCounts::Series& SampleCounts::rest_of(const std::string& rest) {
  return rests_[rest];
}

void SampleCounts::add(std::span<const metrics::Label> extra, metrics::FamilyBuilder& family,
                       metrics::SnapshotBuilder& builder) {
  for (auto& key : keys_)
    if (key.own) put(key.text, *key.own, extra, family, builder);
  for (auto& [text, series] : rests_) put(text, series, extra, family, builder);
}

void SampleCounts::put(std::string_view key, Series& series, std::span<const metrics::Label> extra,
                       metrics::FamilyBuilder& family, metrics::SnapshotBuilder& builder) {
  scratch_labels_.assign(extra.begin(), extra.end());
  for (const auto name : label_names_) {
    const auto end = key.find('\0');
    scratch_labels_.push_back({name, key.substr(0, end)});
    key.remove_prefix(end + 1);
  }
  series.shown = series.shown ? series.count : 0;
  family.add(builder.labels(scratch_labels_), *series.shown);
}

}  // namespace midst::sources
