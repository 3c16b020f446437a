#include "agent/ingest/statsd/memo.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t first_slots = 1024;
constexpr std::size_t longest_part = std::numeric_limits<std::uint16_t>::max();
/// Programs use few rates; who uses more gets an own entry for each line.
constexpr std::ptrdiff_t compared_factors = 16;

}  // namespace

void Memo::insert(const LineForm& form, const Target& target) {
  if (form.before.size() > longest_part || form.behind.size() > longest_part) return;
  const auto count = Cells::count_of(sizeof(Entry) + form.before.size() + form.behind.size());
  if (size_bytes() + count * sizeof(std::uint64_t) > max_bytes_) clear();
  if (slots_.empty() || (used_ + 1) * 8 > slots_.size() * 5) grow();
  const auto block = cells_.take(count);
  auto* const entry = new (cells_.at(block)) Entry;
  entry->series = target.series;
  entry->factors = factors_of(target);
  entry->divisor = target.divisor;
  entry->before = static_cast<std::uint16_t>(form.before.size());
  entry->behind = static_cast<std::uint16_t>(form.behind.size());
  entry->oddities = target.oddities;
  auto* const text = reinterpret_cast<char*>(entry + 1);
  std::memcpy(text, form.before.data(), form.before.size());
  std::memcpy(text + entry->before, form.behind.data(), form.behind.size());
  place(form.hash, block);
  ++used_;
  entry_bytes_ += count * sizeof(std::uint64_t);
}

std::uint32_t Memo::factors_of(const Target& target) {
  const Factors wanted{target.weight, target.scale};
  const auto first = factors_.size() > compared_factors ? factors_.end() - compared_factors : factors_.begin();
  const auto found = std::find(first, factors_.end(), wanted);
  if (found == factors_.end()) {
    factors_.push_back(wanted);
    return static_cast<std::uint32_t>(factors_.size() - 1);
  }
  return static_cast<std::uint32_t>(found - factors_.begin());
}

std::uint64_t Memo::hash_of(const Entry& entry) noexcept {
  const auto* const text = reinterpret_cast<const char*>(&entry + 1);
  return line_form({text, entry.before}, {text + entry.before, entry.behind}, hash_keys()).hash;
}

void Memo::grow() {
  std::vector<Slot> old(std::max(first_slots, slots_.size() * 2));
  old.swap(slots_);
  for (const auto& slot : old)
    if (slot.entry != none) place(hash_of(entry_at(slot.entry)), slot.entry);
}

void Memo::place(std::uint64_t hash, std::uint32_t entry) {
  auto at = hash & mask();
  while (slots_[at].entry != none) at = (at + 1) & mask();
  slots_[at] = {check_of(hash), entry};
}

void Memo::clear() {
  slots_ = {};
  factors_ = {};
  cells_ = {};
  used_ = entry_bytes_ = 0;
}

}  // namespace midst::ingest::statsd
