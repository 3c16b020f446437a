#include "lib/push/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace midst::push::detail {

std::unique_ptr<SharedMemory> SharedMemory::make() noexcept {
  const int descriptor = ::memfd_create("midst-push", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (::ftruncate(descriptor, static_cast<off_t>(shared::file_bytes)) == 0 &&
      ::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    memory = ::mmap(nullptr, shared::file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  // A child that counted in here would do so in its parent's name.
  if (memory == MAP_FAILED || ::madvise(memory, shared::file_bytes, MADV_DONTFORK) != 0) {
    if (memory != MAP_FAILED) ::munmap(memory, shared::file_bytes);
    ::close(descriptor);
    return nullptr;
  }
  auto* const header = new (memory) shared::Header{};
  header->file_bytes = shared::file_bytes;
  header->magic = shared::magic;
  auto* const made = new (std::nothrow) SharedMemory(descriptor, static_cast<char*>(memory));
  if (made == nullptr) {
    ::munmap(memory, shared::file_bytes);
    ::close(descriptor);
  }
  return std::unique_ptr<SharedMemory>(made);
}

SharedMemory::~SharedMemory() {
  if (memory_ != nullptr) ::munmap(memory_, shared::file_bytes);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void SharedMemory::abandon() noexcept {
  memory_ = nullptr;
}

Cell* SharedMemory::add_block(std::uint32_t chunk) noexcept {
  const auto block = header().blocks_used.fetch_add(1, std::memory_order_relaxed);
  if (block >= shared::max_blocks) return nullptr;
  auto* const table = reinterpret_cast<shared::BlockChunk*>(memory_ + shared::table_offset);
  table[block].store(chunk + 1, std::memory_order_release);
  return reinterpret_cast<Cell*>(memory_ + shared::blocks_offset + block * shared::block_bytes);
}

bool SharedMemory::append(std::string_view frames) noexcept {
  const auto used = header().directory_used.load(std::memory_order_relaxed);
  if (frames.size() > shared::directory_bytes - used) return false;
  std::memcpy(memory_ + shared::directory_offset + used, frames.data(), frames.size());
  header().directory_used.store(used + frames.size(), std::memory_order_release);
  return true;
}

}  // namespace midst::push::detail
