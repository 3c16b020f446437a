#include "agent/ingest/shared_cells.hpp"

#include "lib/push/shared_layout.hpp"
#include "lib/push/shared_memory.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <vector>

namespace midst::ingest {
namespace {

namespace shared = push::shared;
using push::detail::SharedMemory;

std::string family_frame() {
  wire::FamilyDefinition family;
  family.name = "a_total";
  std::string frame;
  wire::encode(frame, family);
  return frame;
}

std::string series_frame(std::uint32_t id, std::optional<std::uint32_t> cell) {
  std::string frame;
  wire::SeriesDefinition series;
  series.id = id;
  series.cell = cell;
  wire::encode(frame, series);
  return frame;
}

class SharedCellsTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<SharedCells> open() const {
    return SharedCells::open(net::Descriptor(::dup(memory_->descriptor()))).value();
  }
  std::unique_ptr<SharedMemory> memory_ = SharedMemory::make();
};

TEST_F(SharedCellsTest, TellsWhatTheDirectoryHasGotSince) {
  const auto cells = open();
  EXPECT_TRUE(cells->news().families.empty());
  ASSERT_TRUE(memory_->append(family_frame()));
  ASSERT_TRUE(memory_->append(series_frame(7, 40)));
  const auto first = cells->news();
  ASSERT_EQ(first.families.size(), 1U);
  EXPECT_EQ(first.families[0].name, "a_total");
  ASSERT_EQ(first.series.size(), 1U);
  EXPECT_EQ(first.series[0].id, 7U);
  EXPECT_EQ(first.series[0].cell, 40U);
  EXPECT_TRUE(cells->news().series.empty());
  ASSERT_TRUE(memory_->append(series_frame(8, 0)));
  EXPECT_EQ(cells->news().series[0].cell, 0U);
}

TEST_F(SharedCellsTest, AddsUpTheBlocksOfAllThreads) {
  const auto cells = open();
  auto* const one = memory_->add_block(0);
  auto* const two = memory_->add_block(0);
  auto* const third = memory_->add_block(3);
  one[5] = 1;
  two[5] = 2;
  one[6] = std::bit_cast<std::uint64_t>(0.5);
  two[6] = std::bit_cast<std::uint64_t>(0.25);
  third[0] = 9;
  EXPECT_EQ(cells->whole(5), 0U);
  cells->refresh();
  EXPECT_EQ(cells->whole(5), 3U);
  EXPECT_EQ(cells->real(6), 0.75);
  EXPECT_EQ(cells->whole(3 * shared::block_cells), 9U);
  EXPECT_EQ(cells->whole(shared::block_cells), 0U);
  EXPECT_EQ(cells->whole(0xffffffff), 0U);
}

TEST_F(SharedCellsTest, IsStillThereWhenTheClientIsGone) {
  memory_->add_block(0)[0] = 42;
  const auto cells = open();
  memory_.reset();
  cells->refresh();
  EXPECT_EQ(cells->whole(0), 42U);
}

TEST_F(SharedCellsTest, TheLastBlockIsTheLast) {
  for (std::uint32_t i = 0; i < shared::max_blocks; ++i) ASSERT_NE(memory_->add_block(i % shared::max_chunks), nullptr);
  EXPECT_EQ(memory_->add_block(0), nullptr);
  const auto cells = open();
  cells->refresh();
  EXPECT_EQ(cells->whole(0), 0U);
}

TEST_F(SharedCellsTest, ADirectoryThatIsMalformedIsReadNoFurther) {
  const auto cells = open();
  ASSERT_TRUE(memory_->append(family_frame() + series_frame(1, std::nullopt)));
  EXPECT_EQ(cells->news().families.size(), 1U);
  ASSERT_TRUE(memory_->append(series_frame(2, 2)));
  EXPECT_TRUE(cells->news().series.empty());
}

TEST_F(SharedCellsTest, RefusesWhatCouldShrinkOrIsOfAnotherKind) {
  const net::Descriptor unsealed(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), shared::file_bytes), 0);
  EXPECT_EQ(SharedCells::open(unsealed).error().message, "shared memory: it is not sealed against shrinking");
  ASSERT_EQ(::fcntl(unsealed.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(SharedCells::open(unsealed).error().message, "shared memory: it has another layout");
  const net::Descriptor small(::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(small.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(SharedCells::open(small).error().message, "shared memory: it has another size");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(SharedCells::open(net::Descriptor(ends[0])));
  ::close(ends[1]);
}

TEST(SharedCells, CountsOutOfRangeAreCut) {
  std::vector<char> memory(shared::file_bytes);
  const auto put = [&](std::size_t at, std::uint64_t value) { std::memcpy(memory.data() + at, &value, sizeof value); };
  put(offsetof(shared::Header, magic), shared::magic);
  put(offsetof(shared::Header, directory_used), ~std::uint64_t{0});
  put(offsetof(shared::Header, blocks_used), ~std::uint64_t{0});
  for (std::size_t i = 0; i < shared::max_blocks; i += 2) put(shared::table_offset + i * 4, 0xffffffff'ffffffff);
  const auto cells = SharedCells::over(memory).value();
  EXPECT_TRUE(cells->news().series.empty());
  cells->refresh();
  EXPECT_EQ(cells->whole(0), 0U);
  EXPECT_FALSE(SharedCells::over(std::span(memory).first(100)));
}

}  // namespace
}  // namespace midst::ingest
