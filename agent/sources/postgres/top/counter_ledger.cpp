#include "agent/sources/postgres/top/counter_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace midst::sources {
namespace {

/// Time in which activity halves: some minutes, so that what is busy now comes first and a burst is not forgotten.
constexpr double half_life_seconds = 300;

/// A member that is not in the answers keeps its series this long: statements are evicted and come back.
constexpr std::chrono::hours keeps_gone{1};

/// Totals of keys that had a series once. They go on where they were, should the key get one again.
constexpr std::size_t most_remembered = 512;

/// Sums of milliseconds differ in their last digits with the order of what they sum up; that is no decrease.
constexpr double rounding = 1e-9;

bool is_lower(double now, double before) {
  return now < before * (1 - rounding);
}

bool began_anew(Decrease decrease, std::span<const double> before, std::span<const double> now) {
  bool has_lower = false, has_other = false;
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (std::isnan(now[i]) || !(before[i] > 0)) continue;
    (is_lower(now[i], before[i]) ? has_lower : has_other) = true;
  }
  return has_lower && (decrease == Decrease::row_began_anew || !has_other);
}

bool is_same(std::span<const double> left, std::span<const double> right) {
  return std::memcmp(left.data(), right.data(), left.size_bytes()) == 0;
}

void add(std::span<double> to, std::span<const double> what) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += what[i];
}

}  // namespace

CounterLedger::CounterLedger(LedgerOptions options)
    : options_(std::move(options)),
      top_(options_.limit, options_.hold),
      grown_(width()),
      rest_(width()),
      nameless_before_(width()) {
}

void CounterLedger::begin(Continuity continuity) {
  continuity_ = continuity;
  ++look_;
  left_out_now_ = false;
  order_before_.swap(order_);
  order_.clear();
  next_ = 0;
}

std::optional<std::uint32_t> CounterLedger::id_of(std::string_view key) {
  if (next_ < order_before_.size()) {
    const auto id = order_before_[next_];
    if (keys_[id].text != nullptr && *keys_[id].text == key) return id;
  }
  if (const auto found = ids_.find(key); found != ids_.end()) return found->second;
  if (ids_.size() >= options_.max_keys) {
    ++untracked_;
    left_out_now_ = true;
    return std::nullopt;
  }
  auto id = static_cast<std::uint32_t>(keys_.size());
  if (free_keys_.empty()) {
    keys_.emplace_back();
    before_.resize(before_.size() + options_.lanes * (width() + 1));
  } else {
    id = free_keys_.back();
    free_keys_.pop_back();
  }
  const auto made = ids_.emplace(key, id).first;
  keys_[id] = Key{};
  keys_[id].text = &made->first;
  keys_[id].is_new = true;
  return id;
}

std::optional<std::uint32_t> CounterLedger::take(const CountedRow& row) {
  const auto id = id_of(row.key);
  if (!id) return id;
  auto& key = keys_[*id];
  // Answers mostly have the order of the one before.
  if (key.look != 0) next_ = key.position + 1;
  key.position = static_cast<std::uint32_t>(order_.size());
  order_.push_back(*id);
  if (key.look != look_) {
    key.look = look_;
    key.fresh = key.size = 0;
    key.lanes_now = 0;
  }
  const auto lane = static_cast<std::uint8_t>(1U << row.lane);
  auto* before = &before_[(*id * options_.lanes + row.lane) * (width() + 1)];
  const std::span<double> counters(before + 1, width());
  key.lanes_now |= lane;
  key.size += row.size;
  if ((key.lanes & lane) != 0) {
    // Most rows of thousands have not changed.
    if (continuity_ == Continuity::same && *before == row.origin && is_same(counters, row.counters)) return id;
    if (*before > 0 && row.origin > *before && continuity_ == Continuity::same)
      std::fill(counters.begin(), counters.end(), 0.0);  // The server says itself that it began anew.
    measure(counters, row.counters);
  } else {
    for (std::size_t i = 0; i < width(); ++i)
      grown_[i] = counts_newcomers() && !std::isnan(row.counters[i]) ? row.counters[i] : 0;
    std::fill(counters.begin(), counters.end(), absent);
  }
  *before = row.origin;
  for (std::size_t i = 0; i < width(); ++i) {
    if (!std::isnan(row.counters[i])) counters[i] = row.counters[i];
    key.fresh += grown_[i] * options_.activity[i];
  }
  if (!key.is_new) add(key.place == no_place ? std::span(rest_) : std::span(places_[key.place].grown), grown_);
  return id;
}

/// Fills grown_. A counter that was absent before has no growth that anybody knows.
void CounterLedger::measure(std::span<const double> before, std::span<const double> now) {
  const bool is_anew = continuity_ == Continuity::reset ||
                       (continuity_ == Continuity::same && began_anew(options_.decrease, before, now));
  for (std::size_t i = 0; i < now.size(); ++i) {
    const double from = is_anew ? 0 : before[i];
    const bool is_known = continuity_ != Continuity::foreign && !std::isnan(now[i]) && !std::isnan(from);
    grown_[i] = is_known ? std::max(0.0, now[i] - from) : 0;
  }
}

/// Without a key nobody knows which row a decrease is of: it only lowers where the next increase counts from.
void CounterLedger::take_nameless(std::span<const double> counters) {
  const bool is_first = !ended_at_;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const double now = std::isnan(counters[i]) ? nameless_before_[i] : counters[i];
    const double from = continuity_ == Continuity::reset || is_first ? 0 : nameless_before_[i];
    if (continuity_ != Continuity::foreign && (was_whole_ || is_first)) rest_[i] += std::max(0.0, now - from);
    nameless_before_[i] = now;
    has_rest_ = has_rest_ || now > 0;
  }
}

void CounterLedger::end(Deadline now, Answer answer) {
  if (answer == Answer::whole) drop_gone(now);
  const auto changed = top_.update(weigh(now), now);
  for (const auto id : changed.displaced) leave(id);
  book_members();
  for (const auto id : changed.joined) join(id);
  for (const auto id : changed.displacing) join(id);
  book_newcomers(answer);
  // Counts of a whole life choose the first members; after that only what happens counts.
  if (!ended_at_)
    for (auto& key : keys_) key.activity = 0;
  has_rest_ = has_rest_ || has_overflowed_;
  members_.clear();
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    const auto& key = keys_[id];
    if (key.place == no_place) continue;
    members_.push_back(id);
    if (key.look == look_) places_[key.place].seen_at = now;
  }
  // Vectors double when they grow; with thousands of keys that is half a megabyte for nothing.
  if (before_.capacity() > before_.size() + before_.size() / 4) before_.shrink_to_fit();
  ended_at_ = now;
  was_whole_ = answer == Answer::whole && !left_out_now_;
}

void CounterLedger::drop_gone(Deadline now) {
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    auto& key = keys_[id];
    if (key.text == nullptr || key.look == look_) continue;
    key.lanes = 0;
    key.fresh = key.size = 0;
    if (key.place != no_place) {
      if (options_.gone == Gone::may_return && now - places_[key.place].seen_at < keeps_gone) continue;
      if (options_.gone == Gone::may_return) remember(id);
      top_.remove(id);
      free_place(id);
    }
    forget(id);
  }
}

std::vector<Candidate> CounterLedger::weigh(Deadline now) {
  const std::chrono::duration<double> past = ended_at_ ? now - *ended_at_ : Deadline::duration(0);
  const double decay = std::exp2(-std::max(0.0, past.count()) / half_life_seconds);
  double activity = 0, size = 0;
  for (auto& key : keys_) {
    if (key.text == nullptr) continue;
    key.activity = key.activity * decay + (key.look == look_ ? key.fresh : 0);
    activity += key.activity;
    size += key.size;
  }
  std::vector<Candidate> candidates;
  candidates.reserve(ids_.size());
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    const auto& key = keys_[id];
    if (key.text == nullptr) continue;
    candidates.push_back({id, (activity > 0 ? key.activity / activity : 0) + (size > 0 ? key.size / size : 0)});
  }
  return candidates;
}

/// What it grew by at this look is nowhere on the page yet, and its series is not there any more: the rest has it.
void CounterLedger::leave(std::uint32_t id) {
  add(rest_, places_[keys_[id].place].grown);
  remember(id);
  free_place(id);
  if (keys_[id].lanes == 0 && keys_[id].look != look_) forget(id);
}

void CounterLedger::book_members() {
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    const auto& key = keys_[id];
    if (key.place == no_place) continue;
    auto& place = places_[key.place];
    if (!place.is_in_step) {
      add(place.total, place.grown);
    } else if (key.look == look_) {
      std::fill(place.total.begin(), place.total.end(), 0.0);
      add_counts_of(id, place.total);
    }
    std::fill(place.grown.begin(), place.grown.end(), 0.0);
  }
}

/// While all keys fit a newcomer begins with its count, as every series of the server would. Later the rest has what it
/// had before, and it begins at zero, or where it once left: what happened at this look would be lost otherwise, since
/// nobody counts the first value of a series.
void CounterLedger::join(std::uint32_t id) {
  auto& key = keys_[id];
  if (free_places_.empty()) {
    key.place = static_cast<std::uint32_t>(places_.size());
    places_.emplace_back();
  } else {
    key.place = free_places_.back();
    free_places_.pop_back();
  }
  auto& place = places_[key.place];
  place.total.assign(width(), 0.0);
  place.grown.assign(width(), 0.0);
  place.is_in_step = false;
  if (const auto found = remembered_at_.find(*key.text); found != remembered_at_.end()) {
    place.total = std::move(found->second->second);
    const auto entry = found->second;
    remembered_at_.erase(found);
    remembered_.erase(entry);
    return;
  }
  if (!key.is_new || has_overflowed_) return;
  add_counts_of(id, place.total);
  place.is_in_step = options_.totals == Totals::follow_server;
  key.is_new = false;
}

void CounterLedger::book_newcomers(Answer answer) {
  for (std::uint32_t id = 0; id < keys_.size(); ++id) {
    auto& key = keys_[id];
    if (key.text == nullptr) continue;
    if (key.is_new && counts_newcomers()) {
      add_counts_of(id, rest_);
      has_rest_ = true;
    }
    key.is_new = false;
    has_overflowed_ = has_overflowed_ || key.place == no_place;
    if (key.look == look_)
      key.lanes = answer == Answer::whole ? key.lanes_now : static_cast<std::uint8_t>(key.lanes | key.lanes_now);
  }
}

void CounterLedger::add_counts_of(std::uint32_t id, std::span<double> to) const {
  const auto& key = keys_[id];
  for (std::size_t lane = 0; lane < options_.lanes; ++lane) {
    if ((key.lanes_now & (1U << lane)) == 0) continue;
    const auto* counters = &before_[(id * options_.lanes + lane) * (width() + 1) + 1];
    for (std::size_t i = 0; i < width(); ++i)
      if (!std::isnan(counters[i])) to[i] += counters[i];
  }
}

void CounterLedger::remember(std::uint32_t id) {
  auto& key = keys_[id];
  remembered_.emplace_front(*key.text, std::move(places_[key.place].total));
  remembered_at_[remembered_.front().first] = remembered_.begin();
  if (remembered_.size() <= most_remembered) return;
  remembered_at_.erase(remembered_.back().first);
  remembered_.pop_back();
}

void CounterLedger::free_place(std::uint32_t id) {
  free_places_.push_back(keys_[id].place);
  keys_[id].place = no_place;
}

void CounterLedger::forget(std::uint32_t id) {
  ids_.erase(ids_.find(*keys_[id].text));
  keys_[id] = Key{};
  free_keys_.push_back(id);
}

std::span<const double> CounterLedger::counters_of(std::uint32_t member) const {
  return places_[keys_[member].place].total;
}

}  // namespace midst::sources
