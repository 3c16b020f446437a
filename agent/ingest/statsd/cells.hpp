// Memory of histogram buckets: blocks of numbers that stay where they are, named by a number themselves. One look leads
// to a block, without pointers that would each cost a wait for memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace midst::ingest::statsd {

class Cells {
 public:
  /// Cells of the largest block.
  static constexpr std::size_t largest_block = 4096;

  /// @return a block of `count` cells, all 0.
  [[nodiscard]] std::uint32_t take(std::size_t count);
  /// Gives a block back that was taken with the same count.
  void give_back(std::uint32_t block, std::size_t count);

  [[nodiscard]] std::uint64_t* at(std::uint32_t block) noexcept {
    return chunks_[block / chunk_cells].get() + block % chunk_cells;
  }
  [[nodiscard]] const std::uint64_t* at(std::uint32_t block) const noexcept {
    return chunks_[block / chunk_cells].get() + block % chunk_cells;
  }

 private:
  static constexpr std::size_t chunk_cells = 65536;

  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;
  std::size_t left_ = 0;                                          ///< Cells of the last chunk that nobody has taken.
  std::map<std::size_t, std::vector<std::uint32_t>> given_back_;  ///< By count.
};

}  // namespace midst::ingest::statsd
