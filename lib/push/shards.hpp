// The cells of one client, spread over the threads that write them: each thread has its own copy of every cell it has
// touched, a reader adds the copies up. Used by registry (reading, allocating) and by the hot path in client.hpp.
#pragma once

#include "lib/push/client.hpp"
#include "lib/push/shared_memory.hpp"

#include <atomic>
#include <bit>
#include <bitset>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace midst::push::detail {

/// The cells of one thread. Chunks are made by their thread and stay until the shard goes.
class Shard {
 public:
  /// 2 Mi cells: 1 million counters, or 160 thousand histograms of 11 bounds.
  static constexpr std::size_t max_chunks = shared::max_chunks;

  /// @param memory  where chunks are made as long as there is room; may be nullptr.
  explicit Shard(SharedMemory* memory);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] const std::atomic<Cell*>* chunks() const noexcept { return chunks_.get(); }
  /// @return the cell, its chunk made if need be; nullptr without memory. Its thread only.
  [[nodiscard]] Cell* touch(std::uint32_t cell) noexcept;
  /// In the child of a fork, where shared memory is not: everything back to 0.
  void clear() noexcept;
  void set_memory(SharedMemory* memory) noexcept { memory_ = memory; }

 private:
  std::unique_ptr<std::atomic<Cell*>[]> chunks_;
  SharedMemory* memory_;
  std::bitset<max_chunks> is_shared_;
};

/// All shards of one client. Thread-safe; the lock is never held for I/O.
class Shards {
 public:
  explicit Shards(std::uint32_t number) : number_(number), locked_(nullptr) {}

  /// @return the number that the handles of this client carry; unique in the process, never 0.
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

  /// @return the first of `count` neighbouring cells in one chunk; nothing when all cells are taken.
  [[nodiscard]] std::optional<std::uint32_t> allocate(std::uint32_t count);

  /// Makes chunks in there from now on, so that they outlive the process; nullptr: in memory of its own.
  void share(std::unique_ptr<SharedMemory> memory) noexcept;
  /// @return the memory that is shared with the agent, or nullptr.
  [[nodiscard]] SharedMemory* memory() const noexcept { return memory_.get(); }

  /// @return a shard for a thread: one that an ended thread has left, with what it has counted, or a new one.
  [[nodiscard]] std::shared_ptr<Shard> join();
  /// Keeps the shard of an ended thread for the next one.
  void retire(const std::shared_ptr<Shard>& shard) noexcept;
  template <class Amount>
  void add_locked(std::uint32_t cell, Amount amount) noexcept {
    const std::lock_guard lock(mutex_);
    if (auto* to = locked_.touch(cell)) add(*to, amount);
  }

  /// Adds cells up while no thread can come or go.
  class Reader {
   public:
    explicit Reader(Shards& shards) : shards_(shards), lock_(shards.mutex_) {}
    [[nodiscard]] std::uint64_t whole(std::uint32_t cell) noexcept {
      std::uint64_t total = 0;
      for (const auto* chunk : chunks_of(cell)) total += chunk[cell % chunk_cells].load(std::memory_order_relaxed);
      return total;
    }
    struct Pair {
      std::uint64_t whole = 0;
      double real = 0;
    };
    /// @return a cell of whole numbers and its neighbour of doubles: a counter.
    [[nodiscard]] Pair pair(std::uint32_t cell) noexcept {
      Pair total;
      for (const auto* chunk : chunks_of(cell)) {
        const auto* cells = chunk + cell % chunk_cells;
        total.whole += cells[0].load(std::memory_order_relaxed);
        total.real += std::bit_cast<double>(cells[1].load(std::memory_order_relaxed));
      }
      return total;
    }
    [[nodiscard]] double real(std::uint32_t cell) noexcept {
      double total = 0;
      for (const auto* chunk : chunks_of(cell))
        total += std::bit_cast<double>(chunk[cell % chunk_cells].load(std::memory_order_relaxed));
      return total;
    }

   private:
    /// @return that chunk of every shard that has it; the same for the next cells in most cases, hence kept.
    [[nodiscard]] const std::vector<const Cell*>& chunks_of(std::uint32_t cell) noexcept {
      if (cell / chunk_cells != chunk_) load_chunks(cell / chunk_cells);
      return chunks_;
    }
    void load_chunks(std::uint32_t chunk) noexcept;

    Shards& shards_;
    std::lock_guard<std::mutex> lock_;
    std::uint32_t chunk_ = std::numeric_limits<std::uint32_t>::max();
    std::vector<const Cell*> chunks_;
  };

  /// Held from before a fork until after it, in both processes.
  [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
  /// In the child, mutex held: everything back to 0; of the shards only `own` has a thread still.
  void start_over(const Shard* own) noexcept;

 private:
  const std::uint32_t number_;
  std::mutex mutex_;
  std::uint32_t next_cell_ = 0;
  std::unique_ptr<SharedMemory> memory_;
  std::vector<std::shared_ptr<Shard>> live_, idle_;
  Shard locked_;  ///< Written to under the lock, for threads that have none.
};

}  // namespace midst::push::detail
