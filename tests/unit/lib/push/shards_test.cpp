#include "lib/push/shards.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace midst::push::detail {
namespace {

TEST(Shards, AHistogramNeverStraddlesAChunk) {
  Shards shards(1);
  ASSERT_EQ(shards.allocate(chunk_cells - 3), 0u);
  EXPECT_EQ(shards.allocate(3), chunk_cells - 3);
  ASSERT_EQ(shards.allocate(1), chunk_cells);
  EXPECT_EQ(shards.allocate(chunk_cells), 2 * chunk_cells) << "the rest of the chunk is left out";
}

TEST(Shards, RefuseWhatDoesNotFit) {
  Shards shards(1);
  EXPECT_EQ(shards.allocate(chunk_cells + 1), std::nullopt);
  for (std::size_t i = 0; i < Shard::max_chunks; ++i) ASSERT_TRUE(shards.allocate(chunk_cells));
  EXPECT_EQ(shards.allocate(1), std::nullopt);
}

constexpr std::uint64_t one = 1;

TEST(Shards, TheSumIsOfAllShardsAlsoOfEndedThreads) {
  Shards shards(1);
  ASSERT_EQ(shards.allocate(chunk_cells), 0u);
  ASSERT_EQ(shards.allocate(6), chunk_cells);
  constexpr auto real = chunk_cells + 5;
  const auto first = shards.join(), second = shards.join();
  add(*first->touch(5), one);
  add(*second->touch(5), 2 * one);
  add(*second->touch(real), 0.75);
  shards.add_locked(5, 4 * one);
  shards.add_locked(real, 0.5);
  const auto expect_all = [&] {
    Shards::Reader reader(shards);
    EXPECT_EQ(reader.whole(5), 7u);
    EXPECT_EQ(reader.real(real), 1.25);
    EXPECT_EQ(reader.whole(6), 0u);
  };
  expect_all();
  shards.retire(first);
  shards.retire(first);  // once is enough
  expect_all();
  shards.retire(second);
  expect_all();
}

TEST(Shards, StartOverKeepsOnlyTheOwnShardAndEmptiesIt) {
  Shards shards(1);
  ASSERT_EQ(shards.allocate(2), 0u);
  const auto own = shards.join(), other = shards.join();
  add(*own->touch(0), one);
  add(*other->touch(0), 2 * one);
  shards.add_locked(0, 4 * one);
  shards.start_over(own.get());
  EXPECT_EQ(Shards::Reader(shards).whole(0), 0u);
  add(*other->touch(0), 2 * one);
  add(*own->touch(0), 8 * one);
  EXPECT_EQ(Shards::Reader(shards).whole(0), 8u);
}

}  // namespace
}  // namespace midst::push::detail
