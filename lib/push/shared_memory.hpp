// The client's end of the memory that it shares with the agent: made once, written to without a system call. Without it
// (no memfd, no room) the client counts in memory of its own and loses at most a flush interval when it is killed.
#pragma once

#include "lib/push/cells.hpp"
#include "lib/push/shared_layout.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace midst::push::detail {

class SharedMemory {
 public:
  /// @return nullptr where the system has no memory files or no memory.
  [[nodiscard]] static std::unique_ptr<SharedMemory> make() noexcept;
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// @return the memory file, sealed against shrinking, for the agent.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// In the child of a fork, where the memory is not: forgets it.
  void abandon() noexcept;

  /// @return the zeroed cells of a chunk for one more thread; nullptr when all blocks are taken. From any thread.
  [[nodiscard]] Cell* add_block(std::uint32_t chunk) noexcept;
  /// Appends whole frames to the directory. @return false when it is full. From one thread at a time.
  bool append(std::string_view frames) noexcept;

 private:
  SharedMemory(int descriptor, char* memory) : descriptor_(descriptor), memory_(memory) {}
  [[nodiscard]] shared::Header& header() const noexcept { return *reinterpret_cast<shared::Header*>(memory_); }

  int descriptor_;
  char* memory_;
};

}  // namespace midst::push::detail
