#include "api/repositories/profiles.hpp"
#include "tests/support/loop.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

using namespace std::chrono_literals;

struct MemoryProfilesTest : testing::Test {
  asio::io_context io;
  std::chrono::system_clock::time_point now{1'700'000'000'007ms};
  std::unique_ptr<Profiles> profiles = make_memory_profiles([this] { return now; }, 2);
};

TEST_F(MemoryProfilesTest, WritesTimesInUtcWithMilliseconds) {
  const auto stored = test::run(io, profiles->create({"id-1", R"({"slug":"a"})"}, {})).value();
  EXPECT_EQ(
      stored,
      R"({"createdAt":"2023-11-14T22:13:20.007Z","id":"id-1","slug":"a","updatedAt":"2023-11-14T22:13:20.007Z"})");
}

TEST_F(MemoryProfilesTest, ServesTheNewestFirstAndCountsAll) {
  (void)test::run(io, profiles->create({"id-1", "{}"}, {}));
  (void)test::run(io, profiles->create({"id-2", "{}"}, {}));
  const auto page = test::run(io, profiles->list({0, 1}, {})).value();
  EXPECT_EQ(page.total, 2U);
  ASSERT_EQ(page.documents.size(), 1U);
  EXPECT_NE(page.documents[0].find("id-2"), std::string::npos);
  EXPECT_EQ(test::run(io, profiles->list({2, 10}, {})).value().documents.size(), 0U);
}

TEST_F(MemoryProfilesTest, RefusesTakenIdsBeforeItIsFullAndNewOnesAfter) {
  (void)test::run(io, profiles->create({"id-1", "{}"}, {}));
  EXPECT_EQ(test::run(io, profiles->create({"id-1", "{}"}, {})).error().code, Errc::conflict);
  (void)test::run(io, profiles->create({"id-2", "{}"}, {}));
  EXPECT_EQ(test::run(io, profiles->create({"id-3", "{}"}, {})).error().code, Errc::limit);
  EXPECT_EQ(test::run(io, profiles->get("id-3", {})).error().code, Errc::not_found);
}

}  // namespace
}  // namespace midst::api
