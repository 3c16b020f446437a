#include "agent/ingest/statsd/memo.hpp"

#include <limits>
#include <new>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t first_slots = 1024;
constexpr std::size_t longest_part = std::numeric_limits<std::uint16_t>::max();

}  // namespace

void Memo::insert(const LineForm& form, const Target& target) {
  if (form.before.size() > longest_part || form.behind.size() > longest_part) return;
  const auto size = sizeof(Entry) + form.before.size() + form.behind.size();
  if (size_bytes() + size > max_bytes_) clear();
  if (slots_.empty()) slots_.resize(first_slots);
  if ((used_ + 1) * 8 > slots_.size() * 5) {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const auto& slot : old)
      if (slot.entry != nullptr) place(slot);
  }
  auto* const entry = new (arena_.allocate(size, alignof(Entry))) Entry;
  entry->target = target;
  entry->before = static_cast<std::uint16_t>(form.before.size());
  entry->behind = static_cast<std::uint16_t>(form.behind.size());
  auto* const text = reinterpret_cast<char*>(entry + 1);
  std::memcpy(text, form.before.data(), form.before.size());
  std::memcpy(text + entry->before, form.behind.data(), form.behind.size());
  place({form.hash, entry});
  ++used_;
}

void Memo::place(const Slot& slot) {
  auto at = slot.hash & mask();
  while (slots_[at].entry != nullptr) at = (at + 1) & mask();
  slots_[at] = slot;
}

void Memo::clear() {
  slots_ = {};
  arena_ = {};
  used_ = 0;
}

}  // namespace midst::ingest::statsd
