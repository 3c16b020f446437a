// What lines of known form mean. The lines of a program differ in their values only, so the bytes around the value,
// once understood, need not be taken apart again. Bounded: when it is full it starts anew.
#pragma once

#include "agent/ingest/statsd/cells.hpp"
#include "agent/ingest/statsd/hash.hpp"

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

  /// @return whether the form is known; `target` is what it means then.
  [[nodiscard]] bool find(const LineForm& form, Target& target) const noexcept {
    if (slots_.empty()) return false;
    const auto check = check_of(form.hash);
    for (auto at = form.hash & mask();; at = (at + 1) & mask()) {
      const auto& slot = slots_[at];
      if (slot.entry == none) return false;
      if (slot.check != check) continue;
      const auto& entry = entry_at(slot.entry);
      if (!is_same(entry, form)) continue;
      target = {factors_[entry.factors].weight, factors_[entry.factors].scale, entry.series, entry.divisor,
                entry.oddities};
      return true;
    }
  }
  /// Begins to fetch what find() will look at: the slot, and once that is there, the entry.
  void prefetch_slot(std::uint64_t hash) const noexcept {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask()]);
  }
  void prefetch_entry(std::uint64_t hash) const noexcept {
    if (slots_.empty() || slots_[hash & mask()].entry == none) return;
    const auto* const entry = reinterpret_cast<const char*>(cells_.at(slots_[hash & mask()].entry));
    __builtin_prefetch(entry);
    __builtin_prefetch(entry + 64);
  }

  /// Remembers a form that is not there yet; one that is too long is left out.
  void insert(const LineForm& form, const Target& target);
  void clear();
  [[nodiscard]] std::size_t size_bytes() const noexcept {
    return entry_bytes_ + slots_.capacity() * sizeof(Slot) + factors_.capacity() * sizeof(Factors);
  }

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  /// Its text, both parts of it, lies right behind it.
  struct Entry {
    std::uint32_t series = 0, factors = 0;
    std::uint16_t divisor = 1, before = 0, behind = 0;
    Oddities oddities;
  };
  struct Slot {
    std::uint32_t check = 0, entry = none;
  };
  /// Kept once for many entries: most have none, others the rate of their program.
  struct Factors {
    double weight = 1, scale = 1;
    [[nodiscard]] bool operator==(const Factors&) const = default;
  };

  /// Bits of the hash that say nothing of where a slot is.
  [[nodiscard]] static std::uint32_t check_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32U);
  }
  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  [[nodiscard]] const Entry& entry_at(std::uint32_t block) const noexcept {
    return *reinterpret_cast<const Entry*>(cells_.at(block));
  }
  [[nodiscard]] static bool is_same(const Entry& entry, const LineForm& form) noexcept {
    if (entry.before != form.before.size() || entry.behind != form.behind.size()) return false;
    const auto* const text = reinterpret_cast<const char*>(&entry + 1);
    return std::memcmp(text, form.before.data(), entry.before) == 0 &&
           std::memcmp(text + entry.before, form.behind.data(), entry.behind) == 0;
  }
  [[nodiscard]] static std::uint64_t hash_of(const Entry& entry) noexcept;
  [[nodiscard]] std::uint32_t factors_of(const Target& target);
  void place(std::uint64_t hash, std::uint32_t entry);
  void grow();

  const std::size_t max_bytes_;
  std::vector<Slot> slots_;  ///< A power of two of them.
  std::vector<Factors> factors_;
  Cells cells_;
  std::size_t used_ = 0, entry_bytes_ = 0;
};

}  // namespace midst::ingest::statsd
