// Bytes that survive the end of the process, SIGKILL too: a mapped file of two slots, each a checkpoint and the records
// that came after it. What the bytes mean is the Store's. Only memory is written, so that a record costs no system
// call; a power cut is not survived, and a tmpfs is the place for it.
#pragma once

#include "lib/base/error.hpp"
#include "lib/net/sockets.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::ingest {

/// What a state file holds, in the order in which it was written.
struct StateContents {
  std::string_view checkpoint;  ///< Empty: none was made yet.
  std::vector<std::string_view> records;
  std::uint64_t generation = 0;   ///< Of the slot; grows with each checkpoint.
  std::size_t slot = 0, end = 0;  ///< Which slot, and where in the file the next record goes.
};

/// Takes a whole file apart; views into it. Pure.
/// @return Errc::protocol with what is wrong: no state of ours, another version, a size or a checksum that does not
/// fit. A record that was being written when the process ended is no fault, and is not there.
[[nodiscard]] Result<StateContents> read_state(std::string_view file);

inline constexpr std::size_t min_room = 128 * 1024;

/// All or nothing: a checkpoint or a record counts once its checksum is in place. One process at a time has a file.
class StateFile {
 public:
  struct Opened;
  /// Opens the file, or makes it, with mode 0600. One that read_state() refuses, or that is not our own regular file,
  /// is set aside as PATH.damaged and a new one made.
  /// @return Errc::conflict when another process has it, Errc::internal for what else is in the way.
  [[nodiscard]] static Result<Opened> open(const std::string& path);

  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  /// Renames the file at `path`, whatever it is, to PATH.damaged.
  static Result<Done> set_aside(const std::string& path);
  /// Takes the file off the file system.
  void remove() noexcept;

  /// Adds a record, of at least one byte. @return false when the slot has no room for it: make a checkpoint.
  [[nodiscard]] bool append(std::string_view record) noexcept;

  /// Replaces the checkpoint and drops the records. The file grows where need be: there is room then for records of
  /// min_room bytes, or of as many as the checkpoint has, which bounds how often one has to be made.
  /// @return Errc::internal when the file system has no room; what was there before still holds.
  Result<Done> checkpoint(std::string_view bytes);

 private:
  StateFile(std::string path, net::Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}
  Result<Done> map(std::size_t bytes);
  Result<Done> grow(std::string_view bytes);
  void write_slot(std::size_t slot, std::string_view bytes) noexcept;
  [[nodiscard]] std::size_t slot_end() const noexcept;

  std::string path_;
  net::Descriptor descriptor_;  ///< Locked as long as it is open.
  char* memory_ = nullptr;
  std::size_t size_ = 0, slot_bytes_ = 0, slot_ = 0, end_ = 0;
  std::uint64_t generation_ = 0;
};

struct StateFile::Opened {
  std::unique_ptr<StateFile> file;
  StateContents contents;  ///< Views into the file: valid until its next checkpoint().
  std::string set_aside;   ///< Why what was there before was not used; empty: it was, or there was nothing.
};

}  // namespace midst::ingest
