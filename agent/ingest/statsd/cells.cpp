#include "agent/ingest/statsd/cells.hpp"

#include <algorithm>
#include <cstring>

namespace midst::ingest::statsd {

std::uint32_t Cells::take(std::size_t count) {
  if (const auto found = given_back_.find(count); found != given_back_.end() && !found->second.empty()) {
    const auto block = found->second.back();
    found->second.pop_back();
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

std::uint32_t Cells::copy(std::string_view text) {
  if (text.empty()) return 0;  // of no block nothing is read
  const auto block = take(count_of(text.size()));
  std::memcpy(at(block), text.data(), text.size());
  return block;
}

void Cells::give_back(std::uint32_t block, std::size_t count) {
  if (count > 0) given_back_[count].push_back(block);
}

}  // namespace midst::ingest::statsd
