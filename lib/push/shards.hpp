// The cells of one client, spread over the threads that write them: each thread has its own copy of every cell it has
// touched, a reader adds the copies up. Used by registry (reading, allocating) and by the hot path in client.hpp.
#pragma once

#include "lib/push/client.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace midst::push::detail {

/// The cells of one thread. Chunks are made by their thread and stay until the shard goes.
class Shard {
 public:
  /// 2 Mi cells: 2 million counters, or 160 thousand histograms of 11 bounds.
  static constexpr std::size_t max_chunks = 2048;

  Shard();
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] const std::atomic<Cell*>* chunks() const noexcept { return chunks_.get(); }
  /// @return the cell, its chunk made if need be; nullptr without memory. Its thread only.
  [[nodiscard]] Cell* touch(std::uint32_t cell) noexcept;
  [[nodiscard]] double load(std::uint32_t cell) const noexcept;
  /// Adds every cell of `other` to its own.
  void absorb(const Shard& other) noexcept;
  void clear() noexcept;

 private:
  std::unique_ptr<std::atomic<Cell*>[]> chunks_;
};

/// All shards of one client and what ended threads have left. Thread-safe; the lock is never held for I/O.
class Shards {
 public:
  explicit Shards(std::uint32_t number) : number_(number) {}

  /// @return the number that the handles of this client carry; unique in the process, never 0.
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

  /// @return the first of `count` neighbouring cells in one chunk, or nothing when all cells are taken.
  [[nodiscard]] std::optional<std::uint32_t> allocate(std::uint32_t count);

  [[nodiscard]] std::shared_ptr<Shard> join();
  /// Keeps what the shard of an ended thread holds and lets go of it.
  void retire(const std::shared_ptr<Shard>& shard) noexcept;
  void add_retired(std::uint32_t cell, double amount) noexcept;

  /// Adds cells up while no thread can come or go.
  class Reader {
   public:
    explicit Reader(Shards& shards) : shards_(shards), lock_(shards.mutex_) {}
    [[nodiscard]] double sum(std::uint32_t cell) const noexcept;

   private:
    Shards& shards_;
    std::lock_guard<std::mutex> lock_;
  };

  /// Held from before a fork until after it, in both processes.
  [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
  /// In the child, mutex held: everything back to 0; of the shards only `own` has a thread still.
  void start_over(const Shard* own) noexcept;

 private:
  const std::uint32_t number_;
  std::mutex mutex_;
  std::uint32_t next_cell_ = 0;
  std::vector<std::shared_ptr<Shard>> live_;
  Shard retired_;
};

}  // namespace midst::push::detail
