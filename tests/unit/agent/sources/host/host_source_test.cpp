#include "agent/sources/host/host_source.hpp"

#include "lib/metrics/encode.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace midst::sources {
namespace {

using testing::HasSubstr;

/// A folder that is the root of a machine: its /proc has the golden files.
class HostSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(proc() / "1/net");
    for (const auto* name : {"stat", "meminfo", "loadavg", "diskstats"}) give(name, name);
    give("1/net/dev", "net_dev");
    std::ofstream(proc() / "1/mounts")
        << "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /not/there ext4 ro 0 0\n"
           "server:/x /nfs nfs4 rw 0 0\nproc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] std::filesystem::path proc() const { return root_ / "proc"; }
  void give(const std::string& to, const std::string& golden) const {
    std::ofstream(proc() / to) << test::read_file(std::string(MIDST_SOURCE_DIR) + "/tests/golden/host/" + golden +
                                                  ".txt");
  }

  Result<metrics::Snapshot> collect(HostSource& source) {
    return test::run(io_, source.collect(std::chrono::steady_clock::now() + std::chrono::seconds(5)));
  }
  static std::string text_of(metrics::Snapshot snapshot) {
    const auto page = metrics::merge({std::make_shared<const metrics::Snapshot>(std::move(snapshot))});
    return metrics::encode(page, metrics::Format::text);
  }
  std::string page(HostSource& source) {
    auto collected = collect(source);
    return collected ? text_of(std::move(*collected)) : describe(collected.error());
  }

  [[nodiscard]] HostOptions options() const {
    HostOptions options;
    options.root = root_.string() + "/";
    return options;
  }

  asio::io_context io_{1};
  std::filesystem::path root_ = std::filesystem::path(testing::TempDir()) /
                                ("host_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};

TEST_F(HostSourceTest, ShowsEveryPartOfTheMachineBelowItsRoot) {
  HostSource source(options());
  const auto text = page(source);
  EXPECT_THAT(text, HasSubstr("\nnode_cpu_seconds_total{cpu=\"0\",mode=\"user\"} "));
  EXPECT_THAT(text, HasSubstr("\nnode_memory_MemTotal_bytes "));
  EXPECT_THAT(text, HasSubstr("\nnode_load15 "));
  EXPECT_THAT(text, HasSubstr("\nnode_disk_read_bytes_total{device=\"sda\"} 66412377088\n"));
  EXPECT_THAT(text, HasSubstr("\nnode_network_receive_bytes_total{device=\"veth1a2\"} 9\n"));
  EXPECT_THAT(text, HasSubstr("\nnode_uname_info{"));
  for (const auto* collector : {"cpu", "meminfo", "diskstats", "filesystem", "loadavg", "netdev"})
    EXPECT_THAT(text, HasSubstr(std::string("\nnode_scrape_collector_success{collector=\"") + collector + "\"} 1\n"));
}

TEST_F(HostSourceTest, AFileSystemThatCannotBeAskedIsShownAsSuchAndOthersAreLeftOut) {
  HostSource source(options());
  const auto text = page(source);
  EXPECT_THAT(text, HasSubstr(R"(node_filesystem_device_error{device="/dev/sda1",fstype="ext4",mountpoint="/"} )"));
  EXPECT_THAT(text,
              HasSubstr(R"(node_filesystem_device_error{device="/dev/sdb1",fstype="ext4",mountpoint="/not/there"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(node_filesystem_readonly{device="/dev/sdb1",fstype="ext4",mountpoint="/not/there"} 1)"));
  for (const auto* left_out : {"nfs4", "mountpoint=\"/proc\"", "/dev/shm"})
    EXPECT_EQ(text.find(left_out), std::string::npos) << left_out;
  EXPECT_EQ(text.find(R"(node_filesystem_size_bytes{device="/dev/sdb1")"), std::string::npos);
}

TEST_F(HostSourceTest, AFileThatIsHiddenCostsItsCollectorAloneAndIsSaidOnce) {
  std::filesystem::remove(proc() / "meminfo");
  HostSource source(options());
  testing::internal::CaptureStderr();
  const auto text = page(source);
  page(source);
  give("meminfo", "meminfo");
  EXPECT_THAT(page(source), HasSubstr("node_scrape_collector_success{collector=\"meminfo\"} 1\n"));
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("node_scrape_collector_success{collector=\"meminfo\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nnode_load1 "));
  const auto first = said.find("host collector cannot read its file; ProcSubset=pid");
  EXPECT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("host collector cannot read its file", first + 1), std::string::npos) << said;
  EXPECT_THAT(said, HasSubstr("/proc/meminfo: No such file or directory"));
  EXPECT_THAT(said, HasSubstr("host collector reads its file again"));
}

TEST_F(HostSourceTest, IsDownWhenNothingCanBeRead) {
  std::filesystem::remove_all(proc());
  HostSource source(options());
  const auto collected = collect(source);
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().code, Errc::unsupported);
  EXPECT_THAT(text_of(source.down(collected.error())),
              HasSubstr("node_scrape_collector_success{collector=\"cpu\"} 0\n"));
}

TEST_F(HostSourceTest, ShowsOnlyTheCollectorsThatAreWanted) {
  auto chosen = options();
  chosen.collectors = {"load"};
  HostSource source(chosen);
  auto collected = collect(source);
  ASSERT_TRUE(collected);
  std::set<std::string_view> names;
  for (const auto& family : collected->families()) names.insert(family.name);
  EXPECT_EQ(names, (std::set<std::string_view>{"node_load1", "node_load5", "node_load15",
                                               "node_scrape_collector_success", "node_uname_info"}));
}

TEST_F(HostSourceTest, KnowsEveryFamilyOfItsPageButTheFieldsOfMemory) {
  HostSource source(options());
  const auto known = source.specs();
  auto collected = collect(source);
  ASSERT_TRUE(collected);
  EXPECT_GT(collected->families().size(), 60);
  for (const auto& family : collected->families()) {
    if (family.name.starts_with("node_memory_")) continue;
    const bool is_known =
        std::any_of(known.begin(), known.end(), [&](const auto& spec) { return spec.name == family.name; });
    EXPECT_TRUE(is_known) << family.name;
  }
}

}  // namespace
}  // namespace midst::sources
