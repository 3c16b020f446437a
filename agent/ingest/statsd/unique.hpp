// How many different members a set has: exact while they are few, then estimated (HyperLogLog).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace midst::ingest::statsd {

class UniqueCounter {
 public:
  /// Members that are counted exactly.
  static constexpr std::size_t exact_limit = 4096;

  /// @param hash  of the member; 64 good bits.
  void add(std::uint64_t hash);
  /// @return what the next add() would take of memory beyond what is taken now.
  [[nodiscard]] std::size_t growth_bytes() const noexcept;
  /// @return exact up to exact_limit, then with a standard error of 0.8 %.
  [[nodiscard]] double estimate() const;
  [[nodiscard]] std::size_t size_bytes() const noexcept;
  /// Forgets the members and gives the memory back.
  void clear();

 private:
  void insert(std::uint64_t hash);
  void note(std::uint64_t hash);

  std::vector<std::uint64_t> members_;  ///< Open addressing, 0 is free; a power of two.
  std::size_t used_ = 0;
  std::vector<std::uint8_t> registers_;  ///< In use when not empty.
};

}  // namespace midst::ingest::statsd
