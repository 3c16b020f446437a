#include "agent/sources/redis/keys/key_checks.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

/// SCANs in one write; each may bring a batch of names.
constexpr std::size_t max_scans_per_round = 16;
constexpr int first_version_with_type = 60000;  // redis.io, SCAN, history

void keep_first(Result<Done>& first, Result<Done> next) {
  if (first && !next) first = std::move(next);
}

}  // namespace

KeyChecks::KeyChecks(KeyChecksOptions options, MakeLook make_look)
    : options_(std::move(options)), make_look_(std::move(make_look)) {
  lanes_.resize(1 + options_.patterns.size());
  for (std::size_t i = 0; i < options_.patterns.size(); ++i) {
    const auto& pattern = options_.patterns[i];
    lanes_[i + 1].walk.emplace(pattern.database, pattern.key, options_.batch_size);
  }
  for (const auto& argument : options_.named) insert(argument.database, argument.key, 0);
}

KeyChecks::Item* KeyChecks::insert(int database, const std::string& key, std::size_t lane) {
  const auto [at, is_new] = items_[database].try_emplace(key);
  auto& item = at->second;
  if (!is_new) return &item;
  item = {database, lane, 0, make_look_(lane == 0 ? KeyOrigin::named : KeyOrigin::scanned), &at->first, false};
  if (lane != 0) ++scanned_count_;
  return &item;
}

void KeyChecks::begin_scrape(bool has_new_pass, const KeyBatch& batch, const Round& round) {
  for (auto* item : asked_) {
    if (item == nullptr) continue;
    item->look->begin();
    lanes_[item->lane].pending.push_front(item);
  }
  asked_.clear();
  for (auto& lane : lanes_) lane.in_flight = 0;
  close_finished(round);
  if (!has_new_pass) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    if (!lanes_[i].is_open) open(i, batch, round);
}

void KeyChecks::open(std::size_t lane, const KeyBatch& batch, const Round& round) {
  auto& opened = lanes_[lane];
  opened.refusal.reset();
  const auto is_refused = [&](int database) {
    const auto* error = batch.refusal(database, round.now);
    if (error != nullptr) opened.refusal = *error;
    return error != nullptr;
  };
  if (opened.walk && is_refused(opened.walk->database())) return;
  ++opened.pass;
  opened.folded = 0;
  if (opened.walk) {
    opened.walk->set_type(round.facts.version >= first_version_with_type ? options_.type : "");
    opened.walk->restart();
  } else {
    for (auto& [database, items] : items_) {
      if (is_refused(database)) continue;
      for (auto& [name, item] : items) {
        if (item.lane != 0) continue;
        item.pass = opened.pass;
        item.look->begin();
        if (!item.look->is_done()) opened.pending.push_back(&item);
      }
    }
    if (opened.pending.empty()) return;
  }
  opened.is_open = true;
  order_.push_back(lane);
}

void KeyChecks::ask(KeyBatch& batch) {
  asked_.clear();
  if (lanes_[0].is_open) ask_lane(0, batch);
  std::size_t scans = 0;
  for (const auto lane : order_) {
    if (lane == 0) continue;
    ask_lane(lane, batch);
    auto& walk = *lanes_[lane].walk;
    const bool has_enough = lanes_[lane].pending.size() >= std::max<std::size_t>(options_.batch_size, 100);
    if (walk.is_done() || has_enough || scans >= max_scans_per_round) continue;
    ++scans;
    ++lanes_[lane].in_flight;
    batch.add(walk.database(), walk.command(), {KeyTicket::Part::scan, static_cast<std::uint32_t>(lane)});
  }
}

void KeyChecks::ask_lane(std::size_t lane, KeyBatch& batch) {
  auto& pending = lanes_[lane].pending;
  while (!pending.empty() && batch.size() < max_key_commands_per_round) {
    auto* item = pending.front();
    pending.pop_front();
    if (item->look->is_done()) continue;
    auto commands = item->look->ask(*item->name);
    for (auto& command : commands)
      batch.add(item->database, std::move(command), {KeyTicket::Part::look, static_cast<std::uint32_t>(asked_.size())});
    asked_.push_back(item);
    ++lanes_[lane].in_flight;
  }
}

Result<Done> KeyChecks::take(std::vector<KeyAnswer>& answers, const Round& round) {
  Result<Done> first = Done{};
  for (std::size_t i = 0; i < answers.size();) {
    const auto ticket = answers[i].ticket;
    if (ticket.part == KeyTicket::Part::scan) {
      keep_first(first, take_scan(ticket.index, answers[i].reply));
    } else if (ticket.part == KeyTicket::Part::look) {
      std::vector<redis::Reply> replies;
      for (; i < answers.size() && answers[i].ticket == ticket; ++i) replies.push_back(std::move(answers[i].reply));
      keep_first(first, take_look(ticket.index, std::move(replies)));
      continue;
    }
    ++i;
  }
  asked_.clear();
  close_finished(round);
  for (const auto& lane : lanes_)
    if (lane.refusal) keep_first(first, *lane.refusal);
  return first;
}

Result<Done> KeyChecks::take_look(std::uint32_t asked, std::vector<redis::Reply> replies) {
  if (asked >= asked_.size()) return Error{Errc::internal, "a reply to no key"};
  auto* item = asked_[asked];
  auto& lane = lanes_[item->lane];
  --lane.in_flight;
  auto taken = item->look->take(std::move(replies));
  if (item->look->is_done())
    item->was_seen_whole = true;
  else
    lane.pending.push_back(item);
  return taken;
}

Result<Done> KeyChecks::take_scan(std::size_t index, redis::Reply& reply) {
  auto& lane = lanes_[index];
  --lane.in_flight;
  const auto names = lane.walk->take(reply);
  if (!names) {
    lane.has_failed = true;  // its items may have replies in this very write: they go when all are read
    return names.error();
  }
  for (const auto& name : *names)
    if (name.type == redis::Reply::Type::string) found(name.text, index);
  return Done{};
}

void KeyChecks::found(const std::string& key, std::size_t index) {
  auto& lane = lanes_[index];
  auto& items = items_[lane.walk->database()];
  if (const auto at = items.find(key); at != items.end()) {
    auto& item = at->second;
    // Named keys and those of another pattern are looked at there; SCAN may bring one key twice.
    if (item.lane != index || item.pass == lane.pass) return;
    item.pass = lane.pass;
    item.look->begin();
    lane.pending.push_back(&item);
  } else if (scanned_count_ < options_.max_keys) {
    auto* item = insert(lane.walk->database(), key, index);
    item->pass = lane.pass;
    item->look->begin();
    lane.pending.push_back(item);
  } else {
    ++lane.folded;
  }
}

void KeyChecks::close_finished(const Round& round) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto& lane = lanes_[i];
    const bool is_at_end = !lane.walk || lane.walk->is_done();
    if (lane.is_open && (lane.has_failed || (is_at_end && lane.in_flight == 0 && lane.pending.empty())))
      close(i, round);
  }
}

void KeyChecks::close(std::size_t index, const Round& round) {
  auto& lane = lanes_[index];
  lane.is_open = false;
  lane.is_whole = !lane.has_failed;
  lane.whole_at = round.unix_now;
  lane.shown_folded = lane.folded;
  lane.pending.clear();
  lane.in_flight = 0;
  std::erase(order_, index);
  if (lane.has_failed) ++lane.pass;  // what it found before may be shown no longer either
  lane.has_failed = false;
  if (lane.walk) drop_unseen(index);
}

void KeyChecks::drop_unseen(std::size_t index) {
  auto& items = items_[lanes_[index].walk->database()];
  scanned_count_ -= std::erase_if(
      items, [&](const auto& each) { return each.second.lane == index && each.second.pass != lanes_[index].pass; });
}

void KeyChecks::add(metrics::SnapshotBuilder& builder) const {
  for (const auto& [database, items] : items_) {
    const auto label = fmt::format("db{}", database);
    for (const auto& [name, item] : items)
      if (item.was_seen_whole && (item.lane == 0 || lanes_[item.lane].is_whole)) item.look->add(label, name, builder);
  }
}

bool KeyChecks::is_open() const noexcept {
  return !order_.empty();
}

bool KeyChecks::has_gap() const noexcept {
  return std::any_of(order_.begin(), order_.end(), [this](std::size_t i) { return !lanes_[i].is_whole; });
}

std::optional<double> KeyChecks::oldest_result() const noexcept {
  std::optional<double> oldest;
  for (const auto& lane : lanes_)
    if (lane.is_whole) oldest = std::min(oldest.value_or(lane.whole_at), lane.whole_at);
  return oldest;
}

std::size_t KeyChecks::elsewhere() const noexcept {
  std::size_t count = 0;
  for (const auto& [database, items] : items_)
    for (const auto& [name, item] : items) count += item.lane == 0 && item.look->is_elsewhere() ? 1 : 0;
  return count;
}

std::size_t KeyChecks::folded() const noexcept {
  std::size_t count = 0;
  for (const auto& lane : lanes_) count += lane.shown_folded;
  return count;
}

void KeyChecks::forget() {
  items_.clear();
  asked_.clear();
  order_.clear();
  scanned_count_ = 0;
  for (auto& lane : lanes_) {
    auto walk = std::move(lane.walk);
    lane = Lane{};
    lane.walk = std::move(walk);
  }
  for (const auto& argument : options_.named) insert(argument.database, argument.key, 0);
}

}  // namespace midst::sources::redis_info
