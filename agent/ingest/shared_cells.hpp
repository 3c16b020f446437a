// The agent's end of the memory that a client shares: its definitions and totals, read without the client's help, so
// that they are there after it was killed. The other side may write anything at any time: nothing is trusted, and
// nothing is looked at twice.
#pragma once

#include "lib/base/error.hpp"
#include "lib/net/sockets.hpp"
#include "lib/push/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace midst::ingest {

namespace wire = push::wire;

class SharedCells {
 public:
  /// @param file  what came along with HELLO.
  /// @return Errc::protocol when it can shrink under us, or is none of our layout.
  [[nodiscard]] static Result<std::unique_ptr<SharedCells>> open(const net::Descriptor& file);
  /// Over bytes that stay where they are; for tests.
  [[nodiscard]] static Result<std::unique_ptr<SharedCells>> over(std::span<const char> memory);
  ~SharedCells();
  SharedCells(const SharedCells&) = delete;
  SharedCells& operator=(const SharedCells&) = delete;

  struct Definitions {
    std::vector<wire::FamilyDefinition> families;
    std::vector<wire::SeriesDefinition> series;  ///< All with a cell, behind their families.
  };
  /// @return what the directory has got since the last call; once it is malformed, nothing any more.
  [[nodiscard]] Definitions news();

  /// Looks which blocks there are by now; before sums are read.
  void refresh();
  /// @return the sum of a cell over all threads, taken as whole numbers or as doubles; 0 for one that is not there.
  [[nodiscard]] std::uint64_t whole(std::uint32_t cell) const noexcept;
  [[nodiscard]] double real(std::uint32_t cell) const noexcept;

 private:
  explicit SharedCells(std::span<const char> memory) : memory_(memory) {}
  Definitions give_up(Definitions found);
  [[nodiscard]] const char* block_of(std::uint32_t block, std::uint32_t cell) const noexcept;

  std::span<const char> memory_;
  bool is_mapped_ = false;
  std::uint64_t directory_read_ = 0;
  std::uint32_t blocks_read_ = 0;
  std::vector<std::vector<std::uint32_t>> blocks_;  ///< By chunk.
};

}  // namespace midst::ingest
