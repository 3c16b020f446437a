// The ledger against the truth: random servers that run, evict, reset and take back statements, a collector that looks
// now and then, and a Prometheus that adds up what it sees.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/top/top_statements.hpp"
#include "agent/sources/postgres/top/top_tables.hpp"
#include "tests/unit/agent/sources/postgres/increases.hpp"
#include "tests/unit/agent/sources/postgres/recorded_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using Rows = std::vector<std::vector<std::optional<std::string>>>;

/// What the extension tells of when its counts began.
enum class Release { tells_nothing, tells_resets, tells_since };

/// A server with pg_stat_statements and more statements than it keeps.
class Server {
 public:
  Server(unsigned seed, Release release) : random_(seed), release_(release) {}

  /// Some time passes; statements run, and now and then something is lost.
  void live() {
    time_ += 30;
    if (chance(0.03)) favourite_ = static_cast<int>(pick(30));
    if (chance(0.03)) reset();
    for (auto executions = pick(60); executions > 0; --executions) {
      if (chance(0.02)) evict();
      // Most of the work is one of few statements, which change now and then.
      const int query = chance(0.7) ? (favourite_ + static_cast<int>(pick(4))) % 40 : static_cast<int>(pick(40));
      run({query, query % 7 == 0 && chance(0.3)}, 1 + static_cast<int>(pick(5)));
    }
    if (chance(0.02)) reset();
  }

  /// The answer of a look; the truth starts anew.
  void answer(test::RecordedRows*& info, test::RecordedRows*& rows) {
    std::vector<std::string> info_columns{"server_time", "started", "sees_all", "max_entries"};
    std::vector<std::optional<std::string>> info_row{std::to_string(time_), "5", "t", "20"};
    if (release_ != Release::tells_nothing) {
      info_columns.insert(info_columns.end(), {"dealloc", "stats_reset"});
      info_row.insert(info_row.end(), {std::to_string(evictions_), std::to_string(reset_at_)});
    }
    info_.emplace(info_columns, Rows{info_row});
    Rows answered;
    for (auto& [key, entry] : entries_) {
      const auto seconds = std::to_string(entry.calls * 250);
      answered.push_back({"10", "5", "app", "shop", std::to_string(key.first), key.second ? "f" : "t",
                          std::to_string(entry.calls), seconds});
      if (release_ == Release::tells_since) answered.back().push_back(std::to_string(entry.since));
      entry.at_look = entry.calls;
      entry.is_seen = true;
    }
    std::vector<std::string> columns{"userid", "dbid", "user", "datname", "queryid", "toplevel", "calls", "exec_time"};
    if (release_ == Release::tells_since) columns.push_back("stats_since");
    rows_.emplace(columns, answered);
    info = &*info_;
    rows = &*rows_;
    seen_.clear();
    for (const auto& [key, entry] : entries_) seen_[key] = entry.calls;
    run_ = destroyed_ = 0;
  }

  /// Executions since the last look that a look can find now.
  [[nodiscard]] double findable() const { return run_ - destroyed_; }
  /// Of these, those of entries that began anew and have passed what they had before: from counts alone nobody can
  /// tell; the release may say it.
  [[nodiscard]] double ambiguous() const {
    double calls = 0;
    for (const auto& [key, entry] : entries_) {
      const auto before = seen_.find(key);
      if (entry.is_seen || before == seen_.end() || entry.calls < before->second) continue;
      const bool is_told =
          release_ == Release::tells_since || (release_ == Release::tells_resets && reset_at_ > looked_at_);
      if (!is_told) calls += before->second;
    }
    return calls;
  }
  [[nodiscard]] double kept_calls() const {
    double calls = 0;
    for (const auto& [key, entry] : entries_) calls += entry.calls;
    return calls;
  }
  void note_look() { looked_at_ = time_; }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

 private:
  using Key = std::pair<int, bool>;  ///< Query, nested.
  struct Entry {
    int calls = 0;
    int at_look = 0;  ///< Its calls at the last look.
    bool is_seen = false;
    double since = 0;
  };

  void run(Key key, int calls) {
    if (!entries_.contains(key) && entries_.size() >= 20) evict();
    auto& entry = entries_[key];
    if (entry.calls == 0) entry.since = ++ticks_ * 1e-4 + time_ - 29;
    entry.calls += calls;
    run_ += calls;
  }

  void evict() {
    if (entries_.empty()) return;
    ++evictions_;
    const auto victim = std::next(entries_.begin(), static_cast<std::ptrdiff_t>(pick(entries_.size())));
    destroyed_ += victim->second.calls - victim->second.at_look;
    entries_.erase(victim);
  }

  void reset() {
    for (const auto& [key, entry] : entries_) destroyed_ += entry.calls - entry.at_look;
    entries_.clear();
    reset_at_ = ++ticks_ * 1e-4 + time_ - 29;
  }

  std::mt19937 random_;
  Release release_;
  std::map<Key, Entry> entries_;
  std::map<Key, int> seen_;  ///< Calls at the last look.
  std::optional<test::RecordedRows> info_, rows_;
  double time_ = 1000, looked_at_ = 0, reset_at_ = 7, run_ = 0, destroyed_ = 0;
  int favourite_ = 0, evictions_ = 0, ticks_ = 0;
};

metrics::Snapshot page_of(const Treatment& treatment) {
  metrics::SnapshotBuilder builder;
  treatment.add({}, builder);
  return builder.freeze();
}

/// A server, an agent that starts some time after it, and a Prometheus that scrapes after each look.
void expect_true_increases(unsigned seed, Release release) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Server server(seed, release);
  for (auto age = server.pick(30); age > 0; --age) server.live();

  Limits limits;
  limits.statements = 3 + server.pick(12);
  limits.hold = 90s;
  const Deadline::duration interval = seed % 4 == 0 ? 20min : 30s;  // Some are gone for longer than they are kept.
  const auto treatment = make_top_statements(limits);
  const auto queries = stat_statements_collector.queries;
  const Query* const asked[] = {&queries[0], &queries[1]};
  test::Increases calls("pg_stat_statements_calls_total"), seconds("pg_stat_statements_seconds_total");
  Deadline now{};
  bool has_overflowed = false;
  const std::string rest = R"(datname="_other",queryid="_other",user="_other")";
  for (int look = 0; look < 80; ++look) {
    server.live();
    now += interval;
    if (look > 0 && server.chance(0.1)) continue;  // The collector failed; the page shows none of it.
    const double findable = server.findable(), ambiguous = server.ambiguous();
    test::RecordedRows *info = nullptr, *rows = nullptr;
    server.answer(info, rows);
    server.note_look();
    const TableView views[] = {info->view(), rows->view()};
    const auto read = treatment->take(asked, views, now);
    ASSERT_EQ(read.unreadable + read.rows_over_limit, 0U);
    const auto page = page_of(*treatment);
    const auto step = calls.scrape(page), time = seconds.scrape(page);
    if (look == 0) {
      ASSERT_EQ(step.begun, server.kept_calls()) << "the first page has the server's counts";
    } else {
      ASSERT_EQ(step.fallen, 0U) << "look " << look;
      ASSERT_LE(step.increase + step.begun, findable) << "a spike at look " << look;
      ASSERT_GE(step.increase + step.begun, findable - ambiguous) << "lost at look " << look;
      // Once not all fit, a series begins at zero, and increase() alone has everything.
      if (has_overflowed) {
        ASSERT_EQ(step.begun, 0) << "look " << look;
      }
      ASSERT_NEAR(time.increase + time.begun, (step.increase + step.begun) * 0.25, 1e-6);
    }
    ASSERT_LE(calls.now().size(), limits.statements + 1);
    has_overflowed = has_overflowed || calls.now().at(rest) > 0;
  }
}

TEST(LedgerProperty, IncreasesOverAllSeriesAreTheTruthWhenTheServerSaysSinceWhenItCounts) {
  for (unsigned seed = 0; seed < 50; ++seed) expect_true_increases(seed, Release::tells_since);
}

TEST(LedgerProperty, OnlyWhatPassedItsOldCountUnseenIsMissingWhenTheServerSaysWhenAllWasReset) {
  for (unsigned seed = 1000; seed < 1050; ++seed) expect_true_increases(seed, Release::tells_resets);
}

TEST(LedgerProperty, OnlyWhatPassedItsOldCountUnseenIsMissingWhenTheServerSaysNothing) {
  for (unsigned seed = 2000; seed < 2050; ++seed) expect_true_increases(seed, Release::tells_nothing);
}

constexpr Column table_columns[] = {
    {"datname", Use::label},
    {"schemaname", Use::label},
    {"relname", Use::label},
    {.column = "seq_scan", .use = Use::counter, .name = "t_seq_scan", .help = "Scans.", .null = NullAs::zero},
    {.column = "idx_scan", .use = Use::counter, .name = "t_idx_scan", .help = "Scans.", .null = NullAs::zero},
};
constexpr Query table_query{.name = "t", .sql = "", .columns = table_columns};

/// A database whose tables come, go and are reset.
class Database {
 public:
  explicit Database(unsigned seed) : random_(seed) {}

  void live() {
    findable_ = 0;
    for (auto& [name, table] : tables_) {
      // Only one that will be lower at the next look for sure, so that the truth is known exactly.
      if (table.seq >= 5000 && chance(0.02)) table = {};
      if (!chance(name % 5 == hot_ ? 0.9 : 0.2)) continue;
      const auto scans = static_cast<double>(1 + pick(100));
      table.seq += scans;
      table.idx += 2 * scans;
      findable_ += scans;
    }
    if (chance(0.05)) hot_ = static_cast<int>(pick(5));
    if (!tables_.empty() && chance(0.05)) {
      const auto gone = std::next(tables_.begin(), static_cast<std::ptrdiff_t>(pick(tables_.size())));
      findable_ -= gone->second.seq - gone->second.seen;
      tables_.erase(gone);
    }
    while (tables_.size() < 8 || chance(0.05)) {
      tables_[++last_] = {5000, 10'000, 0};
      findable_ += 5000;
    }
  }

  [[nodiscard]] test::RecordedRows answer() {
    Rows rows;
    for (auto& [name, table] : tables_) {
      rows.push_back({"shop", "public", "t" + std::to_string(name), std::to_string(static_cast<long>(table.seq)),
                      std::to_string(static_cast<long>(table.idx))});
      table.seen = table.seq;
    }
    return {{"datname", "schemaname", "relname", "seq_scan", "idx_scan"}, rows};
  }

  [[nodiscard]] double findable() const { return findable_; }
  [[nodiscard]] std::size_t size() const { return tables_.size(); }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

 private:
  struct Table {
    double seq = 0, idx = 0, seen = 0;
  };
  std::mt19937 random_;
  std::map<int, Table> tables_;
  double findable_ = 0;
  int last_ = 0, hot_ = 0;
};

void expect_true_tables(unsigned seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Database database(seed);
  database.live();
  Limits limits;
  limits.tables = 2 + database.pick(12);
  limits.hold = 60s;
  const auto treatment = make_top_tables(limits);
  const Query* const asked[] = {&table_query};
  test::Increases scans("t_seq_scan"), index_scans("t_idx_scan");
  const std::string rest = R"(datname="shop",relname="_other",schemaname="_other")";
  Deadline now{};
  double rest_before = 0;
  bool had_rest = false;
  for (int look = 0; look < 80; ++look) {
    if (look > 0) database.live();
    now += 15s;
    const auto answer = database.answer();
    const TableView views[] = {answer.view()};
    (void)treatment->take(asked, views, now);
    const auto page = page_of(*treatment);
    const auto step = scans.scrape(page), index_step = index_scans.scrape(page);
    const bool has_rest = scans.now().contains(rest);
    ASSERT_EQ(has_rest, had_rest || database.size() > limits.tables);
    if (look > 0) {
      ASSERT_EQ(step.increase + step.begun, database.findable()) << "look " << look;
      ASSERT_EQ(index_step.increase + index_step.begun, 2 * database.findable()) << "look " << look;
    }
    if (has_rest) {
      ASSERT_GE(scans.now().at(rest), rest_before);
      rest_before = scans.now().at(rest);
      had_rest = true;
    }
  }
}

TEST(LedgerProperty, IncreasesOfTablesAndTheirRestAreTheTruth) {
  for (unsigned seed = 0; seed < 80; ++seed) expect_true_tables(seed);
}

}  // namespace
}  // namespace midst::sources
