// What a counter or a histogram touches at every call: the cells of the calling thread. Installed with client.hpp,
// whose inline functions need it; not for use by others.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>

namespace midst::push::detail {

/// 64 bits of a whole number or of a double; who allocated it knows which.
using Cell = std::atomic<std::uint64_t>;
inline constexpr std::uint32_t chunk_cells = 1024;

/// The cells of the calling thread in the client it used last. Each cell has one writer, its thread; the flush thread
/// reads. Trivial on purpose: it can be read at any time of a thread's life.
struct ThreadCells {
  std::uint32_t client = std::numeric_limits<std::uint32_t>::max();
  const std::atomic<Cell*>* chunks = nullptr;
};
extern constinit thread_local ThreadCells this_thread;

/// The way when `this_thread` is of another client or has no such chunk yet. @return the first of the cells, or nullptr
/// when the client is gone or the thread is ending.
Cell* touch(std::uint32_t client, std::uint32_t cell) noexcept;
/// What add() does where known() finds nothing.
void add_first(std::uint32_t client, std::uint32_t first, std::uint32_t offset, std::uint64_t amount) noexcept;
void add_first(std::uint32_t client, std::uint32_t first, std::uint32_t offset, double amount) noexcept;
/// Add under a lock, for threads in which touch() finds nothing.
void add_locked(std::uint32_t client, std::uint32_t cell, std::uint64_t amount) noexcept;
void add_locked(std::uint32_t client, std::uint32_t cell, double amount) noexcept;

/// @return the first of the cells, or nullptr when this thread has not touched them or is of another client.
[[gnu::always_inline]] inline Cell* known(std::uint32_t client, std::uint32_t cell) noexcept {
  if (this_thread.client != client) [[unlikely]]
    return nullptr;
  auto* const chunk = this_thread.chunks[cell / chunk_cells].load(std::memory_order_relaxed);
  return chunk == nullptr ? nullptr : chunk + cell % chunk_cells;
}
inline Cell* find(std::uint32_t client, std::uint32_t cell) noexcept {
  if (auto* const cells = known(client, cell)) [[likely]]
    return cells;
  return touch(client, cell);
}
inline void add(Cell& cell, std::uint64_t amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}
inline void add(Cell& cell, double amount) noexcept {
  const auto before = std::bit_cast<double>(cell.load(std::memory_order_relaxed));
  cell.store(std::bit_cast<std::uint64_t>(before + amount), std::memory_order_relaxed);
}
template <class Amount>
[[gnu::always_inline]] inline void add(std::uint32_t client, std::uint32_t first, std::uint32_t offset,
                                       Amount amount) noexcept {
  if (auto* const cells = known(client, first)) [[likely]]
    return add(cells[offset], amount);
  add_first(client, first, offset, amount);
}

}  // namespace midst::push::detail
