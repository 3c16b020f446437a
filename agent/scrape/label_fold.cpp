#include "agent/scrape/label_fold.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace midst::scrape {
namespace {

using metrics::Arena;
using metrics::Distribution;
using metrics::Family;
using metrics::LabelSet;
using metrics::MetricType;

std::uint64_t key_of(std::string_view family, LabelSet labels) noexcept {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  const std::hash<std::string_view> hash;
  return (hash(family) * odd) ^ hash(labels.text);
}

/// The columns of a family while they are made anew.
struct Columns {
  std::vector<LabelSet> labels;
  std::vector<double> values, created;
  std::vector<Distribution> distributions;

  void store(Family& family, Arena& arena) const {
    family.labels = arena.copy(std::span<const LabelSet>(labels));
    family.values = arena.copy(std::span<const double>(values));
    family.created = arena.copy(std::span<const double>(created));
    family.distributions = arena.copy(std::span<const Distribution>(distributions));
  }
};

/// The earliest time at which a sample of each group began; none when it is not known of all.
std::vector<double> earliest(std::span<const double> created, const std::vector<std::uint32_t>& of,
                             std::size_t groups) {
  if (created.empty()) return {};
  std::vector<double> times(groups, HUGE_VAL);
  for (std::size_t i = 0; i < created.size(); ++i) times[of[i]] = std::min(times[of[i]], created[i]);
  return times;
}

/// Exemplars move to the series that their sample is part of now; a bucket shows its first one.
void move_exemplars(Family& family, Arena& arena, const std::vector<std::uint32_t>& of) {
  if (family.exemplars.empty()) return;
  std::vector<metrics::Exemplar> moved(family.exemplars.begin(), family.exemplars.end());
  for (auto& exemplar : moved) exemplar.sample = of[exemplar.sample];
  std::stable_sort(moved.begin(), moved.end(), [](const auto& a, const auto& b) { return a.sample < b.sample; });
  family.exemplars = arena.copy(std::span<const metrics::Exemplar>(moved));
}

double folded(Fold fold, double so_far, double value) noexcept {
  switch (fold) {
    case Fold::sum:
      return so_far + value;
    case Fold::max:
      return std::max(so_far, value);
    case Fold::min:
      return std::min(so_far, value);
    case Fold::left_out:
      break;
  }
  return so_far;
}

bool is_finite(std::span<const double> values) noexcept {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

/// The numbers of a histogram in the order of LabelFold::Rising.
void numbers_of(const Distribution& distribution, std::vector<double>& out) {
  out.clear();
  for (const auto count : distribution.cumulative) out.push_back(static_cast<double>(count));
  out.push_back(static_cast<double>(distribution.count));
  out.push_back(distribution.sum);
}

}  // namespace

void LabelFold::begin() {
  if (seen_ == 0) return;  // nothing was folded: a target that is down is not forgotten
  constexpr std::size_t spare = 1024, max_series = 200'000;
  constexpr std::uint64_t patience = 60;
  const auto keep_from = series_.size() > max_series ? collection_ : collection_ - std::min(collection_, patience);
  if (series_.size() > 2 * seen_ + spare) {
    const auto is_old = [&](const auto& entry) { return entry.second.seen_in < keep_from; };
    std::erase_if(series_, is_old);
    std::erase_if(totals_, is_old);
  }
  ++collection_;
  seen_ = 0;
}

std::uint64_t LabelFold::apply(Family& family, Arena& arena, std::span<const std::string> names, Fold gauges) {
  const auto groups = group(family, arena, names);
  switch (family.type) {
    case MetricType::counter:
      fold_counters(family, arena, groups);
      return 0;
    case MetricType::histogram:
      return fold_histograms(family, arena, groups);
    case MetricType::summary:
      return fold_summaries(family, arena, groups);
    default:
      return fold_gauges(family, arena, groups, gauges);
  }
}

LabelFold::Groups LabelFold::group(const Family& family, Arena& arena, std::span<const std::string> names) {
  Groups groups;
  std::unordered_map<std::string_view, std::uint32_t> known;
  std::string text;
  for (const auto& labels : family.labels) {
    text.clear();
    metrics::append_without(text, labels, names);
    auto found = known.find(text);
    if (found == known.end()) {
      const auto stored = arena.copy(text);
      found = known.emplace(stored, static_cast<std::uint32_t>(groups.labels.size())).first;
      groups.labels.push_back({stored});
      groups.size.push_back(0);
    }
    groups.of.push_back(found->second);
    ++groups.size[found->second];
  }
  return groups;
}

void LabelFold::add_up(const Family& family, std::size_t sample, LabelSet group, std::span<const double> now) {
  auto& total = totals_[key_of(family.name, group)];
  if (total.values.size() != now.size()) total.values.assign(now.size(), 0);
  total.seen_in = collection_;
  auto& series = series_[key_of(family.name, family.labels[sample])];
  series.seen_in = collection_;
  ++seen_;
  if (!is_finite(now)) return;
  const auto telling = now.size() == 1 ? 0 : now.size() - 2;  // the count of a histogram: its sum may fall
  const bool is_anew = series.values.size() != now.size() || now[telling] < series.values[telling];
  for (std::size_t i = 0; i < now.size(); ++i) total.values[i] += is_anew ? now[i] : now[i] - series.values[i];
  series.values.assign(now.begin(), now.end());
}

const LabelFold::Rising& LabelFold::total(const Family& family, LabelSet group) const {
  return totals_.at(key_of(family.name, group));
}

void LabelFold::fold_counters(Family& family, Arena& arena, const Groups& groups) {
  for (std::size_t i = 0; i < family.values.size(); ++i)
    add_up(family, i, groups.labels[groups.of[i]], family.values.subspan(i, 1));
  Columns columns;
  columns.labels = groups.labels;
  for (const auto& labels : groups.labels) columns.values.push_back(total(family, labels).values.front());
  columns.created = earliest(family.created, groups.of, groups.labels.size());
  move_exemplars(family, arena, groups.of);
  columns.store(family, arena);
}

std::uint64_t LabelFold::fold_gauges(Family& family, Arena& arena, const Groups& groups, Fold gauges) {
  std::vector<double> values(groups.labels.size());
  std::vector<bool> has_value(groups.labels.size());
  for (std::size_t i = 0; i < family.values.size(); ++i) {
    const auto to = groups.of[i];
    values[to] = has_value[to] ? folded(gauges, values[to], family.values[i]) : family.values[i];
    has_value[to] = true;
  }
  Columns columns;
  std::uint64_t left_out = 0;
  for (std::size_t i = 0; i < groups.labels.size(); ++i) {
    if (groups.size[i] > 1 && gauges == Fold::left_out) {
      left_out += groups.size[i];
      continue;
    }
    columns.labels.push_back(groups.labels[i]);
    columns.values.push_back(values[i]);
  }
  family.exemplars = {};  // gauges have none in any format
  columns.store(family, arena);
  return left_out;
}

std::uint64_t LabelFold::fold_histograms(Family& family, Arena& arena, const Groups& groups) {
  Columns columns;
  columns.labels = groups.labels;
  columns.distributions.resize(groups.labels.size());
  std::vector<bool> has_bounds(groups.labels.size());
  std::vector<double> now;
  std::uint64_t left_out = 0;
  for (std::size_t i = 0; i < family.distributions.size(); ++i) {
    const auto& from = family.distributions[i];
    auto& to = columns.distributions[groups.of[i]];
    if (has_bounds[groups.of[i]] && !std::ranges::equal(to.bounds, from.bounds)) {
      left_out += from.bounds.size() + 3;
      continue;
    }
    to.bounds = from.bounds;
    has_bounds[groups.of[i]] = true;
    numbers_of(from, now);
    add_up(family, i, groups.labels[groups.of[i]], now);
  }
  for (std::size_t i = 0; i < groups.labels.size(); ++i) {
    const auto& values = total(family, groups.labels[i]).values;
    auto& to = columns.distributions[i];
    const std::vector<std::uint64_t> counts(values.begin(), values.end() - 2);
    to.cumulative = arena.copy(std::span<const std::uint64_t>(counts));
    to.count = static_cast<std::uint64_t>(values[values.size() - 2]);
    to.sum = values.back();
  }
  columns.created = earliest(family.created, groups.of, groups.labels.size());
  move_exemplars(family, arena, groups.of);
  columns.store(family, arena);
  return left_out;
}

std::uint64_t LabelFold::fold_summaries(Family& family, Arena& arena, const Groups& groups) {
  Columns columns;
  std::uint64_t left_out = 0;
  for (std::size_t i = 0; i < family.distributions.size(); ++i) {
    if (groups.size[groups.of[i]] > 1) {
      left_out += family.distributions[i].bounds.size() + 2;
      continue;
    }
    columns.labels.push_back(groups.labels[groups.of[i]]);
    columns.distributions.push_back(family.distributions[i]);
    if (!family.created.empty()) columns.created.push_back(family.created[i]);
  }
  family.exemplars = {};
  columns.store(family, arena);
  return left_out;
}

}  // namespace midst::scrape
