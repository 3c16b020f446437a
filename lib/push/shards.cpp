#include "lib/push/shards.hpp"

#include <algorithm>
#include <new>

namespace midst::push::detail {

Shard::Shard() : chunks_(std::make_unique<std::atomic<Cell*>[]>(max_chunks)) {
}

Shard::~Shard() {
  for (std::size_t i = 0; i < max_chunks; ++i) delete[] chunks_[i].load(std::memory_order_relaxed);
}

Cell* Shard::touch(std::uint32_t cell) noexcept {
  auto& slot = chunks_[cell / chunk_cells];
  auto* chunk = slot.load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = new (std::nothrow) Cell[chunk_cells]{};
    slot.store(chunk, std::memory_order_release);
    if (chunk == nullptr) return nullptr;
  }
  return chunk + cell % chunk_cells;
}

void Shard::absorb(const Shard& other, const std::vector<bool>& is_double) noexcept {
  for (std::uint32_t cell = 0; cell < is_double.size(); cell += chunk_cells) {
    const auto* from = other.chunks_[cell / chunk_cells].load(std::memory_order_acquire);
    auto* to = from == nullptr ? nullptr : touch(cell);
    if (to == nullptr) continue;
    for (std::uint32_t i = 0; i < chunk_cells && cell + i < is_double.size(); ++i) {
      const auto bits = from[i].load(std::memory_order_relaxed);
      if (is_double[cell + i])
        add(to[i], std::bit_cast<double>(bits));
      else
        add(to[i], bits);
    }
  }
}

void Shard::clear() noexcept {
  for (std::size_t i = 0; i < max_chunks; ++i) {
    auto* chunk = chunks_[i].load(std::memory_order_relaxed);
    if (chunk == nullptr) continue;
    for (std::uint32_t j = 0; j < chunk_cells; ++j) chunk[j].store(0, std::memory_order_relaxed);
  }
}

std::optional<std::uint32_t> Shards::allocate(std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  const auto left_in_chunk = chunk_cells - next_cell_ % chunk_cells;
  const auto first = next_cell_ + (count > left_in_chunk ? left_in_chunk : 0);
  if (count > chunk_cells || first + count > Shard::max_chunks * chunk_cells) return std::nullopt;
  next_cell_ = first + count;
  is_double_.resize(next_cell_);
  is_double_.back() = true;
  return first;
}

std::shared_ptr<Shard> Shards::join() {
  auto shard = std::make_shared<Shard>();
  const std::lock_guard lock(mutex_);
  live_.push_back(shard);
  return shard;
}

void Shards::retire(const std::shared_ptr<Shard>& shard) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(live_.begin(), live_.end(), shard);
  if (found == live_.end()) return;
  retired_.absorb(*shard, is_double_);
  live_.erase(found);
}

void Shards::Reader::load_chunks(std::uint32_t chunk) noexcept {
  chunk_ = chunk;
  chunks_.clear();
  const auto add_chunk = [&](const Shard& shard) {
    if (const auto* cells = shard.chunks()[chunk].load(std::memory_order_acquire)) chunks_.push_back(cells);
  };
  add_chunk(shards_.retired_);
  for (const auto& shard : shards_.live_) add_chunk(*shard);
}

void Shards::start_over(const Shard* own) noexcept {
  retired_.clear();
  const auto is_foreign = [own](const std::shared_ptr<Shard>& shard) { return shard.get() != own; };
  live_.erase(std::remove_if(live_.begin(), live_.end(), is_foreign), live_.end());
  for (const auto& shard : live_) shard->clear();
}

}  // namespace midst::push::detail
