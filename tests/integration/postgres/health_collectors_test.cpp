// The collectors of health against real situations of a real server: what is blocked, held back, due, broken or full.
#include "agent/sources/postgres/postgres_source.hpp"
#include "tests/integration/postgres/page.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

#include <memory>
#include <stdexcept>
#include <thread>

namespace midst::sources {
namespace {

using namespace std::chrono_literals;
using metrics::Snapshot;
using test::label_values;
using test::Labels;
using test::value_of;
using testing::ElementsAre;
using testing::IsEmpty;

/// Polls until `is_true`; for effects of other processes.
template <class Predicate>
void await_true(Predicate is_true) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("the wait did not end");
    std::this_thread::sleep_for(20ms);
  }
}

asio::awaitable<std::vector<Result<Snapshot>>> collected(PostgresSource& source, Deadline deadline) {
  std::vector<Result<Snapshot>> result;
  result.push_back(co_await source.collect(deadline));
  co_return result;
}

/// A psql that runs statements and then keeps its session open: it waits for a writer of a named pipe.
class OpenSession {
 public:
  OpenSession(const test::PostgresServer& server, std::string name, std::vector<std::string> statements,
              std::string_view database = "postgres")
      : server_(server), name_(std::move(name)) {
    const auto pipe = (server.directory() / ("pipe-" + name_)).string();
    if (mkfifo(pipe.c_str(), 0600) != 0 && errno != EEXIST) throw std::runtime_error("mkfifo " + pipe);
    std::vector<std::string> arguments{"psql", "-X"};
    for (auto& statement : statements) arguments.insert(arguments.end(), {"-c", std::move(statement)});
    arguments.insert(arguments.end(), {"-f", pipe, server.dsn(database) + " application_name=" + name_});
    process_ = std::make_unique<test::Process>(std::move(arguments), server.directory() / (name_ + ".log"), false);
  }
  ~OpenSession() {
    process_.reset();
    await_true([&] {
      return server_.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '" +
                         name_ + "'") == "0\n";
    });
  }
  OpenSession(const OpenSession&) = delete;
  OpenSession& operator=(const OpenSession&) = delete;

  void await_idle_in_transaction() const { await_activity("state = 'idle in transaction'"); }
  void await_lock() const { await_activity("wait_event_type = 'Lock'"); }

 private:
  void await_activity(std::string_view condition) const {
    await_true([&] {
      return server_.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + name_ + "' AND " +
                         std::string(condition)) == "1\n";
    });
  }

  const test::PostgresServer& server_;
  std::string name_;
  std::unique_ptr<test::Process> process_;
};

class HealthCollectors : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<test::PostgresServer>(std::vector<std::string>{
        "max_prepared_transactions=5", "wal_level=logical", "max_connections=20", "autovacuum=off"});
  }
  static void TearDownTestSuite() { server_.reset(); }

  /// Each test has a database of its own, and the target knows no other.
  void SetUp() override {
    database_ = "health_" + std::to_string(++databases_);
    server_->sql("CREATE DATABASE " + database_);
    options_.conninfo = pq::parse_conninfo(server_->dsn(database_)).value();
    options_.databases.include.clear();
    options_.pace.sample_interval = 0ms;
  }

  std::string sql(std::string_view statement) const { return server_->sql(statement, database_); }
  double number(std::string_view statement) const { return std::stod(sql(statement)); }
  void run_all(std::initializer_list<std::string_view> statements) const {
    for (const auto statement : statements) sql(statement);
  }

  /// Takes up the options; the pages that follow are this source's.
  void start() { source_ = std::make_unique<PostgresSource>(io_.get_executor(), options_); }
  Snapshot page() {
    if (!source_) start();
    auto result = std::move(test::run(io_, collected(*source_, std::chrono::steady_clock::now() + 10s)).front());
    if (!result) throw std::runtime_error(describe(result.error()));
    return std::move(*result);
  }
  std::optional<double> success(const Snapshot& page, const std::string& collector) const {
    return value_of(page, "pg_scrape_collector_success", {{"collector", collector}});
  }
  Labels with_database(Labels labels) const {
    labels.emplace("datname", database_);
    return labels;
  }

  static std::unique_ptr<test::PostgresServer> server_;
  static int databases_;
  std::string database_;
  PostgresOptions options_;
  boost::asio::io_context io_;
  std::unique_ptr<PostgresSource> source_;
};

std::unique_ptr<test::PostgresServer> HealthCollectors::server_;
int HealthCollectors::databases_ = 0;

TEST_F(HealthCollectors, AChainOfThreeSessionsHasOneRootThatTwoWaitFor) {
  run_all({"CREATE TABLE first ()", "CREATE TABLE second ()"});
  const Labels root =
      with_database({{"usename", "postgres"}, {"application_name", "root"}, {"state", "idle in transaction"}});
  {
    const OpenSession holder(*server_, "root", {"BEGIN", "LOCK first"}, database_);
    holder.await_idle_in_transaction();
    const OpenSession middle(*server_, "middle", {"BEGIN", "LOCK second", "LOCK first"}, database_);
    middle.await_lock();
    const OpenSession last(*server_, "last", {"SELECT count(*) FROM second"}, database_);
    last.await_lock();
    const auto blocked = page();
    EXPECT_EQ(value_of(blocked, "pg_blocking_blocked_backends", {}), 2);
    EXPECT_EQ(value_of(blocked, "pg_blocking_root_backends", {}), 1);
    EXPECT_EQ(value_of(blocked, "pg_blocking_root_blocked_backends", root), 2);
    EXPECT_THAT(label_values(blocked, "pg_blocking_root_blocked_backends", "application_name"), ElementsAre("root"));
    const double longest =
        number("SELECT EXTRACT(EPOCH FROM clock_timestamp() - min(waitstart)) FROM pg_locks WHERE NOT granted");
    EXPECT_GT(value_of(blocked, "pg_blocking_longest_wait_seconds", {}), 0);
    EXPECT_LT(value_of(blocked, "pg_blocking_longest_wait_seconds", {}), longest);
    EXPECT_GT(value_of(blocked, "pg_blocking_root_transaction_seconds", root),
              value_of(blocked, "pg_blocking_longest_wait_seconds", {}));
  }
  const auto idle = page();
  EXPECT_EQ(value_of(idle, "pg_blocking_blocked_backends", {}), 0);
  EXPECT_EQ(value_of(idle, "pg_blocking_root_backends", {}), 0);
  EXPECT_EQ(value_of(idle, "pg_blocking_longest_wait_seconds", {}), 0);
  EXPECT_EQ(value_of(idle, "pg_blocking_root_blocked_backends", root), std::nullopt);
}

TEST_F(HealthCollectors, APreparedTransactionIsARootAndIsCounted) {
  sql("CREATE TABLE held ()");
  auto before = page();
  EXPECT_EQ(value_of(before, "pg_prepared_transactions", {}), 0);
  EXPECT_EQ(value_of(before, "pg_prepared_transactions_oldest_seconds", {}), 0);
  sql("BEGIN; LOCK held; PREPARE TRANSACTION 'forgotten'");
  {
    const OpenSession waiter(*server_, "waiter", {"SELECT count(*) FROM held"}, database_);
    waiter.await_lock();
    const auto blocked = page();
    EXPECT_EQ(value_of(blocked, "pg_blocking_root_blocked_backends",
                       {{"datname", ""}, {"usename", ""}, {"application_name", ""}, {"state", "prepared"}}),
              1);
    EXPECT_EQ(value_of(blocked, "pg_prepared_transactions", {}), 1);
    const double oldest = number("SELECT EXTRACT(EPOCH FROM clock_timestamp() - prepared) FROM pg_prepared_xacts");
    EXPECT_GT(value_of(blocked, "pg_prepared_transactions_oldest_seconds", {}), 0);
    EXPECT_LT(value_of(blocked, "pg_prepared_transactions_oldest_seconds", {}), oldest);
  }
  sql("ROLLBACK PREPARED 'forgotten'");
}

TEST_F(HealthCollectors, TheXminHorizonNamesItsHolderOfEachKind) {
  sql("SELECT pg_create_logical_replication_slot('reader', 'test_decoding')");
  const OpenSession session(*server_, "reporting", {"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1"}, database_);
  session.await_idle_in_transaction();
  sql("BEGIN; CREATE TABLE later (); PREPARE TRANSACTION 'two phases'");
  for (int i = 0; i < 7; ++i) sql("SELECT txid_current()");
  const double next = number("SELECT txid_snapshot_xmax(txid_current_snapshot())");
  const auto held = page();
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_age", {{"kind", "backend"}}), 8);
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_age", {{"kind", "prepared_transaction"}}), 8);
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_age", {{"kind", "replication_slot"}}), 0);
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_age", {{"kind", "standby"}}), 0);
  const double slot = number("SELECT age(catalog_xmin) FROM pg_replication_slots");
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_age", {{"kind", "replication_slot_catalog"}}), slot);
  const Labels backend = with_database(
      {{"kind", "backend"}, {"usename", "postgres"}, {"holder", "reporting"}, {"state", "idle in transaction"}});
  EXPECT_EQ(value_of(held, "pg_xmin_horizon_holder_age", backend), 8);
  EXPECT_GT(value_of(held, "pg_xmin_horizon_holder_seconds", backend), 0);
  EXPECT_EQ(
      value_of(
          held, "pg_xmin_horizon_holder_age",
          with_database(
              {{"kind", "replication_slot_catalog"}, {"usename", ""}, {"holder", "reader"}, {"state", "inactive"}})),
      slot);
  EXPECT_THAT(label_values(held, "pg_xmin_horizon_holder_age", "kind"),
              ElementsAre("backend", "prepared_transaction", "replication_slot_catalog"));
  EXPECT_EQ(value_of(held, "pg_txid_current", {}), next);
  EXPECT_EQ(value_of(page(), "pg_txid_current", {}), next);
  run_all({"ROLLBACK PREPARED 'two phases'", "SELECT pg_drop_replication_slot('reader')"});
}

TEST_F(HealthCollectors, IndexesThatOnlyCostAreCountedByKind) {
  run_all({"CREATE TABLE t (id int PRIMARY KEY, v int, w int)",
           "INSERT INTO t SELECT i, i % 10, i FROM generate_series(1, 1000) i", "CREATE INDEX t_v ON t (v)",
           "CREATE INDEX t_v_again ON t (v)", "CREATE INDEX t_v_w ON t (v, w)",
           "CREATE INDEX t_w_part ON t (w) WHERE v = 1", "CREATE INDEX t_lower ON t ((v + 1))",
           "CREATE INDEX t_lower_again ON t  ((v + 1))"});
  EXPECT_THROW(sql("CREATE UNIQUE INDEX CONCURRENTLY t_broken ON t (v)"), std::runtime_error);
  sql("VACUUM ANALYZE t");
  const auto shown = page();
  const auto indexes = [&](const char* kind) {
    return value_of(shown, "pg_index_health_indexes", with_database({{"kind", kind}}));
  };
  const auto bytes = [&](const char* kind) {
    return value_of(shown, "pg_index_health_bytes", with_database({{"kind", kind}}));
  };
  EXPECT_EQ(indexes("invalid"), 1);
  EXPECT_EQ(indexes("duplicate"), 2);  // t_v_again, t_lower_again
  EXPECT_EQ(indexes("redundant"), 2);  // t_v, t_v_again: the beginning of t_v_w
  EXPECT_EQ(indexes("unused"), 6);     // all but the primary key and the invalid one
  EXPECT_EQ(bytes("duplicate"), number("SELECT 8192 * sum(relpages) FROM pg_class WHERE relname LIKE 't\\_%\\_again'"));
  EXPECT_EQ(bytes("unused"),
            number("SELECT 8192 * sum(relpages) FROM pg_class WHERE relname LIKE 't\\_%' AND relkind = 'i' "
                   "AND relname NOT IN ('t_pkey', 't_broken')"));
  EXPECT_EQ(
      value_of(shown, "pg_index_health_index_bytes",
               with_database(
                   {{"kind", "invalid"}, {"schemaname", "public"}, {"relname", "t"}, {"indexrelname", "t_broken"}})),
      number("SELECT 8192 * relpages FROM pg_class WHERE relname = 't_broken'"));
  EXPECT_THAT(label_values(shown, "pg_index_health_index_bytes", "kind"), ElementsAre("invalid"));
  EXPECT_GT(value_of(shown, "pg_index_health_stats_age_seconds", with_database({})), 0);
}

TEST_F(HealthCollectors, AnIndexThatWasScannedIsNotUnused) {
  run_all({"CREATE TABLE t AS SELECT i FROM generate_series(1, 10000) i", "CREATE INDEX t_i ON t (i)", "ANALYZE t"});
  EXPECT_EQ(value_of(page(), "pg_index_health_indexes", with_database({{"kind", "unused"}})), 1);
  sql("SET enable_seqscan = off; SELECT i FROM t WHERE i = 7");
  await_true([&] { return sql("SELECT idx_scan FROM pg_stat_user_indexes") == "1\n"; });
  start();
  EXPECT_EQ(value_of(page(), "pg_index_health_indexes", with_database({{"kind", "unused"}})), 0);
}

TEST_F(HealthCollectors, SequencesAtTheirEndAndColumnsTooSmallForThem) {
  run_all({"CREATE SEQUENCE ticket MAXVALUE 100", "SELECT setval('ticket', 90)",
           "CREATE SEQUENCE down INCREMENT -1 MINVALUE -100 MAXVALUE -1", "SELECT setval('down', -75)",
           "CREATE SEQUENCE round MAXVALUE 100 CYCLE", "SELECT setval('round', 90)",
           "CREATE SEQUENCE fresh MAXVALUE 10", "CREATE SEQUENCE half MAXVALUE 100", "SELECT setval('half', 49)",
           "CREATE SEQUENCE big", "CREATE TABLE item (id int DEFAULT nextval('big'), small smallserial)",
           "SELECT setval('big', 2000000000)", "SELECT setval('item_small_seq', 30000)"});
  const auto shown = page();
  const auto used = [&](const char* name) {
    return value_of(shown, "pg_sequence_used_ratio", with_database({{"schemaname", "public"}, {"sequencename", name}}));
  };
  EXPECT_EQ(used("ticket"), 0.9);
  EXPECT_EQ(used("down"), 0.75);
  EXPECT_EQ(used("item_small_seq"), 30000.0 / 32767);
  EXPECT_THAT(label_values(shown, "pg_sequence_used_ratio", "sequencename"),
              ElementsAre("down", "item_small_seq", "ticket"));
  const auto column = [&](const char* name) {
    return value_of(shown, "pg_sequence_column_used_ratio",
                    with_database({{"schemaname", "public"}, {"relname", "item"}, {"attname", name}}));
  };
  EXPECT_EQ(column("id"), 2e9 / 2147483647);
  EXPECT_EQ(column("small"), 30000.0 / 32767);
  for (const std::string reason : {"limit", "locked", "noperm"})
    EXPECT_EQ(value_of(shown, "pg_sequences_skipped", with_database({{"reason", reason}})), 0) << reason;
}

TEST_F(HealthCollectors, ASequenceThatIsLockedOrForbiddenIsCountedAndNotWaitedFor) {
  run_all({"CREATE SEQUENCE ticket MAXVALUE 100", "SELECT setval('ticket', 90)", "CREATE SEQUENCE other",
           "CREATE ROLE plain_" + database_ + " LOGIN"});
  {
    const OpenSession dropper(*server_, "dropper", {"BEGIN", "DROP SEQUENCE other"}, database_);
    dropper.await_idle_in_transaction();
    const auto shown = page();
    EXPECT_EQ(success(shown, "sequences"), 1);
    EXPECT_EQ(value_of(shown, "pg_sequences_skipped", with_database({{"reason", "locked"}})), 1);
    EXPECT_THAT(label_values(shown, "pg_sequence_used_ratio", "sequencename"), ElementsAre("ticket"));
  }
  options_.conninfo.set("user", "plain_" + database_);
  start();
  const auto shown = page();
  EXPECT_EQ(success(shown, "sequences"), 1);
  EXPECT_EQ(value_of(shown, "pg_sequences_skipped", with_database({{"reason", "noperm"}})), 2);
  EXPECT_THAT(label_values(shown, "pg_sequence_used_ratio", "sequencename"), IsEmpty());
}

TEST_F(HealthCollectors, ConnectionsAreNumbersThatDivide) {
  const OpenSession session(*server_, "idler", {"BEGIN", "SELECT 1"}, database_);
  session.await_idle_in_transaction();
  std::optional<Snapshot> shown;
  await_true([&] {  // the processes of the psql runs before end a moment after them
    shown.emplace(page());
    return value_of(*shown, "pg_connections_used", {}) == 2;
  });
  EXPECT_EQ(value_of(*shown, "pg_connections_max", {}), 20);
  EXPECT_EQ(value_of(*shown, "pg_connections_superuser_reserved", {}), 3);
  EXPECT_EQ(value_of(*shown, "pg_connections_reserved", {}), std::nullopt);  // 16
  EXPECT_EQ(value_of(*shown, "pg_connections_used_ratio", {}), 2.0 / 17);
  EXPECT_EQ(value_of(*shown, "pg_connections", {{"state", "idle in transaction"}}), 1);
  EXPECT_EQ(value_of(*shown, "pg_connections", {{"state", "active"}}), 1);
  EXPECT_EQ(value_of(*shown, "pg_connections", {{"state", "idle"}}), 0);
  EXPECT_EQ(value_of(*shown, "pg_autovacuum_workers", {}), 0);
  const double idle = number(
      "SELECT EXTRACT(EPOCH FROM clock_timestamp() - state_change) FROM pg_stat_activity "
      "WHERE application_name = 'idler'");
  EXPECT_GT(value_of(*shown, "pg_idle_in_transaction_oldest_seconds", {}), 0);
  EXPECT_LT(value_of(*shown, "pg_idle_in_transaction_oldest_seconds", {}), idle);
}

TEST_F(HealthCollectors, TheAutovacuumQueueHonoursEachTablesOwnThresholds) {
  const auto due = [&](const char* kind) {
    start();
    return value_of(page(), "pg_autovacuum_due_tables", with_database({{"kind", kind}}));
  };
  run_all({"VACUUM ANALYZE", "VACUUM ANALYZE pg_statistic"});  // the first leaves dead rows there
  for (const auto* kind : {"vacuum", "insert", "analyze", "freeze"}) EXPECT_EQ(due(kind), 0) << kind;
  run_all({"CREATE TABLE over AS SELECT i FROM generate_series(1, 1000) i",
           "CREATE TABLE patient WITH (autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 1) AS "
           "SELECT i FROM generate_series(1, 1000) i",
           "CREATE TABLE exempt WITH (autovacuum_enabled = off) AS SELECT i FROM generate_series(1, 1000) i",
           "CREATE TABLE grown (i int)", "VACUUM ANALYZE over, patient, exempt, grown",
           // 50 + 20 % of 1000 rows is 250, and 50 + 10 % is 150.
           "DELETE FROM over WHERE i <= 251", "DELETE FROM patient WHERE i <= 251", "DELETE FROM exempt WHERE i <= 251",
           "INSERT INTO grown SELECT i FROM generate_series(1, 1001) i"});
  await_true(
      [&] { return sql("SELECT sum(n_dead_tup), sum(n_ins_since_vacuum) FROM pg_stat_user_tables") == "753|1001\n"; });
  EXPECT_EQ(due("vacuum"), 1);
  EXPECT_EQ(due("insert"), 1);
  EXPECT_EQ(due("analyze"), 2);  // over and grown
  EXPECT_EQ(due("freeze"), 0);
  sql("ALTER TABLE patient SET (autovacuum_vacuum_threshold = 0, autovacuum_freeze_max_age = 100000)");
  EXPECT_EQ(due("vacuum"), 2);
}

TEST_F(HealthCollectors, ACopyAndAVacuumShowTheirProgress) {
  run_all({"CREATE TABLE copied (i int)",
           "CREATE TABLE cleaned AS SELECT repeat('x', 500) FROM generate_series(1, 20000)"});
  const OpenSession copy(*server_, "copy", {"COPY copied FROM PROGRAM 'yes 1 | head -c 65536; exec sleep 5'"},
                         database_);
  const OpenSession vacuum(*server_, "vacuum",
                           {"SET vacuum_cost_delay = 100", "SET vacuum_cost_limit = 1", "VACUUM cleaned"}, database_);
  await_true([&] {
    return sql("SELECT count(*) FROM pg_stat_progress_copy WHERE bytes_processed = 65536") == "1\n" &&
           sql("SELECT count(*) FROM pg_stat_progress_vacuum WHERE phase = 'scanning heap'") == "1\n";
  });
  const auto shown = page();
  const Labels copied = with_database({{"command", "copy"}, {"relname", "copied"}});
  const Labels cleaned = with_database({{"command", "vacuum"}, {"relname", "cleaned"}});
  const auto with = [](Labels labels, const char* name, const char* value) {
    labels.emplace(name, value);
    return labels;
  };
  EXPECT_EQ(value_of(shown, "pg_progress_done", with(copied, "unit", "bytes")), 65536);
  EXPECT_EQ(value_of(shown, "pg_progress_total", with(copied, "unit", "bytes")), std::nullopt);
  EXPECT_EQ(value_of(shown, "pg_progress_ratio", copied), std::nullopt);
  EXPECT_EQ(value_of(shown, "pg_progress_phase", with(copied, "phase", "copy from")), 1);
  EXPECT_EQ(value_of(shown, "pg_progress_commands", copied), 1);
  EXPECT_GT(value_of(shown, "pg_progress_running_seconds", copied), 0);
  const auto total = value_of(shown, "pg_progress_total", with(cleaned, "unit", "blocks"));
  EXPECT_EQ(total, number("SELECT pg_relation_size('cleaned') / 8192"));
  const auto done = value_of(shown, "pg_progress_done", with(cleaned, "unit", "blocks"));
  EXPECT_LT(done, total);
  EXPECT_EQ(value_of(shown, "pg_progress_ratio", cleaned), done.value() / total.value());
  EXPECT_EQ(value_of(shown, "pg_progress_phase", with(cleaned, "phase", "scanning heap")), 1);
}

TEST_F(HealthCollectors, ExactSizesPassOverWhatIsLockedOrAboutToBe) {
  options_.collectors = {{"table_sizes", true}, {"stat_user_tables", false}};
  run_all({"CREATE TABLE free (id int PRIMARY KEY, note text)",
           "INSERT INTO free SELECT i, repeat('x', 3000) FROM generate_series(1, 1000) i", "CREATE TABLE held (id int)",
           "CREATE TABLE queued (id int)", "CREATE TABLE parent (id int) PARTITION BY RANGE (id)",
           "CREATE TABLE child PARTITION OF parent FOR VALUES FROM (0) TO (10)"});
  const OpenSession holder(*server_, "holder", {"BEGIN", "LOCK held", "LOCK ONLY parent"}, database_);
  holder.await_idle_in_transaction();
  const OpenSession reader(*server_, "reader", {"BEGIN", "SELECT FROM queued"}, database_);
  reader.await_idle_in_transaction();
  const OpenSession writer(*server_, "writer", {"BEGIN", "LOCK queued"}, database_);
  writer.await_lock();
  std::optional<Snapshot> shown;
  await_true([&] {
    shown.emplace(page());
    return shown->find("pg_table_sizes_skipped") != nullptr;
  });
  EXPECT_EQ(success(*shown, "table_sizes"), 1);
  EXPECT_THAT(label_values(*shown, "pg_stat_user_tables_table_size_bytes", "relname"), ElementsAre("free"));
  const Labels free = with_database({{"schemaname", "public"}, {"relname", "free"}});
  EXPECT_EQ(value_of(*shown, "pg_stat_user_tables_table_size_bytes", free), number("SELECT pg_table_size('free')"));
  EXPECT_EQ(value_of(*shown, "pg_stat_user_tables_index_size_bytes", free), number("SELECT pg_indexes_size('free')"));
  EXPECT_EQ(value_of(*shown, "pg_table_sizes_skipped", with_database({{"reason", "locked"}})), 3);
  EXPECT_EQ(value_of(*shown, "pg_table_sizes_skipped", with_database({{"reason", "limit"}})), 0);
}

TEST_F(HealthCollectors, BloatIsEstimatedWhereThereIsSomeAndOnlyThere) {
  options_.collectors = {{"bloat", true}};
  run_all({"CREATE TABLE loose AS SELECT i, repeat('x', 100) AS note FROM generate_series(1, 50000) i",
           "CREATE INDEX loose_i ON loose (i)", "CREATE TABLE tight AS SELECT i FROM generate_series(1, 50000) i",
           "CREATE INDEX tight_i ON tight (i)", "DELETE FROM loose WHERE i % 10 <> 0", "VACUUM ANALYZE loose",
           "VACUUM ANALYZE tight", "CREATE TABLE unknown (i int)"});
  const auto shown = page();
  const Labels loose = with_database({{"schemaname", "public"}, {"relname", "loose"}});
  EXPECT_EQ(value_of(shown, "pg_bloat_table_real_size", loose), number("SELECT pg_relation_size('loose')"));
  EXPECT_NEAR(value_of(shown, "pg_bloat_table_bloat_pct", loose).value_or(0), 90, 1);
  auto index = loose;
  index.emplace("idxname", "loose_i");
  EXPECT_EQ(value_of(shown, "pg_bloat_btree_real_size", index), number("SELECT pg_relation_size('loose_i')"));
  EXPECT_NEAR(value_of(shown, "pg_bloat_btree_bloat_pct", index).value_or(0), 90, 2);
  EXPECT_EQ(value_of(shown, "pg_bloat_table_unknown", with_database({})), 1);
  EXPECT_LT(value_of(shown, "pg_bloat_table_bloat_pct", with_database({{"schemaname", "public"}, {"relname", "tight"}}))
                .value_or(0),
            2);
  EXPECT_LT(value_of(shown, "pg_bloat_btree_bloat_pct",
                     with_database({{"schemaname", "public"}, {"relname", "tight"}, {"idxname", "tight_i"}}))
                .value_or(0),
            2);
}

TEST_F(HealthCollectors, AConfigurationThatIsNotInEffectIsCounted) {
  options_.collectors = {{"config_files", true}};
  auto shown = page();
  // Of its own: what the command line says otherwise than the file counts as not applied.
  const auto pending = value_of(shown, "pg_settings_pending_restart", {}).value_or(-1);
  const auto errors = value_of(shown, "pg_file_settings_errors", {}).value_or(-1);
  EXPECT_EQ(errors, number("SELECT count(error) FROM pg_file_settings"));
  EXPECT_EQ(value_of(shown, "pg_hba_file_rules_errors", {}), 0);
  EXPECT_EQ(value_of(shown, "pg_ident_file_mappings_errors", {}), 0);
  server_->sql("ALTER SYSTEM SET max_wal_senders = 3");
  server_->set_hba("local all all trust\nhost all all 127.0.0.1/32 trust\nno such line\n");
  await_true([&] {
    start();
    shown = page();
    return value_of(shown, "pg_settings_pending_restart", {}) == pending + 1;
  });
  EXPECT_EQ(value_of(shown, "pg_file_settings_errors", {}), errors + 1);
  EXPECT_EQ(value_of(shown, "pg_hba_file_rules_errors", {}), 1);
  server_->sql("ALTER SYSTEM RESET max_wal_senders");
  server_->set_hba("local all all trust\nhost all all 127.0.0.1/32 trust\n");
}

TEST_F(HealthCollectors, CountersOfWalAndSmallCachesAndTheOwnMemoryAreThere) {
  const auto before = page();
  EXPECT_THAT(label_values(before, "pg_stat_slru_blks_hit_total", "name"),
              testing::IsSupersetOf({"Xact", "Subtrans", "MultiXactOffset"}));
  EXPECT_EQ(value_of(before, "pg_stat_ssl_connections", {{"version", ""}}),
            value_of(before, "pg_connections_used", {}));
  EXPECT_GT(value_of(before, "midst_pg_backend_memory_bytes", {}), 500'000);
  EXPECT_EQ(before.find("pg_stat_io_reads_total"), nullptr);  // 16
  run_all({"CREATE TABLE written AS SELECT i FROM generate_series(1, 10000) i"});
  await_true([&] {
    return value_of(page(), "pg_stat_wal_records_total", {}).value_or(0) >=
           value_of(before, "pg_stat_wal_records_total", {}).value_or(0) + 10'000;
  });
}

TEST_F(HealthCollectors, ManyTablesAndSequencesDoNotMakeTheServersProcessGrow) {
  options_.pace.ttl = {{"backend_memory", 0ms}, {"sequences", 0ms}, {"indexes", 0ms}, {"autovacuum_queue", 0ms}};
  options_.pace.max_share = 0;
  const auto bytes_after_scrapes = [&] {
    start();
    for (int i = 0; i < 5; ++i) (void)page();
    return value_of(page(), "midst_pg_backend_memory_bytes", {}).value_or(0);
  };
  const double with_none = bytes_after_scrapes();
  for (int first = 0; first < 2000; first += 200)
    sql("DO $$ BEGIN FOR i IN " + std::to_string(first) + ".." + std::to_string(first + 199) +
        " LOOP EXECUTE 'CREATE TABLE t' || i || ' (id serial PRIMARY KEY)';"
        " EXECUTE 'SELECT setval(''t' || i || '_id_seq'', 2000000000)'; END LOOP; END $$");
  const double with_many = bytes_after_scrapes();
  const auto shown = page();
  EXPECT_EQ(value_of(shown, "pg_sequences_skipped", with_database({{"reason", "limit"}})), 1900);
  EXPECT_THAT(label_values(shown, "pg_sequence_used_ratio", "sequencename"), testing::SizeIs(100));
  EXPECT_GT(with_none, 1'000'000);
  EXPECT_LT(with_many - with_none, 3'000'000);
  RecordProperty("bytes_with_none", std::to_string(with_none));
  RecordProperty("bytes_with_many", std::to_string(with_many));
}

TEST_F(HealthCollectors, WraparoundIsToldAsPartsOfTheLimits) {
  const auto shown = page();
  const double age = number("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()");
  EXPECT_EQ(value_of(shown, "pg_wraparound_xid_ratio", with_database({})), age / 2147483648);
  EXPECT_EQ(value_of(shown, "pg_wraparound_xid_freeze_ratio", with_database({})), age / 2e8);
  EXPECT_EQ(value_of(shown, "pg_wraparound_multixact_ratio", with_database({})), 0);
  const auto* oldest = shown.find("pg_wraparound_oldest_table_xid_age");
  ASSERT_NE(oldest, nullptr);
  EXPECT_THAT(oldest->values,
              ElementsAre(number("SELECT max(age(relfrozenxid)) FROM pg_class WHERE relkind IN ('r', 'm', 't')")));
}

}  // namespace
}  // namespace midst::sources
