#include "lib/metrics/arena.hpp"

#include <algorithm>
#include <cstdint>

namespace midst::metrics {
namespace {

constexpr std::size_t first_chunk_bytes = 4096;
constexpr std::size_t largest_chunk_bytes = 256 * 1024;
constexpr std::size_t own_chunk_bytes = 64 * 1024;  // new[] aligns such a block for every type

}  // namespace

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  auto* to = static_cast<char*>(allocate(text.size(), 1));
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

void* Arena::allocate(std::size_t size, std::size_t alignment) {
  if (size >= own_chunk_bytes) {  // a column: behind it the chunk under way is still good for texts
    reserved_ += size;
    return chunks_.emplace_back(std::make_unique_for_overwrite<char[]>(size)).get();
  }
  auto padding = static_cast<std::size_t>(-reinterpret_cast<std::intptr_t>(next_)) & (alignment - 1);
  if (next_ == nullptr || padding + size > left_) {
    const auto chunk = std::max(std::clamp(reserved_, first_chunk_bytes, largest_chunk_bytes), size + alignment);
    next_ = chunks_.emplace_back(std::make_unique_for_overwrite<char[]>(chunk)).get();
    left_ = chunk;
    reserved_ += chunk;
    padding = static_cast<std::size_t>(-reinterpret_cast<std::intptr_t>(next_)) & (alignment - 1);
  }
  char* begin = next_ + padding;
  next_ = begin + size;
  left_ -= padding + size;
  return begin;
}

}  // namespace midst::metrics
