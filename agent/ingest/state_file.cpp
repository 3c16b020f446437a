#include "agent/ingest/state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace midst::ingest {
namespace {

constexpr std::size_t page = 4096, smallest_slot = 256 * 1024, unit = 8;
constexpr std::size_t largest_slot = std::size_t{8} << 30;
constexpr char magic[8] = {'m', 'i', 'd', 's', 't', 'S', 'T', '1'};

/// At the beginning of the file.
struct FileHeader {
  char magic[8];
  std::uint64_t slot_bytes;
};

/// At the beginning of a slot; all 0: nothing there.
struct SlotHeader {
  std::uint64_t generation, checkpoint_bytes;
  std::uint32_t checkpoint_sum, sum;  ///< `sum` is of what stands before it.
};

/// In front of a record; length 0: the end.
struct RecordHeader {
  std::uint32_t length, sum;
};

constexpr std::size_t padded(std::size_t size) noexcept {
  return (size + unit - 1) / unit * unit;
}

std::uint32_t checksum(std::string_view bytes, std::uint64_t seed) noexcept {
  const auto seeded = crc32_z(0, reinterpret_cast<const Bytef*>(&seed), sizeof seed);
  if (bytes.empty()) return static_cast<std::uint32_t>(seeded);  // zlib starts over at a null pointer
  return static_cast<std::uint32_t>(crc32_z(seeded, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::uint32_t checksum(const SlotHeader& header) noexcept {
  return checksum({reinterpret_cast<const char*>(&header), offsetof(SlotHeader, sum)}, 0);
}

template <class Header>
Header load(const char* from) noexcept {
  Header header;
  std::memcpy(&header, from, sizeof header);
  return header;
}

/// What was stored before is in memory before what is stored after.
void order() noexcept {
  std::atomic_thread_fence(std::memory_order_release);
}

Error damaged(std::string what) {
  return {Errc::protocol, std::move(what)};
}

Error failed(const std::string& path, std::string_view what) {
  return {Errc::internal, path + ": " + std::string(what) + ": " + std::generic_category().message(errno)};
}

/// @return the records of a slot; each must be whole, for the one that was not has no length yet.
Result<Done> read_records(std::string_view slot, std::size_t at, StateContents& contents) {
  for (;;) {
    if (slot.size() - at < sizeof(RecordHeader)) return damaged("the records of the state have no end");
    const auto header = load<RecordHeader>(slot.data() + at);
    if (header.length == 0) break;
    at += sizeof header;
    if (header.length > slot.size() - at || padded(header.length) > slot.size() - at)
      return damaged("a record of the state is longer than the file");
    const auto record = slot.substr(at, header.length);
    if (checksum(record, contents.generation) != header.sum) return damaged("a record of the state is damaged");
    contents.records.push_back(record);
    at += padded(header.length);
  }
  contents.end = at;
  return Done{};
}

bool is_ours(int descriptor) noexcept {
  struct stat found {};
  return fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == geteuid();
}

}  // namespace

Result<StateContents> read_state(std::string_view file) {
  if (file.size() < page || std::memcmp(file.data(), magic, sizeof magic) != 0)
    return damaged("this is no state, or that of another version");
  const auto slot_bytes = load<FileHeader>(file.data()).slot_bytes;
  if (slot_bytes < page || slot_bytes > largest_slot || slot_bytes % page != 0 || file.size() != page + 2 * slot_bytes)
    return damaged("the state has the wrong size");
  StateContents contents;
  SlotHeader best{};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto header = load<SlotHeader>(file.data() + page + i * slot_bytes);
    if (header.generation <= best.generation || header.sum != checksum(header)) continue;
    best = header;
    contents.slot = i;
  }
  contents.generation = best.generation;
  if (best.generation == 0) return damaged("neither slot of the state is whole");
  const auto slot = file.substr(page + contents.slot * slot_bytes, slot_bytes);
  const auto room = slot.size() - sizeof(SlotHeader);
  if (best.checkpoint_bytes > room || padded(best.checkpoint_bytes) > room)
    return damaged("the checkpoint of the state is longer than the file");
  contents.checkpoint = slot.substr(sizeof(SlotHeader), best.checkpoint_bytes);
  if (checksum(contents.checkpoint, best.generation) != best.checkpoint_sum)
    return damaged("the checkpoint of the state is damaged");
  const auto read = read_records(slot, sizeof(SlotHeader) + padded(best.checkpoint_bytes), contents);
  if (!read) return read.error();
  contents.end += page + contents.slot * slot_bytes;
  return contents;
}

Result<StateFile::Opened> StateFile::open(const std::string& path) {
  Opened opened;
  for (;;) {
    net::Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    const bool is_odd = descriptor.get() < 0 ? errno == ELOOP || errno == ENXIO : !is_ours(descriptor.get());
    if (descriptor.get() < 0 && !is_odd) return failed(path, "the state cannot be opened");
    if (!is_odd && flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0)
      return Error{Errc::conflict, path + ": another process has this state; each agent needs a file of its own"};
    struct stat found {};
    if (!is_odd && fstat(descriptor.get(), &found) != 0) return failed(path, "the state cannot be read");
    if (!is_odd) opened.file.reset(new StateFile(path, std::move(descriptor)));
    if (!is_odd && found.st_size == 0) {
      const auto made = opened.file->grow({});
      if (!made) return made.error();
      return opened;
    }
    Result<StateContents> contents = damaged("this is no file of our own");
    if (!is_odd) {
      const auto mapped = opened.file->map(static_cast<std::size_t>(found.st_size));
      if (!mapped) return mapped.error();
      contents = read_state({opened.file->memory_, opened.file->size_});
    }
    if (contents) {
      auto& file = *opened.file;
      file.slot_bytes_ = (file.size_ - page) / 2;
      file.slot_ = contents->slot;
      file.end_ = contents->end;
      file.generation_ = contents->generation;
      opened.contents = std::move(*contents);
      return opened;
    }
    if (!opened.set_aside.empty()) return Error{Errc::internal, path + ": cannot be set aside"};
    opened.set_aside = contents.error().message;
    opened.file.reset();
    if (const auto aside = set_aside(path); !aside) return aside.error();
  }
}

Result<Done> StateFile::set_aside(const std::string& path) {
  if (rename(path.c_str(), (path + ".damaged").c_str()) != 0) return failed(path, "the state cannot be set aside");
  return Done{};
}

void StateFile::remove() noexcept {
  unlink(path_.c_str());
}

StateFile::~StateFile() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

Result<Done> StateFile::map(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.get(), 0);
  if (memory == MAP_FAILED) return failed(path_, "the state cannot be mapped");
  memory_ = static_cast<char*>(memory);
  size_ = bytes;
  return Done{};
}

std::size_t StateFile::slot_end() const noexcept {
  return page + (slot_ + 1) * slot_bytes_;
}

bool StateFile::append(std::string_view record) noexcept {
  const auto needed = sizeof(RecordHeader) + padded(record.size());
  if (end_ + needed + sizeof(RecordHeader) > slot_end()) return false;
  char* const at = memory_ + end_;
  const RecordHeader header{static_cast<std::uint32_t>(record.size()), checksum(record, generation_)};
  std::memcpy(at + sizeof header, record.data(), record.size());
  std::memset(at + needed, 0, sizeof header);
  std::memcpy(at + sizeof header.length, &header.sum, sizeof header.sum);
  order();
  std::memcpy(at, &header.length, sizeof header.length);
  end_ += needed;
  return true;
}

Result<Done> StateFile::checkpoint(std::string_view bytes) {
  const auto size = padded(bytes.size());
  if (sizeof(SlotHeader) + size + std::max(size, min_room) + 2 * sizeof(RecordHeader) > slot_bytes_) return grow(bytes);
  const auto old = page + slot_ * slot_bytes_;
  write_slot(1 - slot_, bytes);
  order();
  std::memset(memory_ + old, 0, sizeof(SlotHeader));
  return Done{};
}

/// The header comes last: without it the slot is empty.
void StateFile::write_slot(std::size_t slot, std::string_view bytes) noexcept {
  char* const at = memory_ + page + slot * slot_bytes_;
  std::memset(at, 0, sizeof(SlotHeader));
  order();
  bytes.copy(at + sizeof(SlotHeader), bytes.size());  // unlike memcpy it may be given nothing
  const auto records = sizeof(SlotHeader) + padded(bytes.size());
  std::memset(at + records, 0, sizeof(RecordHeader));
  order();
  SlotHeader header{++generation_, bytes.size(), checksum(bytes, generation_), 0};
  header.sum = checksum(header);
  std::memcpy(at, &header, sizeof header);
  slot_ = slot;
  end_ = page + slot * slot_bytes_ + records;
}

/// A new file takes the place of the old one once it is whole.
Result<Done> StateFile::grow(std::string_view bytes) {
  const auto fresh = path_ + ".new";
  unlink(fresh.c_str());
  net::Descriptor descriptor(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (descriptor.get() < 0) return failed(fresh, "the state cannot be made");
  StateFile larger(path_, std::move(descriptor));
  larger.slot_bytes_ = std::bit_ceil(std::max(smallest_slot, 4 * bytes.size()));
  larger.generation_ = generation_;
  const auto size = page + 2 * larger.slot_bytes_;
  // Room is taken now: a file with holes on a full tmpfs would end the process at a store.
  if (const int error = posix_fallocate(larger.descriptor_.get(), 0, static_cast<off_t>(size)); error != 0) {
    unlink(fresh.c_str());
    errno = error;
    return failed(fresh, "there is no room for the state");
  }
  if (flock(larger.descriptor_.get(), LOCK_EX | LOCK_NB) != 0) return failed(fresh, "the state cannot be locked");
  if (const auto mapped = larger.map(size); !mapped) return mapped.error();
  FileHeader header{{}, larger.slot_bytes_};
  std::memcpy(header.magic, magic, sizeof magic);
  std::memcpy(larger.memory_, &header, sizeof header);
  larger.write_slot(0, bytes);
  if (rename(fresh.c_str(), path_.c_str()) != 0) return failed(fresh, "the state cannot be put in place");
  std::swap(descriptor_, larger.descriptor_);
  std::swap(memory_, larger.memory_);
  std::swap(size_, larger.size_);
  slot_bytes_ = larger.slot_bytes_;
  slot_ = larger.slot_;
  end_ = larger.end_;
  generation_ = larger.generation_;
  return Done{};
}

}  // namespace midst::ingest
