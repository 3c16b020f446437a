// The memory that a client shares, filled with any bytes: the head, the table of blocks and the directory.
#include "agent/ingest/shared_cells.hpp"
#include "lib/push/shared_layout.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace shared = midst::push::shared;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::vector<char> memory(shared::file_bytes);
  if (size < 32) return 0;
  const auto put = [&](std::size_t at, const std::uint8_t* from, std::size_t count) {
    std::memcpy(memory.data() + at, from, count);
  };
  const auto table = std::min<std::size_t>(data[0], (size - 32) / 2), directory = size - 32 - table;
  std::fill_n(memory.data() + shared::table_offset, 512, '\0');
  std::fill_n(memory.data() + shared::directory_offset, 65536, '\0');
  put(0, data, 32);
  std::memcpy(memory.data(), &shared::magic, sizeof shared::magic);
  put(shared::table_offset, data + 32, table);
  put(shared::directory_offset, data + 32 + table, std::min<std::size_t>(directory, 65536));
  const auto opened = midst::ingest::SharedCells::over(memory);
  if (!opened) std::abort();
  auto& cells = **opened;
  for (int round = 0; round < 2; ++round) {
    const auto news = cells.news();
    cells.refresh();
    for (const auto& series : news.series) {
      static_cast<void>(cells.whole(*series.cell));
      static_cast<void>(cells.real(*series.cell + 1));
    }
  }
  return 0;
}
