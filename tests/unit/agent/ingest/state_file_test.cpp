#include "agent/ingest/state_file.hpp"

#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

namespace midst::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StateFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (folder_.path() / "push.state").string(); }
  [[nodiscard]] StateFile::Opened open() const {
    auto opened = StateFile::open(path());
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  [[nodiscard]] std::string bytes() const { return midst::test::read_file(path()); }
  void overwrite(std::size_t at, std::string_view with) const {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(with.data(), static_cast<std::streamsize>(with.size()));
  }

  midst::test::TempDir folder_;
};

TEST_F(StateFileTest, IsMadeEmptyAndForItsOwnerAlone) {
  const auto opened = open();
  EXPECT_THAT(opened.contents.checkpoint, IsEmpty());
  EXPECT_THAT(opened.contents.records, IsEmpty());
  EXPECT_THAT(opened.set_aside, IsEmpty());
  struct stat found {};
  ASSERT_EQ(stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST_F(StateFileTest, HoldsTheLastCheckpointAndTheRecordsAfterIt) {
  {
    const auto opened = open();
    ASSERT_TRUE(opened.file->append("lost with the next checkpoint"));
    ASSERT_TRUE(opened.file->checkpoint("one"));
    ASSERT_TRUE(opened.file->append("a"));
    ASSERT_TRUE(opened.file->checkpoint("two"));
    ASSERT_TRUE(opened.file->append("b"));
    ASSERT_TRUE(opened.file->append(std::string(1000, 'c')));
  }
  const auto again = open();
  EXPECT_EQ(again.contents.checkpoint, "two");
  EXPECT_THAT(again.contents.records, ElementsAre("b", std::string(1000, 'c')));
  ASSERT_TRUE(again.file->append("d"));
  EXPECT_THAT(read_state(bytes())->records, ElementsAre("b", std::string(1000, 'c'), "d"));
}

TEST_F(StateFileTest, HasRoomForRecordsOrSaysThatItHasNot) {
  const auto opened = open();
  ASSERT_TRUE(opened.file->checkpoint(std::string(1'000'000, 'x')));
  std::size_t taken = 0;
  while (opened.file->append(std::string(1000, 'r'))) taken += 1000;
  EXPECT_GE(taken, 1'000'000U);
  EXPECT_EQ(read_state(bytes())->records.size(), taken / 1000);
  ASSERT_TRUE(opened.file->checkpoint(std::string(3'000'000, 'y')));
  EXPECT_TRUE(opened.file->append("z"));
  EXPECT_EQ(read_state(bytes())->checkpoint, std::string(3'000'000, 'y'));
}

TEST_F(StateFileTest, BelongsToOneProcess) {
  const auto opened = open();
  const auto second = StateFile::open(path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().message, HasSubstr("another process has this state"));
}

TEST_F(StateFileTest, IsHeldByOneProcessAlsoAfterItHasGrown) {
  const auto opened = open();
  ASSERT_TRUE(opened.file->checkpoint(std::string(1'000'000, 'x')));
  EXPECT_EQ(StateFile::open(path()).error().code, Errc::conflict);
}

TEST_F(StateFileTest, EveryFlippedByteOfWhatCountsIsNoticedAndTheFileSetAside) {
  {
    const auto opened = open();
    ASSERT_TRUE(opened.file->checkpoint("checkpoint"));
    ASSERT_TRUE(opened.file->append("first"));
    ASSERT_TRUE(opened.file->append("second"));
  }
  const auto good = bytes();
  const auto state = read_state(good).value();
  const auto begin = static_cast<std::size_t>(state.checkpoint.data() - good.data()) - 24;
  std::size_t refused = 0;
  for (auto at = begin; at < state.end; ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    const auto found = read_state(bad);
    // What lies between the pieces, to fill up 8 bytes, is nobody's.
    if (found && found->checkpoint == state.checkpoint && found->records == state.records) continue;
    EXPECT_FALSE(found) << at;
    ++refused;
  }
  EXPECT_EQ(refused, 24 + 10 + 2 * 8 + 5 + 6U);
  overwrite(begin + 26, "X");
  const auto again = open();
  EXPECT_EQ(again.set_aside, "the checkpoint of the state is damaged");
  EXPECT_THAT(again.contents.records, IsEmpty());
  EXPECT_EQ(midst::test::read_file(path() + ".damaged").substr(begin + 24, 4), "chXc");
}

TEST_F(StateFileTest, WhatIsNoStateIsSetAside) {
  std::ofstream(path()) << "something else";
  EXPECT_EQ(open().set_aside, "this is no state, or that of another version");
  EXPECT_EQ(midst::test::read_file(path() + ".damaged"), "something else");
}

TEST_F(StateFileTest, ALinkIsNotFollowed) {
  std::ofstream((folder_.path() / "other").string()) << "precious";
  ASSERT_EQ(symlink((folder_.path() / "other").c_str(), path().c_str()), 0);
  EXPECT_EQ(open().set_aside, "this is no file of our own");
  EXPECT_EQ(midst::test::read_file((folder_.path() / "other").string()), "precious");
}

TEST_F(StateFileTest, AFolderThatIsNotThereIsAnErrorWithThePath) {
  const auto opened = StateFile::open((folder_.path() / "none/push.state").string());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("none/push.state: the state cannot be"));
}

TEST_F(StateFileTest, AProcessKilledAtAnyMomentLeavesAWholePrefix) {
  for (int round = 0; round < 20; ++round) {
    const auto told = (folder_.path() / "told").string();
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const auto child = fork();
    if (child == 0) {
      auto opened = StateFile::open(path());
      for (std::uint64_t n = 0; opened; ++n) {
        const std::string record = std::to_string(n) + std::string(n % 200, 'x');
        if (n % 50 == 49) std::ignore = opened->file->checkpoint(std::to_string(n));
        if (!opened->file->append(record)) _exit(1);
        if (write(pipe_ends[1], &n, sizeof n) != sizeof n) _exit(2);
      }
      _exit(3);
    }
    close(pipe_ends[1]);
    std::uint64_t last = 0;
    for (int i = 0; i < 40 + 37 * round; ++i) ASSERT_EQ(read(pipe_ends[0], &last, sizeof last), 8);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read(pipe_ends[0], &last, sizeof last) == 8) {
    }
    close(pipe_ends[0]);
    const auto opened = open();
    ASSERT_EQ(opened.set_aside, "");
    auto next = opened.contents.checkpoint.empty() ? 0 : std::stoull(std::string(opened.contents.checkpoint));
    for (const auto record : opened.contents.records) {
      ASSERT_EQ(record, std::to_string(next) + std::string(next % 200, 'x'));
      ++next;
    }
    EXPECT_GE(next, last + 1) << "a record that was told of is gone";
    unlink(path().c_str());
  }
}

}  // namespace
}  // namespace midst::ingest
