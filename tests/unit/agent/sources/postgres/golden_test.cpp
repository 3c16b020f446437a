// Recorded answers of real servers, through the catalogue and the text writer: what a release prints, byte by byte.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/metrics/encode.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace midst::sources {
namespace {

const std::filesystem::path golden = std::filesystem::path(MIDST_SOURCE_DIR) / "tests/golden/postgres";

std::string encode(metrics::SnapshotBuilder& builder) {
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
  snapshots.push_back(std::make_shared<const metrics::Snapshot>(builder.freeze()));
  return metrics::encode(metrics::merge(std::move(snapshots)), metrics::Format::text);
}

void add_recorded(const Query& query, bool has_server_label, const std::filesystem::path& folder,
                  metrics::SnapshotBuilder& builder) {
  const auto file = folder / (std::string(query.name) + ".rows");
  ASSERT_TRUE(std::filesystem::exists(file)) << file;
  const auto text = test::read_file(file);
  const test::RecordedRows rows(text);
  const metrics::Label server{"server", "localhost:5432"};
  const auto read = interpret(query, rows.view(),
                              has_server_label ? std::span(&server, 1) : std::span<const metrics::Label>(), builder);
  EXPECT_EQ(read.unreadable, 0U) << query.name;
}

/// The page as it is goes beside the test, so that a wanted change is one copy away; tests/golden/postgres/record.py
/// has it put in its place.
void expect_golden(const std::string& page, const std::filesystem::path& expected) {
  if (std::getenv("MIDST_RECORD_GOLDEN") != nullptr) std::ofstream(expected) << page;
  if (page == test::read_file(expected)) return;
  const auto actual = std::filesystem::temp_directory_path() / expected.filename();
  std::ofstream(actual) << page;
  ADD_FAILURE() << "diff " << expected << " " << actual;
}

struct Recorded {
  std::string_view folder;
  int version;
};

class PostgresGoldenTest : public testing::TestWithParam<Recorded> {};

TEST_P(PostgresGoldenTest, RecordedRowsMakeThePage) {
  const auto folder = golden / GetParam().folder;
  metrics::SnapshotBuilder builder;
  add_recorded(instance_query(), true, folder, builder);
  for (const auto& collector : postgres_catalog())
    for (const auto& query : collector.queries)
      if (query.fits(GetParam().version, Edition::current) &&
          (collector.extension.empty() || collector.make_treatment == nullptr))
        add_recorded(query, collector.has_server_label, folder, builder);
  expect_golden(encode(builder), golden / (std::string(GetParam().folder) + ".prom"));
}

INSTANTIATE_TEST_SUITE_P(Release, PostgresGoldenTest,
                         testing::Values(Recorded{"pg96", 90'624}, Recorded{"pg10", 100'023}, Recorded{"pg12", 120'022},
                                         Recorded{"pg14", 140'023}, Recorded{"pg15", 150'020},
                                         Recorded{"pg17", 170'010}, Recorded{"pg18", 180'004}),
                         [](const auto& recorded) { return std::string(recorded.param.folder); });

}  // namespace
}  // namespace midst::sources
