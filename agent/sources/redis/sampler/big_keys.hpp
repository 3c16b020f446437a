// The biggest keys of one kind (by memory, or by elements) that the sampler has met. Pure; a fixed number of places.
#pragma once

#include "agent/sources/redis/sampler/prefix_table.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources::redis_info {

struct BigKey {
  int database = 0;
  std::string name;     ///< As the server has it: any bytes.
  std::string pattern;  ///< The prefix it is counted under.
  KeyType type = KeyType::other;
  std::uint64_t size = 0;  ///< Bytes, or elements.
};

/// Keeps what it holds from cycle to cycle; the sampler looks at these keys again in each and offers or erases them.
class BigKeys {
 public:
  explicit BigKeys(std::size_t capacity) : capacity_(capacity) {}

  /// @return whether a key of that size would get a place, or has one.
  [[nodiscard]] bool wants(int database, std::string_view name, std::uint64_t size) const noexcept;
  /// Takes the key in, or notes its new size; the smallest goes when all places are taken.
  void offer(BigKey key);
  void erase(int database, std::string_view name);
  void clear() { keys_.clear(); }

  /// @return the biggest first; of equal ones the first by database and name.
  [[nodiscard]] const std::vector<BigKey>& keys() const noexcept { return keys_; }

 private:
  std::size_t capacity_;
  std::vector<BigKey> keys_;
};

enum class KeyNames { shown, hashed };

/// @return the label of a key: a hash that is the same in every run, or its name in printable UTF-8 of at most 128
/// bytes, cut and marked with the hash when it is longer or binary.
[[nodiscard]] std::string key_label(std::string_view name, KeyNames names);

}  // namespace midst::sources::redis_info
