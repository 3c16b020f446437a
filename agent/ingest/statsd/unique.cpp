#include "agent/ingest/statsd/unique.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t first_slots = 16;
/// 2^14 registers: 1.04 / sqrt(2^14) = 0.8 % (Flajolet et al. 2007).
constexpr unsigned register_bits = 14;
constexpr std::size_t register_count = std::size_t{1} << register_bits;

}  // namespace

void UniqueCounter::add(std::uint64_t hash) {
  if (!registers_.empty()) return note(hash);
  if (members_.empty()) members_.resize(first_slots);
  insert(hash | 1U);  // 0 is a free slot
  if (used_ > exact_limit) {
    registers_.resize(register_count);
    for (const auto member : members_)
      if (member != 0) note(member);
    members_ = {};
    return;
  }
  if (used_ * 2 <= members_.size()) return;
  std::vector<std::uint64_t> old(members_.size() * 2);
  old.swap(members_);
  used_ = 0;
  for (const auto member : old)
    if (member != 0) insert(member);
}

void UniqueCounter::insert(std::uint64_t hash) {
  const auto mask = members_.size() - 1;
  auto at = (hash >> 32U) & mask;
  for (; members_[at] != 0; at = (at + 1) & mask)
    if (members_[at] == hash) return;
  members_[at] = hash;
  ++used_;
}

void UniqueCounter::note(std::uint64_t hash) {
  const auto index = hash >> (64 - register_bits);
  // The lowest bit stands for nothing, see add().
  const auto rank = static_cast<std::uint8_t>(std::countl_zero((hash | 1U) << register_bits) + 1);
  registers_[index] = std::max(registers_[index], rank);
}

double UniqueCounter::estimate() const {
  if (registers_.empty()) return static_cast<double>(used_);
  constexpr auto count = static_cast<double>(register_count);
  constexpr double bias = 0.7213 / (1 + 1.079 / count);
  double sum = 0;
  std::size_t zeros = 0;
  for (const auto rank : registers_) {
    sum += std::ldexp(1.0, -static_cast<int>(rank));
    zeros += rank == 0 ? 1 : 0;
  }
  const double raw = bias * count * count / sum;
  if (raw <= 2.5 * count && zeros > 0) return std::round(count * std::log(count / static_cast<double>(zeros)));
  return std::round(raw);
}

std::size_t UniqueCounter::growth_bytes() const noexcept {
  if (!registers_.empty()) return 0;
  if (members_.empty()) return first_slots * sizeof(std::uint64_t);
  const bool is_about_to_grow = (used_ + 1) * 2 > members_.size();
  if (!is_about_to_grow || used_ >= exact_limit) return 0;  // the registers are smaller than what they replace
  return members_.size() * sizeof(std::uint64_t);
}

std::size_t UniqueCounter::size_bytes() const noexcept {
  return members_.capacity() * sizeof(std::uint64_t) + registers_.capacity();
}

void UniqueCounter::clear() {
  *this = {};
}

}  // namespace midst::ingest::statsd
