// The memory of one Snapshot: text and arrays laid one behind the other, freed together.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace midst::metrics {

/// Bump allocator. What it hands out stays where it is, also when the Arena itself is moved, until it is destroyed.
class Arena {
 public:
  Arena() = default;
  /// The source is empty afterwards and may be used again.
  Arena(Arena&& other) noexcept { swap(other); }
  Arena& operator=(Arena&& other) noexcept {
    Arena moved(std::move(other));
    swap(moved);
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() = default;

  /// @return a copy of `text` that lives as long as the arena.
  [[nodiscard]] std::string_view copy(std::string_view text);

  /// @return a copy of `items` that lives as long as the arena.
  template <class T>
  [[nodiscard]] std::span<const T> copy(std::span<const T> items) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (items.empty()) return {};
    auto* to = static_cast<T*>(allocate(items.size_bytes(), alignof(T)));
    std::memcpy(to, items.data(), items.size_bytes());
    return {to, items.size()};
  }

  /// @return uninitialised bytes; `alignment` is a power of two, at most 16.
  [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment);

  /// @return bytes taken from the system so far.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return reserved_; }

 private:
  void swap(Arena& other) noexcept {
    chunks_.swap(other.chunks_);
    std::swap(next_, other.next_);
    std::swap(left_, other.left_);
    std::swap(reserved_, other.reserved_);
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace midst::metrics
