#include "agent/ingest/statsd/table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace midst::ingest::statsd {
namespace {

constexpr std::string_view overflow_value = "__overflow__";
/// A full table looks for expired series at most this often: a look at all of them.
constexpr std::uint32_t sweep_interval_seconds = 10;
/// Up to so many bounds are compared one by one.
constexpr std::size_t most_counted_bounds = 16;

metrics::MetricType type_of(Kind kind) noexcept {
  if (kind == Kind::counter) return metrics::MetricType::counter;
  return kind == Kind::histogram ? metrics::MetricType::histogram : metrics::MetricType::gauge;
}

std::uint32_t take(std::vector<std::uint32_t>& free, std::size_t next) {
  if (free.empty()) return static_cast<std::uint32_t>(next);
  const auto index = free.back();
  free.pop_back();
  return index;
}

/// Of a histogram: one more than its buckets.
std::size_t cell_count(std::size_t bounds) noexcept {
  return bounds + 2;
}

/// @return the first bound that is not below the value.
std::size_t bucket_of(const std::vector<double>& bounds, double value) noexcept {
  if (bounds.size() > most_counted_bounds)
    return static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin());
  std::size_t below = 0;  // counting has no branch to guess wrong
  for (const double bound : bounds) below += bound < value ? 1 : 0;
  return below;
}

}  // namespace

std::string_view word(Overflow reason) noexcept {
  static constexpr std::string_view words[overflow_count] = {"none", "family_limit", "total_limit", "bytes_limit"};
  return words[static_cast<std::size_t>(reason)];
}

Table::Table(TableLimits limits, std::function<Fault(std::string_view name)> is_taken)
    : limits_(limits), is_taken_(std::move(is_taken)) {
}

std::span<std::uint64_t> Table::buckets(const Series& series) noexcept {
  return {cells_.at(series.detail) + 1, families_[series.family].bounds.size() + 1};
}

std::span<const std::uint64_t> Table::buckets(const Series& series) const noexcept {
  return {cells_.at(series.detail) + 1, families_[series.family].bounds.size() + 1};
}

std::uint64_t Table::hash_of(std::uint32_t family, std::string_view labels) noexcept {
  const auto& keys = hash_keys();
  return hash_text(labels, keys, keys.second + family);
}

std::size_t Table::cost(const Family& family, std::size_t label_bytes) noexcept {
  const auto buckets = family.kind == Kind::histogram ? cell_count(family.bounds.size()) * sizeof(std::uint64_t) : 0;
  return sizeof(Series) + Cells::count_of(label_bytes) * sizeof(std::uint64_t) + buckets +
         (family.kind == Kind::set ? sizeof(Set) : 0);
}

bool Table::is_expired(const Series& series, std::uint32_t now_seconds) const noexcept {
  return series.ttl_seconds != 0 && series.seen_seconds + std::uint64_t{series.ttl_seconds} <= now_seconds;
}

Fault Table::find_family(const FamilyWish& wish, std::uint32_t& index) {
  if (const auto found = by_name_.find(wish.name); found != by_name_.end()) {
    index = found->second;
    auto& family = families_[index];
    const bool is_same = family.kind == wish.kind &&
                         std::equal(family.bounds.begin(), family.bounds.end(), wish.bounds.begin(), wish.bounds.end());
    if (!is_same && !family.is_restored) return Fault::type_conflict;
    if (!is_same) {
      for (const auto member : family.members) release(member);
      family.members.clear();
      family.overflow = none;
      rebuild_index();
      family.kind = wish.kind;
      family.bounds.assign(wish.bounds.begin(), wish.bounds.end());
    }
    if (std::exchange(family.is_restored, false)) family.help = wish.help;
    return Fault::none;
  }
  if (!wish.is_own)
    if (const auto fault = is_taken_(wish.name); fault != Fault::none) return fault;
  if (families_.size() >= limits_.max_families) return Fault::too_many_families;
  index = static_cast<std::uint32_t>(families_.size());
  auto& family = families_.emplace_back();
  family.name = wish.name;
  family.help = wish.help;
  family.kind = wish.kind;
  family.bounds.assign(wish.bounds.begin(), wish.bounds.end());
  by_name_.emplace(wish.name, index);
  return Fault::none;
}

std::uint32_t Table::find_series(std::uint32_t family, std::string_view labels, std::uint64_t hash) const {
  return index_.find(hash, [&](std::uint32_t number) {
    return series_[number].family == family && labels_of(series_[number]) == labels;
  });
}

Overflow Table::room_for(const Family& family, std::string_view labels) const {
  if (family.members.size() >= limits_.max_series_per_family) return Overflow::family_limit;
  if (series_count() >= limits_.max_series) return Overflow::total_limit;
  return bytes_ + cost(family, labels.size()) > limits_.max_bytes ? Overflow::bytes_limit : Overflow::none;
}

Table::Found Table::find(const FamilyWish& wish, std::vector<metrics::Label>& labels, std::uint32_t ttl_seconds,
                         std::uint32_t now_seconds) {
  std::uint32_t index = none;
  if (const auto fault = find_family(wish, index); fault != Fault::none) return {none, fault};
  const auto text = metrics::label_text(labels);
  if (const auto found = find_series(index, text, hash_of(index, text)); found != none) {
    series_[found].ttl_seconds = ttl_seconds;
    return {found};
  }
  auto overflow = room_for(families_[index], text);
  if (overflow != Overflow::none && now_seconds >= next_sweep_seconds_) {
    next_sweep_seconds_ = now_seconds + sweep_interval_seconds;
    remove_expired(now_seconds);
    overflow = room_for(families_[index], text);
  }
  // Without labels there is nothing to divert from: the one series of a family has its place, as families are limited.
  if (overflow == Overflow::none || labels.empty()) return {make(index, text, ttl_seconds, now_seconds)};
  return {overflow_of(index, labels, now_seconds), Fault::none, overflow};
}

std::uint32_t Table::overflow_of(std::uint32_t family, std::vector<metrics::Label>& labels, std::uint32_t now_seconds) {
  auto& number = families_[family].overflow;
  if (number != none) return number;
  for (auto& label : labels) label.value = overflow_value;
  const auto text = metrics::label_text(labels);
  number = find_series(family, text, hash_of(family, text));
  if (number == none) number = make(family, text, 0, now_seconds);
  return number;
}

std::uint32_t Table::make(std::uint32_t family_index, std::string_view labels, std::uint32_t ttl_seconds,
                          std::uint32_t now_seconds) {
  auto& family = families_[family_index];
  const auto number = take(free_, series_.size());
  if (number == series_.size()) series_.emplace_back();
  auto& series = series_[number];
  series = {};
  series.family = family_index;
  series.kind = family.kind;
  series.ttl_seconds = ttl_seconds;
  if (family.kind == Kind::histogram) {
    series.detail = cells_.take(cell_count(family.bounds.size()));
  }
  if (family.kind == Kind::set) {
    series.detail = take(free_sets_, sets_.size());
    if (series.detail == sets_.size()) sets_.emplace_back();
    sets_[series.detail].window = now_seconds / limits_.set_window_seconds;
  }
  bytes_ += cost(family, labels.size());
  index_.insert(hash_of(family_index, labels), number);
  series.labels = cells_.copy(labels);
  series.label_bytes = static_cast<std::uint32_t>(labels.size());
  family.members.push_back(number);
  return number;
}

/// Its family and the index still name it: the caller sees to both.
void Table::release(std::uint32_t number) {
  auto& series = series_[number];
  bytes_ -= cost(families_[series.family], series.label_bytes);
  cells_.give_back(series.labels, Cells::count_of(series.label_bytes));
  if (series.kind == Kind::histogram)
    cells_.give_back(series.detail, cell_count(families_[series.family].bounds.size()));
  if (series.kind == Kind::set) {
    bytes_ -= sets_[series.detail].members.size_bytes();
    sets_[series.detail] = {};
    free_sets_.push_back(series.detail);
  }
  series = {};
  free_.push_back(number);
}

void Table::rebuild_index() {
  ++generation_;
  index_.clear();
  for (std::uint32_t i = 0; i < series_.size(); ++i)
    if (series_[i].family != none) index_.insert(hash_of(series_[i].family, labels_of(series_[i])), i);
}

void Table::remove_expired(std::uint32_t now_seconds) {
  std::size_t removed = 0;
  for (auto& family : families_)
    removed += std::erase_if(family.members, [&](std::uint32_t number) {
      const bool goes = is_expired(series_[number], now_seconds);
      if (goes) release(number);
      return goes;
    });
  if (removed > 0) rebuild_index();
}

Fault Table::count(std::uint32_t number, double amount, std::uint32_t now_seconds) noexcept {
  auto& series = series_[number];
  const double total = series.value + amount;
  if (!std::isfinite(total)) return Fault::not_finite;
  series.value = total;
  series.seen_seconds = now_seconds;
  series.has_value = true;
  return Fault::none;
}

Fault Table::set(std::uint32_t number, double value, Change change, std::uint32_t now_seconds) noexcept {
  auto& series = series_[number];
  if (change == Change::relative) value += series.value;
  if (!std::isfinite(value)) return Fault::not_finite;
  series.value = value;
  series.seen_seconds = now_seconds;
  series.has_value = true;
  return Fault::none;
}

Fault Table::observe(std::uint32_t number, double value, double weight, std::uint32_t now_seconds) noexcept {
  auto& series = series_[number];
  auto* const cells = cells_.at(series.detail);
  const double sum = series.value + value * weight;
  if (!std::isfinite(sum)) return Fault::not_finite;
  std::uint64_t whole = 1;
  if (weight != 1) {
    const double exact = weight + std::bit_cast<double>(cells[0]);
    const double rounded = std::round(exact);
    cells[0] = std::bit_cast<std::uint64_t>(exact - rounded);
    whole = static_cast<std::uint64_t>(rounded);
  }
  series.value = sum;
  series.seen_seconds = now_seconds;
  series.has_value = true;
  cells[1 + bucket_of(families_[series.family].bounds, value)] += whole;
  return Fault::none;
}

Fault Table::note_member(std::uint32_t number, std::string_view member, std::uint32_t now_seconds) {
  auto& series = series_[number];
  auto& set = sets_[series.detail];
  turn_window(series, set, now_seconds);
  if (bytes_ + set.members.growth_bytes() > limits_.max_bytes) return Fault::no_room;
  const auto before = set.members.size_bytes();
  set.members.add(hash_text(member));
  bytes_ = bytes_ - before + set.members.size_bytes();
  series.seen_seconds = now_seconds;
  return Fault::none;
}

/// Closes the window of the members when it is over: the page shows the last closed one.
void Table::turn_window(Series& series, Set& set, std::uint32_t now_seconds) {
  const auto window = now_seconds / limits_.set_window_seconds;
  if (set.window == window) return;
  series.value = set.window + 1 == window ? set.members.estimate() : 0;
  series.has_value = true;
  bytes_ -= set.members.size_bytes();
  set.members.clear();
  set.window = window;
}

void Table::write(metrics::SnapshotBuilder& builder, std::uint32_t now_seconds) {
  for (const auto& family : families_)
    if (!family.members.empty()) write_family(builder, family, now_seconds);
}

void Table::write_family(metrics::SnapshotBuilder& builder, const Family& family, std::uint32_t now_seconds) {
  auto& samples = builder.family({family.name, type_of(family.kind), "", family.help});
  samples.promise_distinct();
  std::vector<std::uint64_t> cumulative(family.bounds.size());
  for (const auto number : family.members) {
    auto& series = series_[number];
    if (series.kind == Kind::set) turn_window(series, sets_[series.detail], now_seconds);
    if (!series.has_value || is_expired(series, now_seconds)) continue;
    if (series.kind != Kind::histogram) {
      samples.add(builder.prepared(labels_of(series)), series.value);
      continue;
    }
    const auto counts = buckets(series);
    metrics::Distribution distribution;
    for (std::size_t i = 0; i < cumulative.size(); ++i) cumulative[i] = distribution.count += counts[i];
    distribution.count += counts.back();
    distribution.bounds = family.bounds;
    distribution.cumulative = cumulative;
    distribution.sum = series.value;
    samples.add(builder.prepared(labels_of(series)), distribution);
  }
}

}  // namespace midst::ingest::statsd
