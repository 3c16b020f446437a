#include "agent/ingest/statsd/cells.hpp"

#include <algorithm>

namespace midst::ingest::statsd {

std::uint32_t Cells::take(std::size_t count) {
  if (auto& blocks = given_back_[count]; !blocks.empty()) {
    const auto block = blocks.back();
    blocks.pop_back();
    std::fill_n(at(block), count, 0);
    return block;
  }
  if (left_ < count) {
    // Not zeroed at once: what nobody has taken of a chunk takes no memory.
    chunks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(chunk_cells));
    left_ = chunk_cells;
  }
  const auto block = static_cast<std::uint32_t>(chunks_.size() * chunk_cells - left_);
  left_ -= count;
  std::fill_n(at(block), count, 0);
  return block;
}

void Cells::give_back(std::uint32_t block, std::size_t count) {
  given_back_[count].push_back(block);
}

}  // namespace midst::ingest::statsd
