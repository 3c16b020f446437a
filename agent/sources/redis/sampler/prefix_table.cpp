#include "agent/sources/redis/sampler/prefix_table.hpp"

#include "agent/sources/redis/sampler/key_fanout.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace midst::sources::redis_info {
namespace {

constexpr std::string_view type_words[] = {"string", "list", "set", "zset", "hash", "stream", "other"};
static_assert(std::size(type_words) == key_type_count);

/// A row that no key of a cycle was counted in shows 0 once and goes the next time.
constexpr std::uint32_t empty_cycles_to_go = 2;

bool is_before(const PrefixRow& a, const PrefixRow& b) {
  const bool a_is_other = a.id.pattern == other_prefix, b_is_other = b.id.pattern == other_prefix;
  return std::tie(a_is_other, a.id.database, a.id.pattern) < std::tie(b_is_other, b.id.database, b.id.pattern);
}

}  // namespace

KeyType key_type(std::string_view text) noexcept {
  for (std::size_t i = 0; i < key_type_count; ++i)
    if (type_words[i] == text) return static_cast<KeyType>(i);
  return KeyType::other;
}

std::string_view word(KeyType type) noexcept {
  return type_words[static_cast<std::size_t>(type)];
}

void PrefixTotals::add(const KeyLook& look) noexcept {
  if (look.memory_bytes) {
    ++memory_samples;
    memory_bytes += *look.memory_bytes;
  }
  if (look.type) {
    ++type_samples;
    ++types[static_cast<std::size_t>(*look.type)];
  }
  if (!look.ttl_ms) return;
  ++ttl_samples;
  if (*look.ttl_ms < 0) {
    ++without_ttl;
    return;
  }
  const double seconds = static_cast<double>(*look.ttl_ms) / 1000;
  const auto bound = std::lower_bound(ttl_bounds_seconds.begin(), ttl_bounds_seconds.end(), seconds);
  ++ttl_counts[static_cast<std::size_t>(bound - ttl_bounds_seconds.begin())];
  ttl_seconds += seconds;
}

void PrefixTotals::merge(const PrefixTotals& other) noexcept {
  keys += other.keys;
  asked += other.asked;
  memory_samples += other.memory_samples;
  memory_bytes += other.memory_bytes;
  type_samples += other.type_samples;
  for (std::size_t i = 0; i < types.size(); ++i) types[i] += other.types[i];
  ttl_samples += other.ttl_samples;
  without_ttl += other.without_ttl;
  for (std::size_t i = 0; i < ttl_counts.size(); ++i) ttl_counts[i] += other.ttl_counts[i];
  ttl_seconds += other.ttl_seconds;
}

PrefixTable::PrefixTable(PrefixTableOptions options)
    : options_(std::move(options)), candidates_(options_.max_candidates) {
  rows_.reserve(options_.max_prefixes);
}

PrefixTotals& PrefixTable::count(PrefixView id) {
  auto index = row_of(id);
  // A pattern that happens to be called like the rest belongs to it.
  if (!index && rows_.size() < options_.max_prefixes && id.pattern != other_prefix) {
    add_row({id.database, std::string(id.pattern)});
    index = rows_.size() - 1;
  }
  if (!index && id.pattern != other_prefix) candidates_.add(id);
  auto& totals = index ? rows_[*index].totals : other(id.database);
  ++totals.keys;
  return totals;
}

PrefixTotals& PrefixTable::find(PrefixView id) {
  const auto index = row_of(id);
  return index ? rows_[*index].totals : other(id.database);
}

void PrefixTable::fold(std::string_view prefix) {
  candidates_.forget_below(prefix, options_.separators);
  for (std::size_t i = 0; i < rows_.size();) {
    auto folded = folded_pattern(rows_[i].id.pattern, prefix, options_.separators);
    if (folded.empty()) {
      ++i;
      continue;
    }
    auto row = std::move(rows_[i]);
    const PrefixId id{row.id.database, std::move(folded)};
    rows_[i].id = row.id;
    remove_row(i);
    if (!row_of({id.database, id.pattern})) add_row(id);
    find({id.database, id.pattern}).merge(row.totals);
  }
}

void PrefixTable::end_cycle() {
  published_ = current();
  elect();
  restart();
}

void PrefixTable::restart() {
  for (auto& row : rows_) row.totals = {};
  others_.clear();
  candidates_.clear();
}

void PrefixTable::clear() {
  rows_.clear();
  index_.clear();
  published_.clear();
  restart();
}

std::vector<PrefixRow> PrefixTable::current() const {
  auto all = rows_;
  all.insert(all.end(), others_.begin(), others_.end());
  std::sort(all.begin(), all.end(), is_before);
  return all;
}

PrefixTotals& PrefixTable::other(int database) {
  for (auto& row : others_)
    if (row.id.database == database) return row.totals;
  return others_.emplace_back(PrefixRow{{database, std::string(other_prefix)}, {}, 0}).totals;
}

std::optional<std::size_t> PrefixTable::row_of(PrefixView id) const {
  const auto found = index_.find(id);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

void PrefixTable::add_row(PrefixId id) {
  index_.try_emplace(id, rows_.size());
  rows_.push_back({std::move(id), {}, 0});
}

void PrefixTable::remove_row(std::size_t index) {
  index_.erase(rows_[index].id);
  if (index + 1 < rows_.size()) {
    rows_[index] = std::move(rows_.back());
    index_[rows_[index].id] = index;
  }
  rows_.pop_back();
}

void PrefixTable::elect() {
  for (std::size_t i = 0; i < rows_.size();) {
    auto& row = rows_[i];
    row.empty_cycles = row.totals.keys == 0 ? row.empty_cycles + 1 : 0;
    if (row.empty_cycles >= empty_cycles_to_go)
      remove_row(i);
    else
      ++i;
  }
  // The weakest first, as they stand now; those that are added below are not up for election.
  std::vector<std::pair<std::uint64_t, PrefixId>> weakest;
  for (const auto& row : rows_) weakest.emplace_back(row.totals.keys, row.id);
  std::sort(weakest.begin(), weakest.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t next = 0;
  for (auto& candidate : candidates_.ranked()) {
    if (rows_.size() >= options_.max_prefixes) {
      if (next == weakest.size()) return;
      const auto& [keys, id] = weakest[next];
      if (static_cast<double>(candidate.guaranteed) <= static_cast<double>(keys) * options_.hysteresis) return;
      remove_row(*row_of({id.database, id.pattern}));
      ++next;
    }
    if (!row_of({candidate.id.database, candidate.id.pattern})) add_row(std::move(candidate.id));
  }
}

}  // namespace midst::sources::redis_info
