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

TEST(Shards, TheSumIsOfLivingAndRetiredShards) {
  Shards shards(1);
  const auto first = shards.join(), second = shards.join();
  add(*first->touch(5), 1);
  add(*second->touch(5), 2);
  add(*second->touch(chunk_cells + 5), 7);
  shards.add_retired(5, 4);
  EXPECT_EQ(Shards::Reader(shards).sum(5), 7);
  shards.retire(first);
  shards.retire(first);  // once is enough
  EXPECT_EQ(Shards::Reader(shards).sum(5), 7);
  shards.retire(second);
  EXPECT_EQ(Shards::Reader(shards).sum(5), 7);
  EXPECT_EQ(Shards::Reader(shards).sum(chunk_cells + 5), 7);
  EXPECT_EQ(Shards::Reader(shards).sum(6), 0);
}

TEST(Shards, StartOverKeepsOnlyTheOwnShardAndEmptiesIt) {
  Shards shards(1);
  const auto own = shards.join(), other = shards.join();
  add(*own->touch(0), 1);
  add(*other->touch(0), 2);
  shards.add_retired(0, 4);
  shards.start_over(own.get());
  EXPECT_EQ(Shards::Reader(shards).sum(0), 0);
  add(*other->touch(0), 2);
  add(*own->touch(0), 8);
  EXPECT_EQ(Shards::Reader(shards).sum(0), 8);
}

}  // namespace
}  // namespace midst::push::detail
