// The files of /proc against the page that they must become, byte for byte: stat, meminfo and loadavg of a real
// machine, the others edited so that each rule has its line. MIDST_UPDATE_GOLDEN=1 writes the pages anew.
#include "agent/sources/host/proc_texts.hpp"

#include "lib/metrics/encode.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace midst::sources::host {
namespace {

using metrics::SnapshotBuilder;

std::string page_of(SnapshotBuilder& builder) {
  const auto page = metrics::merge({std::make_shared<const metrics::Snapshot>(builder.freeze())});
  return metrics::encode(page, metrics::Format::text);
}

std::string file(const std::string& name) {
  return std::string(MIDST_SOURCE_DIR) + "/tests/golden/host/" + name;
}

std::string page_of_mounts(const std::string& text) {
  SnapshotBuilder builder;
  double size = 1000;
  for (const auto& mount : parse_mounts(text)) {
    add_filesystem(mount, {mount.type != "xfs", size, size / 2, size / 4, size / 10, size / 100}, builder);
    size *= 2;
  }
  return page_of(builder);
}

std::string page_of(const std::string& name, const std::string& text) {
  if (name == "mounts") return page_of_mounts(text);
  SnapshotBuilder builder;
  CpuTimes times(100);
  const auto done = name == "stat"        ? times.add(text, builder)
                    : name == "meminfo"   ? add_meminfo(text, builder)
                    : name == "loadavg"   ? add_loadavg(text, builder)
                    : name == "diskstats" ? add_diskstats(text, {"loop*", "zram*"}, builder)
                                          : add_net_dev(text, {"veth*"}, builder);
  EXPECT_TRUE(done) << describe(done.error());
  return page_of(builder);
}

class ProcTexts : public testing::TestWithParam<const char*> {};

TEST_P(ProcTexts, BecomeThePage) {
  const std::string name = GetParam();
  const auto page = page_of(name, test::read_file(file(name + ".txt")));
  if (std::getenv("MIDST_UPDATE_GOLDEN") != nullptr) std::ofstream(file(name + ".prom"), std::ios::binary) << page;
  EXPECT_EQ(page, test::read_file(file(name + ".prom")));
}

INSTANTIATE_TEST_SUITE_P(Files, ProcTexts,
                         testing::Values("stat", "meminfo", "loadavg", "diskstats", "net_dev", "mounts"),
                         [](const auto& each) { return std::string(each.param); });

/// node_cpu_seconds_total of mode idle behind several reads of /proc/stat.
std::string idle_after(std::initializer_list<const char*> reads) {
  CpuTimes times(100);
  std::string page;
  for (const auto* read : reads) {
    SnapshotBuilder builder;
    EXPECT_TRUE(times.add(read, builder));
    page = page_of(builder);
  }
  const auto at = page.find("mode=\"idle\"} ");
  return page.substr(at + 13, page.find('\n', at) - at - 13);
}

TEST(CpuTimes, ATimeThatFallsALittleStays) {
  EXPECT_EQ(idle_after({"cpu0 0 0 0 1000\n", "cpu0 0 0 0 999\n"}), "10");
  EXPECT_EQ(idle_after({"cpu0 0 0 0 1000\n", "cpu0 0 0 0 999\n", "cpu0 0 0 0 1001\n"}), "10.01");
  EXPECT_EQ(idle_after({"cpu0 0 0 0 1000\n", "cpu0 0 0 0 701\n"}), "10") << "less than three seconds";
  EXPECT_EQ(idle_after({"cpu0 0 0 0 1000\n", "cpu0 0 0 0 700\n"}), "7") << "a CPU that begins anew";
}

TEST(CpuTimes, CpusThatAreSwitchedOffLeaveTheOthersTheirNumbers) {
  CpuTimes times(100);
  SnapshotBuilder builder;
  ASSERT_TRUE(times.add("cpu  1 1\ncpu0 100\ncpu7 700\n", builder));
  EXPECT_EQ(page_of(builder),
            "# HELP node_cpu_seconds_total Time the CPUs spent in each mode.\n# TYPE node_cpu_seconds_total counter\n"
            "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1\nnode_cpu_seconds_total{cpu=\"7\",mode=\"user\"} 7\n");
}

TEST(ProcTexts, AFileWithoutALineThatCanBeReadIsAnError) {
  for (const std::string text : {"", "\n", "hello\n", "cpu  1 2 3\n", ":\n", "1 x 2\n"}) {
    SnapshotBuilder builder;
    CpuTimes times(100);
    EXPECT_EQ(times.add(text, builder).error().code, Errc::protocol) << text;
    EXPECT_EQ(add_meminfo(text, builder).error().code, Errc::protocol) << text;
    EXPECT_EQ(add_loadavg(text, builder).error().code, Errc::protocol) << text;
    EXPECT_EQ(add_diskstats(text, {}, builder).error().code, Errc::protocol) << text;
    EXPECT_EQ(add_net_dev(text, {}, builder).error().code, Errc::protocol) << text;
  }
}

TEST(ProcTexts, DevicesBeyondTheLimitAreNotShown) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "if" + std::to_string(i) + ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  SnapshotBuilder builder;
  ASSERT_TRUE(add_net_dev(text, {}, builder));
  EXPECT_EQ(builder.freeze().sample_count(), 16'000);
}

}  // namespace
}  // namespace midst::sources::host
