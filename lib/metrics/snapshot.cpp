#include "lib/metrics/snapshot.hpp"

#include "lib/base/text.hpp"
#include "lib/metrics/label_text.hpp"

#include <algorithm>
#include <cassert>
#include <unordered_set>

namespace midst::metrics {
namespace {

constexpr std::size_t exemplar_limit = 128;  // characters; OpenMetrics 1.0, "Exemplars"

/// Indexes of the samples to keep: of equal label sets, the first.
std::vector<std::uint32_t> distinct(const std::vector<LabelSet>& labels) {
  std::vector<std::uint32_t> kept(labels.size());
  std::unordered_set<std::string_view> seen;
  seen.reserve(labels.size());
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < labels.size(); ++i)
    if (seen.insert(labels[i].text).second) kept[count++] = i;
  kept.resize(count);
  return kept;
}

template <class T>
void keep_only(std::vector<T>& column, const std::vector<std::uint32_t>& kept) {
  if (column.empty()) return;
  for (std::size_t i = 0; i < kept.size(); ++i) column[i] = column[kept[i]];
  column.resize(kept.size());
}

void keep_only(std::vector<Exemplar>& exemplars, const std::vector<std::uint32_t>& kept) {
  std::vector<Exemplar> remaining;
  for (auto exemplar : exemplars) {
    const auto found = std::lower_bound(kept.begin(), kept.end(), exemplar.sample);
    if (found == kept.end() || *found != exemplar.sample) continue;
    exemplar.sample = static_cast<std::uint32_t>(found - kept.begin());
    remaining.push_back(exemplar);
  }
  exemplars = std::move(remaining);
}

template <class T>
std::span<const T> stored(Arena& arena, const std::vector<T>& column) {
  return arena.copy(std::span<const T>(column));
}

}  // namespace

std::size_t Snapshot::size_bytes() const noexcept {
  return sizeof *this + arena_.size_bytes() + families_.capacity() * sizeof(Family);
}

const Family* Snapshot::find(std::string_view name) const noexcept {
  const auto found = std::find_if(families_.begin(), families_.end(), [&](const Family& f) { return f.name == name; });
  return found == families_.end() ? nullptr : &*found;
}

std::size_t series_count(const Family& family) noexcept {
  if (family.distributions.empty()) return family.labels.size();
  const std::size_t beside = family.type == MetricType::histogram ? 3 : 2;  // +Inf, sum and count; or the latter two
  std::size_t count = 0;
  for (const auto& distribution : family.distributions) count += distribution.bounds.size() + beside;
  return count;
}

void Snapshot::edit(const std::function<bool(Family&, Arena&)>& keeps) {
  sample_count_ = 0;
  std::erase_if(families_, [&](Family& family) {
    const bool stays = keeps(family, arena_) && !family.labels.empty();
    if (stays) sample_count_ += family.labels.size();
    return !stays;
  });
}

void FamilyBuilder::add(double value) {
  add(builder_->constant_set_, value);
}

void FamilyBuilder::add(LabelSet labels, double value) {
  assert(spec_.type != MetricType::histogram && spec_.type != MetricType::summary);
  labels_.push_back(labels);
  values_.push_back(value);
}

void FamilyBuilder::add(LabelSet labels, const Distribution& distribution) {
  assert(spec_.type == MetricType::histogram || spec_.type == MetricType::summary);
  auto& arena = builder_->arena_;
  const bool is_histogram = spec_.type == MetricType::histogram;
  Distribution copy = distribution;
  const auto values = is_histogram ? distribution.cumulative.size() : distribution.quantile_values.size();
  copy.bounds = arena.copy(distribution.bounds.first(std::min(values, distribution.bounds.size())));
  copy.cumulative = arena.copy(distribution.cumulative);
  copy.quantile_values = arena.copy(distribution.quantile_values);
  if (distribution.native != nullptr) {
    NativeHistogram native = *distribution.native;
    native.positive_spans = arena.copy(native.positive_spans);
    native.negative_spans = arena.copy(native.negative_spans);
    native.positive_deltas = arena.copy(native.positive_deltas);
    native.negative_deltas = arena.copy(native.negative_deltas);
    copy.native = arena.copy(std::span<const NativeHistogram>(&native, 1)).data();
  }
  labels_.push_back(builder_->without(is_histogram ? "le" : "quantile", labels));
  distributions_.push_back(copy);
}

void FamilyBuilder::set_created(double unix_seconds) {
  created_.resize(labels_.size(), 0);
  created_.back() = unix_seconds;
}

void FamilyBuilder::add_exemplar(std::uint32_t bucket, double value, double timestamp_seconds, LabelSet labels) {
  if (character_count(labels) > exemplar_limit) {
    ++builder_->dropped_exemplar_count_;
    return;
  }
  exemplars_.push_back({static_cast<std::uint32_t>(labels_.size() - 1), bucket, value, timestamp_seconds, labels});
}

SnapshotBuilder::SnapshotBuilder(std::span<const Label> constant) {
  for (const auto& label : constant) constant_.push_back({arena_.copy(label.name), arena_.copy(label.value)});
  constant_set_ = labels(std::span<const Label>());
}

SnapshotBuilder::SnapshotBuilder(const OwnedLabels& constant) {
  for (const auto& [name, value] : constant) constant_.push_back({arena_.copy(name), arena_.copy(value)});
  constant_set_ = labels(std::span<const Label>());
}

LabelSet SnapshotBuilder::labels(std::span<const Label> labels) {
  scratch_labels_.assign(labels.begin(), labels.end());
  scratch_labels_.insert(scratch_labels_.end(), constant_.begin(), constant_.end());
  return store(scratch_labels_);
}

LabelSet SnapshotBuilder::exemplar_labels(std::span<const Label> labels) {
  scratch_labels_.assign(labels.begin(), labels.end());
  return store(scratch_labels_);
}

LabelSet SnapshotBuilder::store(std::vector<Label>& sorted) {
  scratch_text_.clear();
  append_label_text(scratch_text_, sorted);
  return LabelSet{arena_.copy(scratch_text_)};
}

LabelSet SnapshotBuilder::without(std::string_view reserved, LabelSet labels) {
  if (labels.text.find(reserved) == std::string_view::npos) return labels;
  auto pairs = decode(labels);
  const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == reserved; });
  if (found == pairs.end()) return labels;
  found->first = exported(reserved);
  scratch_labels_.clear();
  for (const auto& [name, value] : pairs) scratch_labels_.push_back({name, value});
  return store(scratch_labels_);
}

FamilyBuilder& SnapshotBuilder::family(const MetricSpec& spec) {
  if (const auto found = by_name_.find(spec.name); found != by_name_.end()) return *found->second;
  if (!is_family_name(spec.name)) {
    const auto name = mended_family_name(spec.name);
    return family({name, spec.type, spec.unit, spec.help});
  }
  const auto help = text::is_utf8(spec.help) ? arena_.copy(spec.help) : arena_.copy(text::to_utf8(spec.help));
  const auto key = arena_.copy(spec.name);
  auto name = key;
  if (!naming_.prefix.empty() && key.starts_with(naming_.prefix))
    name = arena_.copy(naming_.replacement + std::string(key.substr(naming_.prefix.size())));
  families_.push_back(FamilyBuilder(*this, {name, spec.type, arena_.copy(spec.unit), help}));
  families_.back().is_left_out_ = naming_.keeps != nullptr && !naming_.keeps(key);
  by_name_.emplace(key, &families_.back());
  return families_.back();
}

Snapshot SnapshotBuilder::freeze() {
  Snapshot snapshot;
  snapshot.families_.reserve(families_.size());
  for (auto& from : families_) {
    if (from.labels_.empty() || from.is_left_out_) continue;
    if (!from.created_.empty()) from.created_.resize(from.labels_.size(), 0);
    if (from.labels_.size() > 1 && !from.is_distinct_) {
      const auto kept = distinct(from.labels_);
      if (kept.size() < from.labels_.size()) {
        snapshot.duplicate_count_ += from.labels_.size() - kept.size();
        keep_only(from.labels_, kept);
        keep_only(from.values_, kept);
        keep_only(from.distributions_, kept);
        keep_only(from.created_, kept);
        keep_only(from.exemplars_, kept);
      }
    }
    snapshot.sample_count_ += from.labels_.size();
    snapshot.families_.push_back({from.spec_.name, from.spec_.unit, from.spec_.help, from.spec_.type,
                                  stored(arena_, from.labels_), stored(arena_, from.values_),
                                  stored(arena_, from.distributions_), stored(arena_, from.created_),
                                  stored(arena_, from.exemplars_)});
  }
  snapshot.dropped_exemplar_count_ = dropped_exemplar_count_;
  snapshot.arena_ = std::move(arena_);
  return snapshot;
}

}  // namespace midst::metrics
