// Memory of buckets and texts: blocks of cells of eight bytes that stay where they are, named by a number. One look
// leads to a block; half a pointer's size and no allocator's header are paid for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace midst::ingest::statsd {

class Cells {
 public:
  /// @return a block of `count` cells, all 0. @param count  at most that of a chunk, 65536.
  [[nodiscard]] std::uint32_t take(std::size_t count);
  /// @return a block that has the bytes of a text, and in its last cell zeros behind them.
  [[nodiscard]] std::uint32_t copy(std::string_view text);
  [[nodiscard]] static constexpr std::size_t count_of(std::size_t bytes) noexcept {
    return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  }
  [[nodiscard]] std::string_view text(std::uint32_t block, std::size_t bytes) const noexcept {
    if (bytes == 0) return {};
    return {reinterpret_cast<const char*>(at(block)), bytes};
  }
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
