#include "agent/ingest/shared_cells.hpp"

#include "lib/push/shared_layout.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

namespace midst::ingest {
namespace {

namespace shared = push::shared;

Error refused(std::string what) {
  return {Errc::protocol, "shared memory: " + std::move(what)};
}

/// One look at a value that somebody else may be changing.
template <class Value>
Value look(const char* at) noexcept {
  return reinterpret_cast<const std::atomic<Value>*>(at)->load(std::memory_order_acquire);
}

}  // namespace

Result<std::unique_ptr<SharedCells>> SharedCells::open(const net::Descriptor& file) {
  // A file that shrinks would end this process with SIGBUS.
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return refused("it is not sealed against shrinking");
  struct stat found {};
  if (::fstat(file.get(), &found) != 0 || found.st_size != static_cast<off_t>(shared::file_bytes))
    return refused("it has another size");
  void* const memory = ::mmap(nullptr, shared::file_bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return refused("it cannot be mapped");
  auto made = over({static_cast<const char*>(memory), shared::file_bytes});
  if (!made)
    ::munmap(memory, shared::file_bytes);
  else
    (*made)->is_mapped_ = true;
  return made;
}

Result<std::unique_ptr<SharedCells>> SharedCells::over(std::span<const char> memory) {
  if (memory.size() != shared::file_bytes) return refused("it has another size");
  if (look<std::uint64_t>(memory.data() + offsetof(shared::Header, magic)) != shared::magic)
    return refused("it has another layout");
  return std::unique_ptr<SharedCells>(new SharedCells(memory));
}

SharedCells::~SharedCells() {
  if (is_mapped_) ::munmap(const_cast<char*>(memory_.data()), memory_.size());
}

/// Frames are copied before they are read: afterwards they stay what they were.
SharedCells::Definitions SharedCells::news() {
  Definitions found;
  const auto used = std::min<std::uint64_t>(
      look<std::uint64_t>(memory_.data() + offsetof(shared::Header, directory_used)), shared::directory_bytes);
  if (used <= directory_read_) return found;
  const std::string copy(memory_.data() + shared::directory_offset + directory_read_, used - directory_read_);
  directory_read_ = used;
  std::string_view rest = copy;
  while (!rest.empty()) {
    if (rest.size() < wire::header_bytes) return give_up(std::move(found));
    const auto header = wire::decode_header(rest.data());
    if (header.length > rest.size() - wire::header_bytes) return give_up(std::move(found));
    const auto payload = rest.substr(wire::header_bytes, header.length);
    rest.remove_prefix(wire::header_bytes + header.length);
    if (header.type == static_cast<std::uint8_t>(wire::Type::family)) {
      auto family = wire::decode_family(payload);
      if (!family) return give_up(std::move(found));
      found.families.push_back(std::move(*family));
    } else if (header.type == static_cast<std::uint8_t>(wire::Type::series)) {
      auto series = wire::decode_series(payload);
      if (!series || !series->cell) return give_up(std::move(found));
      found.series.push_back(std::move(*series));
    } else {
      return give_up(std::move(found));
    }
  }
  return found;
}

/// What stood before the fault is good; behind it nothing can be told apart.
SharedCells::Definitions SharedCells::give_up(Definitions found) {
  directory_read_ = shared::directory_bytes;
  return found;
}

void SharedCells::refresh() {
  const auto used = std::min<std::uint64_t>(look<std::uint64_t>(memory_.data() + offsetof(shared::Header, blocks_used)),
                                            shared::max_blocks);
  for (; blocks_read_ < used; ++blocks_read_) {
    const auto chunk =
        look<std::uint32_t>(memory_.data() + shared::table_offset + blocks_read_ * sizeof(std::uint32_t));
    if (chunk == 0) break;  // its thread is about to say which
    if (chunk > shared::max_chunks) continue;
    if (blocks_.size() < chunk) blocks_.resize(chunk);
    blocks_[chunk - 1].push_back(blocks_read_);
  }
}

const char* SharedCells::block_of(std::uint32_t block, std::uint32_t cell) const noexcept {
  return memory_.data() + shared::blocks_offset + block * shared::block_bytes +
         cell % shared::block_cells * sizeof(std::uint64_t);
}

std::uint64_t SharedCells::whole(std::uint32_t cell) const noexcept {
  std::uint64_t sum = 0;
  if (cell / shared::block_cells < blocks_.size())
    for (const auto block : blocks_[cell / shared::block_cells]) sum += look<std::uint64_t>(block_of(block, cell));
  return sum;
}

double SharedCells::real(std::uint32_t cell) const noexcept {
  double sum = 0;
  if (cell / shared::block_cells < blocks_.size())
    for (const auto block : blocks_[cell / shared::block_cells])
      sum += std::bit_cast<double>(look<std::uint64_t>(block_of(block, cell)));
  return sum;
}

}  // namespace midst::ingest
