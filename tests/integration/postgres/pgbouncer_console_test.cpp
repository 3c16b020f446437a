// The PgBouncer source against consoles of releases that are not packaged, and of ill manners: answers as each
// release's documents and source describe them, through a server that speaks the protocol.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/pgbouncer_source.hpp"
#include "lib/metrics/encode.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/scripted_pg.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::PgAnswer;
using test::value_of;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

const std::filesystem::path golden =
    std::filesystem::path(MIDST_SOURCE_DIR) / "tests/golden/postgres/pgbouncer_releases";

/// "== SHOW POOLS", then the answer with its header line.
std::map<std::string, std::string> answers_of(const std::string& release) {
  std::map<std::string, std::string> answers;
  std::string* answer = nullptr;
  std::ifstream file(golden / (release + ".console"));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("== "))
      answer = &answers[line.substr(3)];
    else if (answer != nullptr)
      *answer += line + "\n";
  }
  return answers;
}

PgAnswer unknown_command(const std::string& sql) {
  return PgAnswer::error("08P01", "invalid command '" + sql + "', use SHOW HELP;");
}

asio::awaitable<std::vector<Result<Snapshot>>> collected(PgbouncerSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

class PgbouncerConsoleTest : public testing::Test {
 protected:
  void serve(const std::string& release, const std::string& reported) {
    recorded_ = answers_of(release);
    ASSERT_FALSE(recorded_.empty()) << release;
    console_ = std::make_unique<test::ScriptedPg>(
        io_, std::vector<std::pair<std::string, std::string>>{{"server_version", reported}},
        [this](const std::string& sql) { return answer(sql); });
  }

  PgAnswer answer(const std::string& sql) {
    if (const auto special = special_.find(sql); special != special_.end()) return special->second;
    const auto found = recorded_.find(sql);
    return found == recorded_.end() ? unknown_command(sql) : PgAnswer::recorded(found->second);
  }

  [[nodiscard]] PgbouncerOptions options() const {
    PgbouncerOptions options;
    options.conninfo = pq::parse_conninfo(console_->dsn("pgbouncer")).value();
    return options;
  }

  [[nodiscard]] Result<Snapshot> collect(PgbouncerSource& source, std::chrono::milliseconds time = 5s) {
    return std::move(test::run(io_, collected(source, std::chrono::steady_clock::now() + time)).front());
  }

  [[nodiscard]] std::size_t asked(const std::string& sql) const {
    return static_cast<std::size_t>(std::count(console_->executed().begin(), console_->executed().end(), sql));
  }

  boost::asio::io_context io_;
  std::map<std::string, std::string> recorded_;
  std::map<std::string, PgAnswer> special_;
  std::unique_ptr<test::ScriptedPg> console_;
};

/// What differs from run to run is left out: times of this machine, and this program's version.
std::string page_of(Snapshot page) {
  const auto text =
      metrics::encode(metrics::merge({std::make_shared<const Snapshot>(std::move(page))}), metrics::Format::text);
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find("midst_pgbouncer_collector_") == std::string::npos &&
        line.find("pgbouncer_exporter_build_info") == std::string::npos)
      kept += line + "\n";
  return kept;
}

constexpr const char* releases[] = {"1.8",  "1.15", "1.16", "1.17", "1.18", "1.19",
                                    "1.20", "1.21", "1.22", "1.23", "1.24", "1.25"};

class PgbouncerReleases : public PgbouncerConsoleTest, public testing::WithParamInterface<const char*> {};

TEST_P(PgbouncerReleases, HasItsPageAndIsAskedNothingThatItDoesNotKnow) {
  const std::string release = GetParam();
  serve(release, release + ".1/bouncer");
  PgbouncerSource source(io_.get_executor(), options());
  auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  for (const auto& sql : console_->executed()) EXPECT_TRUE(recorded_.contains(sql)) << sql;
  EXPECT_EQ(console_->executed().size(), recorded_.size());
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
  EXPECT_EQ(page->find("midst_pgbouncer_values_skipped_total"), nullptr);
  const auto text = page_of(std::move(*page));
  const auto expected = golden / (release + ".prom");
  if (std::filesystem::exists(expected) && text == test::read_file(expected)) return;
  const auto actual = std::filesystem::temp_directory_path() / expected.filename();
  std::ofstream(actual) << text;
  ADD_FAILURE() << "diff " << expected << " " << actual;
}

/// Columns that say nothing worth a series: addresses, ports, pointers, times in the server's own time zone.
const std::set<std::string> passed_over{"type",         "addr",
                                        "port",         "local_addr",
                                        "local_port",   "connect_time",
                                        "request_time", "wait",
                                        "wait_us",      "ptr",
                                        "link",         "remote_pid",
                                        "id",           "application_name",
                                        "state",        "tls",
                                        "replication",  "prepared_statements",
                                        "close_needed", "database",
                                        "user"};

TEST_P(PgbouncerReleases, EveryColumnOfItHasAPlaceInTheTables) {
  for (const auto& [sql, text] : answers_of(GetParam())) {
    const auto* const command =
        std::find_if(pgbouncer_catalog().data(), pgbouncer_catalog().data() + pgbouncer_catalog().size(),
                     [&](const Collector& of) { return of.queries.front().sql == sql; });
    ASSERT_NE(command, pgbouncer_catalog().data() + pgbouncer_catalog().size()) << sql;
    const auto& query = command->queries.front();
    if (query.shape == Shape::key_value) continue;
    for (const auto& column : PgAnswer::recorded(text).columns) {
      const bool is_named = std::any_of(query.columns.begin(), query.columns.end(), [&](const Column& of) {
        return of.column == column || of.remainder == column;
      });
      const bool is_counted =
          (command->name == "clients" || command->name == "servers") && passed_over.contains(column);
      EXPECT_TRUE(is_named || is_counted) << sql << ": " << column;
    }
  }
}

std::string name_of(const testing::TestParamInfo<const char*>& release) {
  std::string name(release.param);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, PgbouncerReleases, testing::ValuesIn(releases), name_of);

TEST_F(PgbouncerConsoleTest, APoolerOfUnknownReleaseIsAskedEverythingAndWhatItRefusesRests) {
  serve("1.18", "9.6.0");
  PgbouncerSource source(io_.get_executor(), options());
  for (int scrape = 0; scrape < 3; ++scrape) {
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
    EXPECT_EQ(value_of(*page, "midst_pgbouncer_collector_success", {{"collector", "state"}}), 0);
    EXPECT_EQ(
        value_of(*page, "midst_pgbouncer_collector_errors_total", {{"collector", "state"}, {"reason", "unsupported"}}),
        1);
  }
  EXPECT_EQ(asked("SHOW STATE"), 1);
  EXPECT_EQ(asked("SHOW POOLS"), 3);
  EXPECT_EQ(console_->connection_count(), 1);
}

TEST_F(PgbouncerConsoleTest, AnUnknownBasicCommandLeavesTheConsoleUp) {
  serve("1.18", "1.18.0/bouncer");
  special_["SHOW STATS_TOTALS"] = unknown_command("SHOW STATS_TOTALS");
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
  EXPECT_EQ(page->find("pgbouncer_stats_totals_queries_pooled_total"), nullptr);
  EXPECT_NE(page->find("pgbouncer_pools_client_active_connections"), nullptr);
}

TEST_F(PgbouncerConsoleTest, ABasicCommandThatFailsOtherwiseMakesItDownButHidesNothingElse) {
  serve("1.18", "1.18.0/bouncer");
  special_["SHOW POOLS"] = PgAnswer::error("08P01", "no mem");
  PgbouncerSource source(io_.get_executor(), options());
  for (int scrape = 0; scrape < 2; ++scrape) {
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 0);
    EXPECT_EQ(page->find("pgbouncer_pools_client_active_connections"), nullptr);
    EXPECT_EQ(page->find("midst_pgbouncer_pool_saturation_ratio"), nullptr);
    EXPECT_EQ(value_of(*page, "pgbouncer_used_clients", {}), 12);
  }
  EXPECT_EQ(asked("SHOW POOLS"), 2);
}

TEST_F(PgbouncerConsoleTest, ACommandThatClosesTheConnectionCostsItselfAloneAndRests) {
  serve("1.25", "1.25.0/bouncer");
  auto fatal = PgAnswer::error("08P01", "bad packet");
  fatal.is_fatal = true;
  special_["SHOW MEM"] = fatal;
  PgbouncerSource source(io_.get_executor(), options());
  for (int scrape = 0; scrape < 3; ++scrape) {
    const auto page = collect(source);
    ASSERT_TRUE(page) << describe(page.error());
    EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
    EXPECT_EQ(page->find("pgbouncer_memory_used_objects"), nullptr);
    EXPECT_EQ(value_of(*page, "pgbouncer_client_connections",
                       {{"database", "shop"}, {"user", "app"}, {"application_name", "job"}, {"state", "waiting"}}),
              1);
    EXPECT_EQ(
        value_of(*page, "midst_pgbouncer_collector_errors_total", {{"collector", "mem"}, {"reason", "unsupported"}}),
        1);
  }
  EXPECT_LE(asked("SHOW MEM"), 2);
  EXPECT_LE(console_->connection_count(), 3);
}

TEST_F(PgbouncerConsoleTest, ARefusedCommandIsAskedAgainAfterItsRest) {
  serve("1.25", "1.25.0/bouncer");
  special_["SHOW USERS"] = PgAnswer::error("08P01", "admin access needed");
  auto impatient = options();
  impatient.refused_retry = 0s;
  PgbouncerSource source(io_.get_executor(), impatient);
  const auto refused = collect(source);
  ASSERT_TRUE(refused) << describe(refused.error());
  EXPECT_EQ(
      value_of(*refused, "midst_pgbouncer_collector_errors_total", {{"collector", "users"}, {"reason", "noperm"}}), 1);
  special_.clear();
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_users_current_connections", {{"user", "app"}}), 18);
}

TEST_F(PgbouncerConsoleTest, ASlowCommandBeyondTheBasicOnesLosesItselfAndThoseBehindIt) {
  serve("1.25", "1.25.0/bouncer");
  PgAnswer silence;
  silence.hangs = true;
  special_["SHOW CLIENTS"] = silence;
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source, 500ms);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
  EXPECT_EQ(value_of(*page, "pgbouncer_used_clients", {}), 12);
  EXPECT_EQ(page->find("pgbouncer_client_connections"), nullptr);
  for (const auto* const late : {"clients", "servers"})
    EXPECT_EQ(value_of(*page, "midst_pgbouncer_collector_errors_total", {{"collector", late}, {"reason", "timeout"}}),
              1)
        << late;
}

TEST_F(PgbouncerConsoleTest, ASilentBasicCommandIsATargetThatIsDown) {
  serve("1.25", "1.25.0/bouncer");
  PgAnswer silence;
  silence.hangs = true;
  special_["SHOW POOLS"] = silence;
  PgbouncerSource source(io_.get_executor(), options());
  const auto page = collect(source, 300ms);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::timeout);
  const auto down = source.down(page.error());
  EXPECT_EQ(value_of(down, "pgbouncer_up", {}), 0);
  EXPECT_EQ(value_of(down, "midst_pgbouncer_collector_success", {{"collector", "stats_totals"}}), 0);
  EXPECT_EQ(down.find("midst_pgbouncer_collector_age_seconds"), nullptr);
}

TEST_F(PgbouncerConsoleTest, AnswersWithATtlAreServedAgainAndForgottenWithTheConnection) {
  serve("1.25", "1.25.0/bouncer");
  PgbouncerSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  ASSERT_TRUE(collect(source));
  EXPECT_EQ(asked("SHOW CONFIG"), 1);
  EXPECT_EQ(asked("SHOW STATS_TOTALS"), 2);
  console_->cut();
  recorded_["SHOW CONFIG"] = "key\tvalue\tdefault\tchangeable\nmax_client_conn\t7\t100\tyes\n";
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_EQ(asked("SHOW CONFIG"), 2);
  EXPECT_EQ(value_of(*page, "pgbouncer_config_max_client_connections", {}), 7);
  EXPECT_EQ(console_->connection_count(), 2);
}

TEST_F(PgbouncerConsoleTest, SwitchesAndTimesAreByCollector) {
  serve("1.25", "1.25.0/bouncer");
  auto chosen = options();
  chosen.collectors = {{"clients", false}, {"servers", false}, {"lists", false}};
  chosen.ttl = {{"config", 0ms}, {"pools", 60s}};
  PgbouncerSource source(io_.get_executor(), chosen);
  ASSERT_TRUE(collect(source));
  const auto page = collect(source);
  ASSERT_TRUE(page) << describe(page.error());
  EXPECT_THAT(console_->executed(), Not(Contains("SHOW CLIENTS")));
  EXPECT_THAT(console_->executed(), Not(Contains("SHOW LISTS")));
  EXPECT_EQ(asked("SHOW CONFIG"), 2);
  EXPECT_EQ(asked("SHOW POOLS"), 1);
  EXPECT_EQ(value_of(*page, "pgbouncer_up", {}), 1);
  EXPECT_NE(page->find("pgbouncer_pools_client_active_connections"), nullptr);
}

TEST_F(PgbouncerConsoleTest, TheConsoleIsAskedByTheSimpleProtocolOneByOne) {
  serve("1.18", "1.18.0/bouncer");
  PgbouncerSource source(io_.get_executor(), options());
  ASSERT_TRUE(collect(source));
  EXPECT_THAT(console_->executed(),
              ElementsAre("SHOW STATS_TOTALS", "SHOW POOLS", "SHOW DATABASES", "SHOW LISTS", "SHOW CONFIG",
                          "SHOW USERS", "SHOW MEM", "SHOW CLIENTS", "SHOW SERVERS"));
}

TEST_F(PgbouncerConsoleTest, TenThousandPoolsAreThoseAskedForAndASumOfTheRest) {
  serve("1.18", "1.18.0/bouncer");
  std::string pools = "database\tuser\tcl_active\tcl_waiting\tsv_active\tsv_idle\tmaxwait\tmaxwait_us\tpool_mode\n";
  std::string databases = "name\tpool_size\treserve_pool\tmax_connections\tcurrent_connections\n";
  for (int i = 0; i < 10'000; ++i) {
    const auto name = "db" + std::to_string(i);
    pools += name + "\tapp\t1\t" + (i == 7777 ? "1" : "0") + "\t1\t1\t0\t" + (i == 5 ? "900" : "0") + "\tsession\n";
    databases += name + "\t4\t0\t0\t2\n";
  }
  recorded_["SHOW POOLS"] = pools;
  recorded_["SHOW DATABASES"] = databases;
  auto few = options();
  few.limits.pools = 10;
  PgbouncerSource source(io_.get_executor(), few);
  const auto page = collect(source, 20s);
  ASSERT_TRUE(page) << describe(page.error());
  const auto* clients = page->find("pgbouncer_pools_client_active_connections");
  ASSERT_NE(clients, nullptr);
  EXPECT_EQ(clients->values.size(), 11);
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_client_active_connections", {{"database", "_other"}, {"user", "_other"}}),
            9990);
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_client_waiting_connections", {{"database", "db7777"}, {"user", "app"}}),
            1);
  EXPECT_EQ(value_of(*page, "pgbouncer_pools_client_maxwait_seconds", {{"database", "_other"}, {"user", "_other"}}),
            0.0009);
  EXPECT_EQ(page->find("midst_pgbouncer_pool_saturation_ratio")->values.size(), 11);
}

}  // namespace
}  // namespace midst::sources
