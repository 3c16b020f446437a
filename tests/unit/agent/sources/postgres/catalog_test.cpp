#include "agent/sources/postgres/catalog.hpp"

#include "agent/sources/postgres/rows_to_samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace midst::sources {
namespace {

constexpr int majors[] = {100'000, 110'000, 120'000, 130'000, 140'000, 150'000, 160'000, 170'000, 180'000};

/// Statements that are not for every server.
struct Offer {
  std::string_view statement;
  int from_version;
  int before_version = 1'000'000;
};
constexpr Offer offers[] = {
    {"backend_memory", 150'000},
    {"buffercache_summary", 160'000},
    {"config_files_ident", 150'000},
    {"stat_checkpointer", 170'000},
    {"stat_io", 160'000},
    {"stat_recovery_prefetch", 150'000},
    {"stat_slru", 130'000},
    {"stat_replication_slots", 140'000},
    {"stat_ssl_compression", 0, 140'000},
    {"stat_subscription_stats", 150'000},
    {"stat_wal", 140'000},
    {"xlog_location", 0, 100'000},
};

bool is_offered(std::string_view statement, int version) {
  return std::none_of(std::begin(offers), std::end(offers), [&](const Offer& offer) {
    return offer.statement == statement && (version < offer.from_version || version >= offer.before_version);
  });
}

std::vector<Collector> all_collectors() {
  std::vector<Collector> all;
  for (const auto& collector : postgres_catalog()) all.push_back(collector);
  for (const auto& command : pgbouncer_catalog()) all.push_back(command);
  return all;
}

bool is_metric_name(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

TEST(PostgresCatalog, HoldsTheDefaultCollectorsOfTheExporterAndThoseOfHealth) {
  std::vector<std::string> on;
  for (const auto& collector : postgres_catalog())
    if (collector.runs == Default::on) on.emplace_back(collector.name);
  EXPECT_THAT(
      on, testing::ElementsAre(
              "autovacuum_queue", "backend_memory", "blocking", "connections", "database", "database_wraparound",
              "indexes", "locks", "long_running_transactions", "postmaster", "prepared_transactions", "replication",
              "replication_slots", "roles", "sequences", "settings", "settings_pending", "stat_activity",
              "stat_archiver", "stat_bgwriter", "stat_checkpointer", "stat_database", "stat_database_conflicts",
              "stat_io", "stat_progress", "stat_progress_vacuum", "stat_recovery_prefetch", "stat_replication",
              "stat_replication_slots", "stat_slru", "stat_ssl", "stat_subscription", "stat_user_tables", "stat_wal",
              "stat_wal_receiver", "statio_user_tables", "wal", "wraparound", "wraparound_tables", "xmin_horizon"));
}

TEST(PostgresCatalog, EveryMetricHasAValidNameAndAHelpSentence) {
  for (const auto& collector : all_collectors())
    for (const auto& query : collector.queries)
      for (const auto& column : query.columns) {
        EXPECT_FALSE(column.column.empty()) << query.name;
        if (column.use == Use::label) continue;
        EXPECT_TRUE(is_metric_name(column.name)) << column.name;
        EXPECT_TRUE(column.help.ends_with('.')) << column.name << ": " << column.help;
      }
}

TEST(PostgresCatalog, AMetricHasOneTypeAndOneHelpWhereverItStands) {
  std::map<std::string_view, const Column*> known;
  for (const auto& collector : all_collectors())
    for (const auto& query : collector.queries)
      for (const auto& column : query.columns) {
        if (column.use == Use::label) continue;
        const auto [first, is_new] = known.emplace(column.name, &column);
        if (is_new) continue;
        EXPECT_EQ(spec_of(*first->second).type, spec_of(column).type) << column.name;
        EXPECT_EQ(first->second->help, column.help) << column.name;
      }
}

TEST(PostgresCatalog, CollectorsAndStatementsAreNamedOnce) {
  std::set<std::string_view> collectors;
  std::map<std::string_view, std::string_view> owner_of_statement;
  for (const auto& collector : postgres_catalog()) {
    EXPECT_TRUE(collectors.insert(collector.name).second) << collector.name;
    for (const auto& query : collector.queries)
      EXPECT_EQ(owner_of_statement.emplace(query.name, collector.name).first->second, collector.name) << query.name;
  }
}

TEST(PostgresCatalog, EachStatementHasOneVariantForEachServerVersion) {
  for (const auto edition : {Edition::current, Edition::v0_11})
    for (const auto& collector : postgres_catalog()) {
      std::set<std::string_view> statements;
      for (const auto& query : collector.queries)
        if (query.edition == Edition::any || query.edition == edition) statements.insert(query.name);
      EXPECT_FALSE(statements.empty()) << collector.name;
      for (const auto name : statements)
        for (const auto version : majors) {
          const auto variants = std::count_if(collector.queries.begin(), collector.queries.end(), [&](const Query& q) {
            return q.name == name && q.fits(version, edition);
          });
          EXPECT_EQ(variants, is_offered(name, version) ? 1 : 0) << name << " on " << version;
        }
    }
}

TEST(PostgresCatalog, TheCollectorsOfTheExporterAreForNinePointSixToo) {
  for (const std::string_view name : {"database",
                                      "database_wraparound",
                                      "locks",
                                      "long_running_transactions",
                                      "postmaster",
                                      "process_idle",
                                      "replication",
                                      "replication_slots",
                                      "roles",
                                      "settings",
                                      "stat_activity",
                                      "stat_activity_autovacuum",
                                      "stat_archiver",
                                      "stat_bgwriter",
                                      "stat_database",
                                      "stat_database_conflicts",
                                      "stat_progress_vacuum",
                                      "stat_replication",
                                      "stat_user_tables",
                                      "stat_wal_receiver",
                                      "statio_user_indexes",
                                      "statio_user_tables",
                                      "wal",
                                      "xlog_location"}) {
    const auto collector = std::find_if(postgres_catalog().begin(), postgres_catalog().end(),
                                        [&](const Collector& of) { return of.name == name; });
    ASSERT_NE(collector, postgres_catalog().end()) << name;
    EXPECT_EQ(std::count_if(collector->queries.begin(), collector->queries.end(),
                            [](const Query& query) { return query.fits(90'624, Edition::current); }),
              1)
        << name;
  }
}

TEST(PostgresCatalog, NamesThatTenChangedAreAskedOfOlderServersAlone) {
  for (const auto& collector : postgres_catalog())
    for (const auto& query : collector.queries)
      for (const std::string_view old : {"xlog", "_location("})
        if (query.sql.find(old) != std::string_view::npos) {
          EXPECT_LE(query.before_version, 100'000) << query.name;
        }
}

TEST(PostgresCatalog, OnlyAConnectionOfItsOwnCallsASizeFunctionThatWaitsForLocks) {
  for (const auto& collector : postgres_catalog()) {
    if (collector.is_alone) continue;
    for (const auto& query : collector.queries)
      for (const std::string_view function :
           {"pg_table_size", "pg_indexes_size", "pg_relation_size", "pg_total_relation_size"})
        EXPECT_EQ(query.sql.find(function), std::string_view::npos) << query.name;
  }
}

TEST(PostgresCatalog, EveryRelationAndFunctionIsQualified) {
  for (const auto& collector : postgres_catalog())
    for (const auto& query : collector.queries)
      for (std::size_t at = query.sql.find("pg_"); at != std::string_view::npos; at = query.sql.find("pg_", at + 1)) {
        const auto before = query.sql.substr(0, at);
        const bool is_part_of_word = !before.empty() && (before.back() == '_' || before.back() == '\'');
        EXPECT_TRUE(is_part_of_word || before.ends_with("pg_catalog.") || before.ends_with("{schema}.") ||
                    query.sql.substr(at).starts_with("pg_catalog."))
            << query.name << ": " << query.sql.substr(at, 40);
      }
}

TEST(PostgresCatalog, NoStatementSelectsEverything) {
  for (const auto& collector : postgres_catalog())
    for (const auto& query : collector.queries)
      EXPECT_EQ(query.sql.find("SELECT *"), std::string_view::npos) << query.name;
}

}  // namespace
}  // namespace midst::sources
