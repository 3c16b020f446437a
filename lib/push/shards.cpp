#include "lib/push/shards.hpp"

#include <algorithm>
#include <new>

namespace midst::push::detail {

static_assert(chunk_cells == shared::block_cells);

Shard::Shard(SharedMemory* memory) : chunks_(std::make_unique<std::atomic<Cell*>[]>(max_chunks)), memory_(memory) {
}

Shard::~Shard() {
  for (std::size_t i = 0; i < max_chunks; ++i)
    if (!is_shared_[i]) delete[] chunks_[i].load(std::memory_order_relaxed);
}

Cell* Shard::touch(std::uint32_t cell) noexcept {
  const auto index = cell / chunk_cells;
  auto& slot = chunks_[index];
  auto* chunk = slot.load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = memory_ == nullptr ? nullptr : memory_->add_block(index);
    is_shared_[index] = chunk != nullptr;
    if (chunk == nullptr) chunk = new (std::nothrow) Cell[chunk_cells]{};
    slot.store(chunk, std::memory_order_release);
    if (chunk == nullptr) return nullptr;
  }
  return chunk + cell % chunk_cells;
}

void Shard::clear() noexcept {
  for (std::size_t i = 0; i < max_chunks; ++i) {
    auto* chunk = chunks_[i].load(std::memory_order_relaxed);
    if (chunk == nullptr) continue;
    if (is_shared_[i])
      chunks_[i].store(nullptr, std::memory_order_relaxed);
    else
      for (std::uint32_t j = 0; j < chunk_cells; ++j) chunk[j].store(0, std::memory_order_relaxed);
  }
  is_shared_.reset();
  memory_ = nullptr;
}

std::optional<std::uint32_t> Shards::allocate(std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  const auto left_in_chunk = chunk_cells - next_cell_ % chunk_cells;
  const auto first = next_cell_ + (count > left_in_chunk ? left_in_chunk : 0);
  if (count > chunk_cells || first + count > Shard::max_chunks * chunk_cells) return std::nullopt;
  next_cell_ = first + count;
  return first;
}

void Shards::share(std::unique_ptr<SharedMemory> memory) noexcept {
  const std::lock_guard lock(mutex_);
  memory_ = std::move(memory);
  for (const auto& shard : live_) shard->set_memory(memory_.get());
}

std::shared_ptr<Shard> Shards::join() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) idle_.push_back(std::make_shared<Shard>(memory_.get()));
  live_.push_back(idle_.back());
  idle_.pop_back();
  return live_.back();
}

void Shards::retire(const std::shared_ptr<Shard>& shard) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(live_.begin(), live_.end(), shard);
  if (found == live_.end()) return;
  idle_.push_back(shard);
  live_.erase(found);
}

void Shards::Reader::load_chunks(std::uint32_t chunk) noexcept {
  chunk_ = chunk;
  chunks_.clear();
  const auto add_chunk = [&](const Shard& shard) {
    if (const auto* cells = shard.chunks()[chunk].load(std::memory_order_acquire)) chunks_.push_back(cells);
  };
  add_chunk(shards_.locked_);
  for (const auto& shard : shards_.live_) add_chunk(*shard);
  for (const auto& shard : shards_.idle_) add_chunk(*shard);
}

void Shards::start_over(const Shard* own) noexcept {
  // The destructor would unmap what is not mapped here.
  if (memory_) memory_->abandon();
  memory_.reset();
  locked_.clear();
  idle_.clear();
  const auto is_foreign = [own](const std::shared_ptr<Shard>& shard) { return shard.get() != own; };
  live_.erase(std::remove_if(live_.begin(), live_.end(), is_foreign), live_.end());
  for (const auto& shard : live_) shard->clear();
}

}  // namespace midst::push::detail
