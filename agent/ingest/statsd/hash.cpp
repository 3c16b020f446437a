#include "agent/ingest/statsd/hash.hpp"

#include <random>
#include <utility>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t first_slots = 64;

std::uint64_t random_word() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U | device()) | 1U;
}

}  // namespace

const HashKeys& hash_keys() noexcept {
  static const HashKeys keys{random_word(), random_word()};
  return keys;
}

void HashIndex::insert(std::uint64_t hash, std::uint32_t number) {
  if (slots_.empty()) slots_.resize(first_slots);
  if ((used_ + 1) * 4 > slots_.size() * 3) {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const auto& slot : old)
      if (slot.number != none) place(slot);
  }
  place({static_cast<std::uint32_t>(hash), number});
  ++used_;
}

void HashIndex::place(const Slot& slot) {
  auto at = slot.hash & mask();
  while (slots_[at].number != none) at = (at + 1) & mask();
  slots_[at] = slot;
}

void HashIndex::clear() {
  slots_.clear();
  used_ = 0;
}

}  // namespace midst::ingest::statsd
