#include "agent/sources/postgres/top/top_tables.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "lib/metrics/encode.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Label;
using testing::HasSubstr;
using testing::Not;

const std::filesystem::path golden = std::filesystem::path(MIDST_SOURCE_DIR) / "tests/golden/postgres";

constexpr Column columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label, "table"},
    {.column = "scans", .use = Use::counter, .name = "t_scans", .help = "Scans.", .null = NullAs::zero},
    {.column = "time", .use = Use::counter, .name = "t_seconds_total", .help = "Time.", .scale = 0.001},
    {"rows", Use::gauge, "t_rows", "Rows."},
    {.column = "last_vacuum", .use = Use::gauge, .name = "t_last_vacuum", .help = "When.", .null = NullAs::zero},
    {"index_size", Use::gauge, "t_index_size_bytes", "Size."},
    {"table_size", Use::gauge, "t_table_size_bytes", "Size."},
    {"newer", Use::counter, "t_newer_total", "Of a server that this is not."},
};
constexpr Query query{.name = "t", .sql = "", .columns = columns};

std::string encoded(metrics::SnapshotBuilder& builder) {
  std::vector<std::shared_ptr<const metrics::Snapshot>> snapshots;
  snapshots.push_back(std::make_shared<const metrics::Snapshot>(builder.freeze()));
  return metrics::encode(metrics::merge(std::move(snapshots)), metrics::Format::text);
}

/// One collector's memory, fed with rows of (relid, relname, scans, time, rows, last_vacuum, index_size, table_size).
class Tables {
 public:
  using Row = std::vector<std::optional<std::string>>;

  explicit Tables(const Limits& limits) : treatment_(make_top_tables(limits)) {}

  Interpretation look(std::vector<Row> rows, Deadline::duration after = 15s) {
    now_ += after;
    for (auto& row : rows) row.insert(row.begin(), {"shop", "public"});
    rows_.emplace(std::vector<std::string>{"datname", "schemaname", "relid", "relname", "scans", "time", "rows",
                                           "last_vacuum", "index_size", "table_size"},
                  std::move(rows));
    const TableView views[] = {rows_->view()};
    const Query* const asked[] = {&query};
    return treatment_->take(asked, views, now_);
  }
  [[nodiscard]] std::string page(std::span<const Label> extra = {}) const {
    metrics::SnapshotBuilder builder;
    treatment_->add(extra, builder);
    return encoded(builder);
  }
  [[nodiscard]] std::string interpreted(std::span<const Label> extra = {}) const {
    metrics::SnapshotBuilder builder;
    (void)interpret(query, rows_->view(), extra, builder);
    return encoded(builder);
  }

 private:
  std::unique_ptr<Treatment> treatment_;
  std::optional<test::RecordedRows> rows_;
  Deadline now_{};
};

Limits at_most(std::size_t tables) {
  Limits limits;
  limits.tables = tables;
  return limits;
}

TEST(TopTables, WhileAllFitThePageIsWhatTheInterpreterMakesOfTheRows) {
  Tables tables(at_most(3));
  const Label server[] = {{"server", "localhost:5432"}};
  (void)tables.look({{"1", "a", "5", "1500", "7", std::nullopt, "8192", "16384"},
                     {"2", "b", std::nullopt, std::nullopt, std::nullopt, "1.7e9", std::nullopt, std::nullopt}});
  EXPECT_EQ(tables.page(server), tables.interpreted(server));
  // Reset, gone and new: the server's counts are shown as they are.
  (void)tables.look({{"1", "a", "2", "3", "7", "12.5", "8192", "16384"},
                     {"3", "c\"d", "99999999999999999", "0.5", "-1", "0", "0", "0"}});
  EXPECT_EQ(tables.page(server), tables.interpreted(server));
  EXPECT_THAT(tables.page(), HasSubstr("t_scans{datname=\"shop\",schemaname=\"public\",table=\"a\"} 2\n"));
}

TEST(TopTables, TheRecordedAnswersOfAServerAreThePageOfTheInterpreter) {
  for (const auto* collector : {&stat_user_tables_collector, &statio_user_tables_collector}) {
    const auto& chosen = *std::find_if(collector->queries.begin(), collector->queries.end(),
                                       [](const Query& each) { return each.fits(150'018, Edition::current); });
    const auto text = test::read_file(golden / "pg15" / (std::string(chosen.name) + ".rows"));
    const test::RecordedRows rows(text);
    const TableView views[] = {rows.view()};
    const Query* const asked[] = {&chosen};
    const auto treatment = collector->make_treatment({});
    const auto read = treatment->take(asked, views, Deadline{});
    metrics::SnapshotBuilder own, direct;
    treatment->add({}, own);
    const auto interpreted = interpret(chosen, rows.view(), {}, direct);
    EXPECT_GT(read.samples, 0U) << chosen.name;
    EXPECT_EQ(read.samples, interpreted.samples) << chosen.name;
    EXPECT_EQ(encoded(own), encoded(direct)) << chosen.name;
  }
}

TEST(TopTables, TheRestIsSummedWithoutTimes) {
  Tables tables(at_most(1));
  (void)tables.look({{"1", "a", "100", "1000", "1", "5", "1", "2"},
                     {"2", "b", "10", "2000", "20", "6", "10", "9000"},
                     {"3", "c", "1", std::nullopt, std::nullopt, "7", std::nullopt, "300"}});
  EXPECT_EQ(tables.page(), R"(# HELP t_scans Scans.
# TYPE t_scans counter
t_scans{datname="shop",schemaname="public",table="b"} 10
t_scans{datname="shop",schemaname="_other",table="_other"} 101
# HELP t_seconds_total Time.
# TYPE t_seconds_total counter
t_seconds_total{datname="shop",schemaname="public",table="b"} 2
t_seconds_total{datname="shop",schemaname="_other",table="_other"} 1
# HELP t_rows Rows.
# TYPE t_rows gauge
t_rows{datname="shop",schemaname="public",table="b"} 20
t_rows{datname="shop",schemaname="_other",table="_other"} 1
# HELP t_last_vacuum When.
# TYPE t_last_vacuum gauge
t_last_vacuum{datname="shop",schemaname="public",table="b"} 6
# HELP t_index_size_bytes Size.
# TYPE t_index_size_bytes gauge
t_index_size_bytes{datname="shop",schemaname="public",table="b"} 10
t_index_size_bytes{datname="shop",schemaname="_other",table="_other"} 1
# HELP t_table_size_bytes Size.
# TYPE t_table_size_bytes gauge
t_table_size_bytes{datname="shop",schemaname="public",table="b"} 9000
t_table_size_bytes{datname="shop",schemaname="_other",table="_other"} 302
)");
}

TEST(TopTables, SizesAreLeftToTheCollectorThatMeasuresThem) {
  auto limits = at_most(1);
  limits.has_exact_sizes = true;
  Tables tables(limits);
  (void)tables.look({{"1", "a", "1", "1", "1", "5", "1", "2"}, {"2", "b", "1", "1", "1", "5", "1", "300"}});
  EXPECT_THAT(tables.page(), Not(HasSubstr("size")));
  EXPECT_THAT(tables.page(), HasSubstr("table=\"b\"")) << "they weigh all the same";
}

TEST(TopTables, ADroppedTablesCountsMoveNowhereAndTheRestStays) {
  Tables tables(at_most(1));
  (void)tables.look({{"1", "a", "100", "0", "1", "5", "1", "2"}, {"2", "b", "10", "0", "2", "5", "1", "2"}});
  EXPECT_THAT(tables.page(), HasSubstr("table=\"_other\"} 10\n"));
  (void)tables.look({{"2", "b", "14", "0", "2", "5", "1", "2"}});
  const auto page = tables.page();
  EXPECT_THAT(page, Not(HasSubstr("table=\"a\"")));
  EXPECT_THAT(page, HasSubstr("t_scans{datname=\"shop\",schemaname=\"_other\",table=\"_other\"} 14\n"));
  EXPECT_THAT(page, HasSubstr("t_scans{datname=\"shop\",schemaname=\"public\",table=\"b\"} 0\n"));
  (void)tables.look({});
  EXPECT_THAT(tables.page(), HasSubstr("t_scans{datname=\"\",schemaname=\"_other\",table=\"_other\"} 14\n"));
}

TEST(TopTables, ARenamedTableIsNoNewOneAndADroppedIndexNoReset) {
  constexpr std::string_view rest = "t_scans{datname=\"shop\",schemaname=\"_other\",table=\"_other\"} ";
  Tables tables(at_most(1));
  (void)tables.look({{"1", "a", "1000", "0", "1", "5", "1", "2"}, {"2", "b", "500", "9000", "2", "5", "1", "2"}});
  EXPECT_THAT(tables.page(), HasSubstr(std::string(rest) + "500\n"));
  // They change names; the rest's one has lost an index with a hundred scans.
  (void)tables.look({{"1", "b", "1001", "0", "1", "5", "1", "2"}, {"2", "a", "400", "9000", "2", "5", "1", "2"}});
  EXPECT_THAT(tables.page(), HasSubstr("t_scans{datname=\"shop\",schemaname=\"public\",table=\"b\"} 1001\n"));
  EXPECT_THAT(tables.page(), HasSubstr(std::string(rest) + "500\n"));
  (void)tables.look({{"1", "b", "1001", "0", "1", "5", "1", "2"}, {"2", "a", "403", "9000", "2", "5", "1", "2"}});
  EXPECT_THAT(tables.page(), HasSubstr(std::string(rest) + "503\n"));
}

TEST(TopTables, ABusyTableTakesThePlaceOfAQuietOneAfterItsHold) {
  auto limits = at_most(1);
  limits.hold = 60s;
  Tables tables(limits);
  (void)tables.look({{"1", "a", "1000", "0", "1", "5", "0", "0"}, {"2", "b", "1", "0", "2", "5", "0", "0"}});
  EXPECT_THAT(tables.page(), HasSubstr("table=\"a\""));
  (void)tables.look({{"1", "a", "1000", "0", "1", "5", "0", "0"}, {"2", "b", "50", "0", "2", "5", "0", "0"}}, 59s);
  EXPECT_THAT(tables.page(), Not(HasSubstr("table=\"b\"")));
  (void)tables.look({{"1", "a", "1002", "0", "1", "5", "0", "0"}, {"2", "b", "60", "0", "2", "5", "0", "0"}}, 1s);
  const auto page = tables.page();
  EXPECT_THAT(page, HasSubstr("t_scans{datname=\"shop\",schemaname=\"public\",table=\"b\"} 0\n"));
  // 1 at first, 49 and 10 of b, 2 of a.
  EXPECT_THAT(page, HasSubstr("t_scans{datname=\"shop\",schemaname=\"_other\",table=\"_other\"} 62\n"));
  EXPECT_THAT(page, Not(HasSubstr("table=\"a\"")));
}

TEST(TopTables, RowsBeyondTheLimitOfTheStatementAreCountedAndWhatIsNoNumberToo) {
  Tables tables(at_most(5));
  const auto read = tables.look({{"1", "a", "x", "1", "y", "5", "1", "2"}});
  EXPECT_EQ(read.unreadable, 2U);
  EXPECT_EQ(read.samples, 4U);
  constexpr Query short_query{.name = "t", .sql = "", .columns = columns, .max_rows = 1};
  const test::RecordedRows rows({"datname", "relname", "scans"}, {{"shop", "a", "1"}, {"shop", "b", "2"}});
  const TableView views[] = {rows.view()};
  const Query* const asked[] = {&short_query};
  EXPECT_EQ(make_top_tables({})->take(asked, views, Deadline{}).rows_over_limit, 1U);
}

}  // namespace
}  // namespace midst::sources
