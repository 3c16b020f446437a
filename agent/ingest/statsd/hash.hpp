// A keyed hash of short texts, and an index of numbers by such hashes. The key is drawn once per process, so that
// nobody outside can make texts collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

__extension__ using Wide = unsigned __int128;

/// The process's own keys.
struct HashKeys {
  std::uint64_t first, second;
};
[[nodiscard]] const HashKeys& hash_keys() noexcept;

/// Both halves of the product folded into one: every bit of either factor matters.
[[nodiscard]] inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

template <class Word>
[[nodiscard]] inline std::uint64_t read_word(const char* from) noexcept {
  Word word{};
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// @param start  what came before; hash_keys().second at the beginning.
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text, const HashKeys& keys,
                                             std::uint64_t start) noexcept {
  const char* at = text.data();
  auto left = text.size();
  for (; left > 16; at += 16, left -= 16)
    start = folded_product(read_word<std::uint64_t>(at) ^ keys.first, read_word<std::uint64_t>(at + 8) ^ start);
  std::uint64_t head = 0, tail = 0;
  if (left >= 8) {
    head = read_word<std::uint64_t>(at);
    tail = read_word<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    head = read_word<std::uint32_t>(at);
    tail = read_word<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    head = static_cast<unsigned char>(at[0]) |
           static_cast<std::uint64_t>(static_cast<unsigned char>(at[left / 2])) << 8U |
           static_cast<std::uint64_t>(static_cast<unsigned char>(at[left - 1])) << 16U;
  }
  return folded_product(keys.first ^ text.size(), folded_product(head ^ keys.first, tail ^ start));
}

[[nodiscard]] inline std::uint64_t hash_text(std::string_view text) noexcept {
  const auto& keys = hash_keys();
  return hash_text(text, keys, keys.second);
}

/// Numbers by the hash of something the caller keeps. Grows by itself; nothing is taken out but by clear().
class HashIndex {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  /// @param is_same  whether the thing of that number is the one meant.
  template <class IsSame>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, IsSame is_same) const {
    if (slots_.empty()) return none;
    const auto wanted = static_cast<std::uint32_t>(hash);
    for (auto at = wanted & mask();; at = (at + 1) & mask()) {
      const auto& slot = slots_[at];
      if (slot.number == none) return none;
      if (slot.hash == wanted && is_same(slot.number)) return slot.number;
    }
  }
  void insert(std::uint64_t hash, std::uint32_t number);
  void clear();
  [[nodiscard]] std::size_t size_bytes() const noexcept { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t hash = 0, number = none;
  };
  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  void place(const Slot& slot);

  std::vector<Slot> slots_;  ///< A power of two of them.
  std::size_t used_ = 0;
};

}  // namespace midst::ingest::statsd
