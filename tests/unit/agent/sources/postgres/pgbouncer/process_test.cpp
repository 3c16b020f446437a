#include "agent/sources/postgres/pgbouncer/process.hpp"

#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <fstream>
#include <map>
#include <string>

namespace midst::sources {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// A /proc of the test's own with one process, 4711, and its pid file.
class ProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "4711/fd");
    std::filesystem::create_directories(folder_.path() / "4711/net");
    write("4711/stat",
          "4711 (pg (b) x) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 1 0 6000 22222222 300 18446744073709551615\n");
    write("4711/limits",
          "Limit                     Soft Limit           Hard Limit           Units     \n"
          "Max open files            1024                 4096                 files     \n"
          "Max address space         unlimited            unlimited            bytes     \n");
    write("4711/net/netstat", "TcpExt: A B\nTcpExt: 1 2\nIpExt: InPkts InOctets OutOctets\nIpExt: 9 777 888\n");
    for (const auto* const fd : {"0", "1", "2"}) write(std::string("4711/fd/") + fd, "");
    write("stat", "cpu  1 2 3\nbtime 1000000\n");
    write("bouncer.pid", "4711\n");
  }

  void write(const std::string& name, std::string_view text) const { std::ofstream(folder_.path() / name) << text; }

  [[nodiscard]] std::map<std::string, double> page() const {
    metrics::SnapshotBuilder builder;
    add_process(folder_.path() / "bouncer.pid", folder_.path(), builder);
    std::map<std::string, double> values;
    const auto snapshot = builder.freeze();
    for (const auto& family : snapshot.families()) values.emplace(family.name, family.values.front());
    return values;
  }

  test::TempDir folder_;
};

TEST_F(ProcessTest, HasTheFamiliesOfTheExporter) {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_THAT(
      page(),
      ElementsAre(Pair("pgbouncer_process_cpu_seconds_total", 400 / ticks), Pair("pgbouncer_process_max_fds", 1024),
                  Pair("pgbouncer_process_network_receive_bytes_total", 777),
                  Pair("pgbouncer_process_network_transmit_bytes_total", 888), Pair("pgbouncer_process_open_fds", 3),
                  Pair("pgbouncer_process_resident_memory_bytes", 300.0 * 4096),
                  Pair("pgbouncer_process_start_time_seconds", 1000000 + 6000 / ticks),
                  Pair("pgbouncer_process_virtual_memory_bytes", 22222222),
                  Pair("pgbouncer_process_virtual_memory_max_bytes", 18446744073709551615.0)));
}

TEST_F(ProcessTest, WhatCannotBeReadIsLeftOut) {
  std::filesystem::remove_all(folder_.path() / "4711/fd");
  std::filesystem::remove_all(folder_.path() / "4711/net");
  std::filesystem::remove(folder_.path() / "4711/limits");
  EXPECT_EQ(page().size(), 4);
}

TEST_F(ProcessTest, AFileOlderThanTheProcessIsOfAnotherOne) {
  write("stat", "btime 99999999999\n");
  EXPECT_THAT(page(), IsEmpty());
}

TEST_F(ProcessTest, NoProcessIsNoSeries) {
  for (const auto* const text : {"", "4712\n", "-1\n", "0\n", "words\n", "99999999999999999999\n"}) {
    write("bouncer.pid", text);
    EXPECT_THAT(page(), IsEmpty()) << text;
  }
  std::filesystem::remove(folder_.path() / "bouncer.pid");
  EXPECT_THAT(page(), IsEmpty());
}

TEST_F(ProcessTest, BrokenFilesAreNoNumbers) {
  for (const auto* const text : {"", "4711", "4711 (x)", "4711 (x) ", "4711 (x) S 1", ")"}) {
    write("4711/stat", text);
    EXPECT_THAT(page(), IsEmpty()) << text;
  }
}

}  // namespace
}  // namespace midst::sources
