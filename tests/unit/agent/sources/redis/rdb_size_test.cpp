#include "agent/sources/redis/commands/rdb_size.hpp"

#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::TempDir;

TEST(RedisRdbFile, HasItsSizeAndZeroWhileThereIsNone) {
  const TempDir directory;
  const auto path = directory.path().string();
  EXPECT_EQ(rdb_file_size(path, "dump.rdb"), 0);
  std::ofstream(directory.path() / "dump.rdb") << "12345";
  EXPECT_EQ(rdb_file_size(path, "dump.rdb"), 5);
  std::filesystem::resize_file(directory.path() / "dump.rdb", 10 * 1024 * 1024);  // sparse
  EXPECT_EQ(rdb_file_size(path, "dump.rdb"), 10485760);
  EXPECT_EQ(rdb_file_size(path + "/", "dump.rdb"), 10485760);
}

TEST(RedisRdbFile, IsNotLookedForOutsideItsFolder) {
  const TempDir directory;
  const auto path = directory.path().string();
  std::filesystem::create_directory(directory.path() / "sub");
  std::ofstream(directory.path() / "sub" / "dump.rdb") << "12345";
  for (const std::string name : {"../../../etc/passwd", "/etc/passwd", "sub/dump.rdb", ".", "..", "", "sub"})
    EXPECT_FALSE(rdb_file_size(path, name)) << name;
  EXPECT_FALSE(rdb_file_size(path, std::string("dump\0.rdb", 9)));
  EXPECT_FALSE(rdb_file_size("", "dump.rdb"));
  EXPECT_FALSE(rdb_file_size("relative", "dump.rdb"));
  EXPECT_FALSE(rdb_file_size("/dev", "null"));
}

TEST(RedisRdbSize, LooksWhereTheSettingsSay) {
  const TempDir directory;
  std::ofstream(directory.path() / "my.rdb") << "123";
  const auto path = directory.path().string();
  Canned server(make_rdb_size({}));
  server.answer("CONFIG GET dir dbfilename", "*4\r\n" + bulk("dir") + bulk(path) + bulk("dbfilename") + bulk("my.rdb"));
  EXPECT_EQ(server.scrape(), "redis_rdb_current_size_bytes 3\n");
  std::ofstream(directory.path() / "my.rdb") << "1234";
  server.wait(std::chrono::seconds(1));
  EXPECT_EQ(server.scrape(), "redis_rdb_current_size_bytes 4\n");
  EXPECT_TRUE(server.asked.empty());
}

TEST(RedisRdbSize, AsksOldServersForOneSettingAtATime) {
  const TempDir directory;
  const auto path = directory.path().string();
  Canned server(make_rdb_size({}));
  server.facts.version = 60216;
  server.answer("CONFIG GET dir", "*2\r\n" + bulk("dir") + bulk(path));
  server.answer("CONFIG GET dbfilename", "*2\r\n" + bulk("dbfilename") + bulk("none.rdb"));
  EXPECT_EQ(server.scrape(), "redis_rdb_current_size_bytes 0\n");
}

TEST(RedisRdbSize, ShowsNothingWhereConfigIsDenied) {
  Canned server(make_rdb_size({}));
  server.answer("CONFIG GET dir dbfilename", "-NOPERM no\r\n");
  EXPECT_EQ(server.scrape(), "");
  EXPECT_EQ(server.error->code, Errc::noperm);
}

}  // namespace
}  // namespace midst::sources::redis_info
