// What lines of known form mean. The lines of a program differ in their values only, so the bytes around the value,
// once understood, need not be taken apart again. Bounded: when it is full it starts anew.
#pragma once

#include "agent/ingest/statsd/hash.hpp"
#include "lib/metrics/arena.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

/// What is to be counted beside the values, each at most 15.
struct Oddities {
  std::uint16_t skipped_sections : 4 = 0, malformed_tags : 4 = 0, duplicate_tags : 4 = 0, bare_tags : 4 = 0;

  [[nodiscard]] bool operator==(const Oddities&) const = default;
};

/// Where the values of a line go.
struct Target {
  double weight = 1;                       ///< One over the sample rate.
  double scale = 1;                        ///< What values are multiplied by, …
  std::uint32_t series = HashIndex::none;  ///< none: nowhere, a rule drops them.
  std::uint16_t divisor = 1;               ///< … and divided by.
  Oddities oddities;
};

/// The bytes of a line before its value's colon and behind its value's bar.
struct LineForm {
  std::string_view before, behind;
  std::uint64_t hash = 0;
};

[[nodiscard]] inline LineForm line_form(std::string_view before, std::string_view behind,
                                        const HashKeys& keys) noexcept {
  return {before, behind, hash_text(behind, keys, hash_text(before, keys, keys.second))};
}

class Memo {
 public:
  /// @param max_bytes  of memory, about.
  explicit Memo(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  [[nodiscard]] const Target* find(const LineForm& form) const noexcept {
    if (slots_.empty()) return nullptr;
    for (auto at = form.hash & mask();; at = (at + 1) & mask()) {
      const auto& slot = slots_[at];
      if (slot.entry == nullptr) return nullptr;
      if (slot.hash == form.hash && is_same(*slot.entry, form)) return &slot.entry->target;
    }
  }
  /// Begins to fetch what find() will look at: the slot, and once that is there, the entry.
  void prefetch_slot(std::uint64_t hash) const noexcept {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask()]);
  }
  void prefetch_entry(std::uint64_t hash) const noexcept {
    if (slots_.empty()) return;
    const auto* const entry = reinterpret_cast<const char*>(slots_[hash & mask()].entry);
    __builtin_prefetch(entry);  // nullptr does no harm
    __builtin_prefetch(entry + 64);
  }

  /// Remembers a form that is not there yet; one that is too long is left out.
  void insert(const LineForm& form, const Target& target);
  void clear();
  [[nodiscard]] std::size_t size_bytes() const noexcept {
    return arena_.size_bytes() + slots_.capacity() * sizeof(Slot);
  }

 private:
  /// Its text, both parts of it, lies right behind it.
  struct Entry {
    Target target;
    std::uint16_t before = 0, behind = 0;
  };
  struct Slot {
    std::uint64_t hash = 0;
    const Entry* entry = nullptr;
  };

  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  [[nodiscard]] static bool is_same(const Entry& entry, const LineForm& form) noexcept {
    if (entry.before != form.before.size() || entry.behind != form.behind.size()) return false;
    const auto* const text = reinterpret_cast<const char*>(&entry + 1);
    return std::memcmp(text, form.before.data(), entry.before) == 0 &&
           std::memcmp(text + entry.before, form.behind.data(), entry.behind) == 0;
  }
  void place(const Slot& slot);

  const std::size_t max_bytes_;
  std::vector<Slot> slots_;  ///< A power of two of them.
  metrics::Arena arena_;
  std::size_t used_ = 0;
};

}  // namespace midst::ingest::statsd
