// How a client lays out the memory that it shares with the agent, so that what it has counted is there even if it is
// killed: a directory of FAMILY and SERIES frames, and blocks of cells. Both sides use this; docs/wire_protocol.md is
// its prose.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace midst::push::shared {

/// Bit of Hello::features and Welcome::features: a memory file came along with HELLO.
inline constexpr std::uint64_t feature = 1U << 0;

inline constexpr std::uint64_t magic = 0x314D'4853'5050'4DULL;  ///< "MPPSHM1", little-endian.

/// Cells of one block: a chunk of neighbouring cells as one thread has it.
inline constexpr std::uint32_t block_cells = 1024;
/// Chunks of a client; cell n is in chunk n / block_cells.
inline constexpr std::uint32_t max_chunks = 2048;
inline constexpr std::uint32_t max_blocks = 4096;

inline constexpr std::size_t block_bytes = block_cells * sizeof(std::uint64_t);
inline constexpr std::size_t table_offset = 4096, directory_offset = table_offset + max_blocks * sizeof(std::uint32_t),
                             directory_bytes = 4 * 1024 * 1024, blocks_offset = directory_offset + directory_bytes;
/// Of the whole file, which takes memory only where it was written.
inline constexpr std::size_t file_bytes = blocks_offset + max_blocks * block_bytes;

/// At the beginning. The counts grow; frames below them, and a block's chunk once it is there, never change any more.
struct Header {
  std::uint64_t magic;
  std::uint64_t file_bytes;
  std::atomic<std::uint64_t> directory_used;  ///< Bytes of whole frames.
  std::atomic<std::uint64_t> blocks_used;     ///< Blocks that are taken, or were asked for when all were.
};

/// In the table, one for each block: its chunk plus 1; 0 as long as it is not known.
using BlockChunk = std::atomic<std::uint32_t>;
static_assert(sizeof(Header) == 32 && std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace midst::push::shared
