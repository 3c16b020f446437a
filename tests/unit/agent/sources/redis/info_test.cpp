#include "agent/sources/redis/info/info.hpp"

#include "agent/sources/redis/families.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

/// The samples of an INFO text without redis_instance_info, which every page has.
std::string samples(std::string_view info, const InfoOptions& options = {}) {
  metrics::SnapshotBuilder builder;
  const auto facts = read_info(info, options, builder);
  if (!facts) return describe(facts.error());
  auto all = test::samples_of(test::page_of(builder));
  const auto begin = all.find("redis_instance_info{");
  all.erase(begin, all.find('\n', begin) + 1 - begin);
  return all;
}

TEST(RedisCatalog, HasEachFieldAndEachFamilyOnce) {
  std::set<std::string_view> fields, names;
  for (const auto& row : catalog()) {
    EXPECT_TRUE(fields.insert(row.field).second) << row.field;
    EXPECT_TRUE(names.insert(row.spec.name).second) << row.spec.name;
  }
  for (const auto* spec : family::all) EXPECT_TRUE(names.insert(spec->name).second) << spec->name;
  for (const auto& spec : info_specs()) EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
}

TEST(RedisCatalog, SaysOneSentenceOfEachFamilyAndItsUnit) {
  std::vector<metrics::MetricSpec> specs;
  for (const auto& row : catalog()) specs.push_back(row.spec);
  for (const auto* spec : family::all) specs.push_back(*spec);
  for (const auto& spec : info_specs()) specs.push_back(spec);
  for (const auto& spec : specs) {
    SCOPED_TRACE(spec.name);
    EXPECT_TRUE(spec.name.starts_with("redis_"));
    EXPECT_TRUE(spec.help.ends_with('.'));
    EXPECT_GT(spec.help.size(), 15u);
    auto stem = spec.name;
    if (stem.ends_with("_total")) stem.remove_suffix(6);
    const auto unit = stem.ends_with("_bytes") ? "bytes" : stem.ends_with("_seconds") ? "seconds" : "";
    EXPECT_EQ(spec.unit, unit);
  }
}

TEST(RedisCatalog, FindsRowsByField) {
  ASSERT_NE(find_row("used_memory"), nullptr);
  EXPECT_EQ(find_row("used_memory")->spec.name, "redis_memory_used_bytes");
  EXPECT_EQ(find_row("latest_fork_usec")->scale, 1e-6);
  EXPECT_EQ(find_row("used_memory_human"), nullptr);
}

TEST(RedisInfo, ReadsValuesAsNumbersAndStates) {
  const std::vector<std::pair<std::string_view, double>> numbers{
      {"0", 0},    {"-1", -1}, {"1e4", 1e4}, {"0.5", 0.5}, {"18446744073709551615", 18446744073709551615.0}, {"ok", 1},
      {"true", 1}, {"err", 0}, {"fail", 0},  {"false", 0}, {"inf", std::numeric_limits<double>::infinity()}};
  for (const auto& [text, number] : numbers) EXPECT_EQ(parse_value(text), number) << text;
  EXPECT_TRUE(std::isnan(parse_value("nan").value()));
  for (const std::string_view text : {"", "12%", "1.5K", " 1", "1 ", "yes", "OK", "0x10"})
    EXPECT_FALSE(parse_value(text)) << text;
}

TEST(RedisInfo, ReadsPlainDecimalsAsTheNearestDouble) {
  for (const auto* text : {"0.1", "0.3", "1.003", "68.476389", "76.54", "123456789.12345", "99999999999999",
                           "0.0000000000001", "00.10", "4503599627370.5"})
    EXPECT_EQ(parse_value(text), std::strtod(text, nullptr)) << text;
  for (const std::string_view text : {"1.2.3", ".", "..", "1,5", "1 000", "1_000", "1-2"})
    EXPECT_FALSE(parse_value(text)) << text;
}

TEST(RedisInfo, ReadsLinesOfEitherEndingInAnyOrderAndSkipsWhatItDoesNotKnow) {
  EXPECT_EQ(samples("connected_clients:2\r\n\r\n# Server\r\nhz:10\r\nnew_field:1\r\n#NoSpace\r\nno colon\r\n:\r\n"
                    "used_memory:7\nblocked_clients:x\nuptime_in_days:1"),
            "redis_connected_clients 2\nredis_hz 10\nredis_memory_used_bytes 7\n");
}

TEST(RedisInfo, KeepsTheFirstOfARepeatedField) {
  EXPECT_EQ(samples("hz:10\r\nhz:20\r\n"), "redis_hz 10\n");
}

TEST(RedisInfo, SplitsAtTheFirstColonOnly) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(read_info("os:a:b\nhz:1\n", {}, builder));
  EXPECT_NE(test::page_of(builder).find("os=\"a:b\""), std::string::npos);
}

TEST(RedisInfo, RefusesATextWithoutOneKnownField) {
  for (const std::string_view text : {"", "hello", "<html>", "a:1\r\nb:2\r\n", "cmdstat_get:borked"}) {
    metrics::SnapshotBuilder builder;
    const auto facts = read_info(text, {}, builder);
    ASSERT_FALSE(facts) << text;
    EXPECT_EQ(facts.error().code, Errc::protocol);
  }
}

TEST(RedisInfo, ScalesTheLastForkToSeconds) {
  EXPECT_EQ(samples("latest_fork_usec:810\n"), "redis_latest_fork_seconds 0.00081\n");
}

TEST(RedisInfo, ReadsCommandStatsOfBothForms) {
  const auto three = parse_command_stat("calls=75,usec=1260,usec_per_call=16.80");
  ASSERT_TRUE(three);
  EXPECT_EQ(three->calls, 75);
  EXPECT_EQ(three->microseconds, 1260);
  EXPECT_FALSE(three->rejected);
  EXPECT_FALSE(three->failed);
  const auto five = parse_command_stat("calls=1,usec=2,usec_per_call=2.00,rejected_calls=3,failed_calls=4");
  ASSERT_TRUE(five);
  EXPECT_EQ(five->rejected, 3);
  EXPECT_EQ(five->failed, 4);
}

TEST(RedisInfo, RefusesBrokenCommandStats) {
  for (const std::string_view fields :
       {"", "borked_values", "usec=1,usec_per_call=1", "calls=1,usec_per_call=1", "calls=a,usec=1", "calls=1,usec=a",
        "calls=1,usec=1,usec_per_call=1,rejected_calls=a,failed_calls=0",
        "calls=1,usec=1,usec_per_call=1,rejected_calls=0,failed_calls=a", "calls=1,usec=-1"})
    EXPECT_FALSE(parse_command_stat(fields)) << fields;
}

TEST(RedisInfo, NamesSubcommandsAndSumsThemIntoTheirContainer) {
  metrics::SnapshotBuilder builder;
  const auto facts = read_info(
      "cmdstat_config|get:calls=2,usec=30,usec_per_call=15.00\ncmdstat_config|set:calls=1,usec=12,usec_per_call=12\n"
      "cmdstat_get:calls=1,usec=5,usec_per_call=5\n",
      {}, builder);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->commands.at("config").microseconds, 42);
  EXPECT_EQ(facts->commands.at("config|get").microseconds, 30);
  EXPECT_EQ(facts->commands.at("get").microseconds, 5);
  const auto page = test::page_of(builder);
  EXPECT_TRUE(test::has_line(page, "redis_commands_total{cmd=\"config|get\"} 2"));
  EXPECT_TRUE(test::has_line(page, "redis_commands_duration_seconds_total{cmd=\"config|set\"} 1.2e-05"));
}

TEST(RedisInfo, ReadsPercentilesOnlyWithTheCountsOfTheirCommand) {
  EXPECT_EQ(samples("latency_percentiles_usec_get:p50=1.003,p99=2.007,p99.9=3.5\n"
                    "latency_percentiles_usec_orphan:p50=1\n"
                    "cmdstat_get:calls=4,usec=5,usec_per_call=1.25\n"),
            "redis_commands_total{cmd=\"get\"} 4\nredis_commands_duration_seconds_total{cmd=\"get\"} 5e-06\n"
            "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"50\"} 1.003\n"
            "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"99\"} 2.007\n"
            "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"99.9\"} 3.5\n"
            "redis_latency_percentiles_usec_sum{cmd=\"get\"} 5\nredis_latency_percentiles_usec_count{cmd=\"get\"} 4\n");
}

TEST(RedisInfo, RefusesBrokenPercentiles) {
  for (const std::string value : {"", "p50=a", "=1.0", "50=1", "p=1", "px=1", "p50"}) {
    const auto text = "cmdstat_get:calls=1,usec=1,usec_per_call=1\nlatency_percentiles_usec_get:" + value + "\n";
    EXPECT_EQ(samples(text).find("redis_latency_percentiles_usec"), std::string::npos) << value;
  }
}

TEST(RedisInfo, TakesCallsThatNoCounterCanHoldForTheMostItCan) {
  for (const auto& [calls, count] : {std::pair{"8.88889e47", "18446744073709551615"},
                                     {"inf", "18446744073709551615"},
                                     {"18446744073709551616", "18446744073709551615"},
                                     {"nan", "0"}}) {
    const auto text =
        "cmdstat_get:calls=" + std::string(calls) + ",usec=1,usec_per_call=1\nlatency_percentiles_usec_get:p50=1\n";
    EXPECT_NE(samples(text).find("redis_latency_percentiles_usec_count{cmd=\"get\"} " + std::string(count) + "\n"),
              std::string::npos)
        << samples(text);
  }
}

TEST(RedisInfo, ReadsErrorCountsAndRefusesBrokenOnes) {
  EXPECT_EQ(samples("hz:1\nerrorstat_ERR:count=4\nerrorstat_A:count\nerrorstat_B:count=ABC\nerrorstat_C:total=1\n"
                    "errorstat_:count=1\nerror_D:count=1\n"),
            "redis_hz 1\nredis_errors_total{err=\"ERR\"} 4\n");
}

TEST(RedisInfo, FoldsErrorsOfScriptsAtTheLimitAndKeepsTheServersOwn) {
  InfoOptions options;
  options.max_error_labels = 2;
  const std::string two = "errorstat_AAA:count=1\nerrorstat_BBB:count=2\nerrorstat_WRONGTYPE:count=5\nhz:1\n";
  EXPECT_EQ(samples(two, options),
            "redis_errors_total{err=\"AAA\"} 1\nredis_errors_total{err=\"BBB\"} 2\n"
            "redis_errors_total{err=\"WRONGTYPE\"} 5\nredis_hz 1\n");
  EXPECT_EQ(samples("errorstat_AAA:count=1\nerrorstat_BBB:count=2\nerrorstat_CCC:count=3\nerrorstat_DDD:count=4\n"
                    "errorstat_WRONGTYPE:count=5\nhz:1\n",
                    options),
            "redis_errors_total{err=\"AAA\"} 1\nredis_errors_total{err=\"BBB\"} 2\n"
            "redis_errors_total{err=\"WRONGTYPE\"} 5\nredis_errors_total{err=\"other\"} 7\nredis_hz 1\n"
            "redis_exporter_folded_series{metric=\"redis_errors_total\"} 2\n");
}

TEST(RedisInfo, LeavesOutCommandsAboveTheLimitAndCountsThem) {
  InfoOptions options;
  options.max_labels = 1;
  const auto page = samples("cmdstat_a:calls=1,usec=1\ncmdstat_b:calls=1,usec=1\ncmdstat_c:calls=1,usec=1\n", options);
  EXPECT_TRUE(test::has_line(page, "redis_commands_total{cmd=\"a\"} 1"));
  EXPECT_EQ(page.find("cmd=\"b\""), std::string::npos);
  EXPECT_TRUE(test::has_line(page, "redis_exporter_folded_series{metric=\"redis_commands_total\"} 2"));
}

TEST(RedisInfo, ReadsThreadTimesByNumberOnly) {
  EXPECT_EQ(
      samples("used_active_time_io_thread_0:1.5\nused_active_time_io_thread_foo:2\nused_active_time_io_thread_:3\n"
              "hz:1\n"),
      "redis_active_time_io_thread_seconds_total{thread=\"0\"} 1.5\nredis_hz 1\n");
}

TEST(RedisInfo, ShowsTheStartThatItIsTold) {
  InfoOptions options;
  EXPECT_EQ(samples("hz:1\n", options), "redis_hz 1\n");
  options.start_seconds = 1899;
  EXPECT_EQ(samples("hz:1\n", options), "redis_hz 1\nredis_start_time_seconds 1899\n");
}

TEST(RedisInfo, ShowsZeroForEmptyDatabasesOnlyWhereTheServerShowsDatabases) {
  InfoOptions options;
  options.databases = 2;
  const auto with = samples("hz:1\n# Keyspace\ndb1:keys=3,expires=1\n", options);
  EXPECT_EQ(with,
            "redis_hz 1\nredis_db_keys{db=\"db0\"} 0\nredis_db_keys{db=\"db1\"} 3\n"
            "redis_db_keys_expiring{db=\"db0\"} 0\nredis_db_keys_expiring{db=\"db1\"} 1\n");
  EXPECT_EQ(samples("hz:1\n", options), "redis_hz 1\n");
  EXPECT_EQ(samples("cluster_enabled:1\n# Keyspace\n", options),
            "redis_cluster_enabled 1\nredis_db_keys{db=\"db0\"} 0\nredis_db_keys_expiring{db=\"db0\"} 0\n");
  options.has_zero_databases = false;
  EXPECT_EQ(samples("hz:1\n# Keyspace\n", options), "redis_hz 1\n");
}

TEST(RedisInfo, TurnsUnitsIntoBaseUnits) {
  EXPECT_EQ(samples("used_memory_peak_perc:75.50%\nloading_loaded_perc:25.00\ninstantaneous_input_kbps:1.50\n"
                    "total_active_defrag_time:1500\nserver_time_usec:1714701488527373\nused_memory_dataset_perc:x%\n"),
            "redis_memory_used_peak_ratio 0.755\nredis_loading_progress_ratio 0.25\n"
            "redis_instantaneous_input_bytes_per_second 1536\nredis_active_defrag_time_seconds_total 1.5\n"
            "redis_server_time_seconds 1714701488.527373\n");
}

TEST(RedisInfo, LetsPassAPercentSignOnlyWhereAPercentageIsMeant) {
  EXPECT_EQ(samples("hz:1\nconnected_clients:12%\n"), "redis_hz 1\n");
}

TEST(RedisInfo, ReadsHugeNumbers) {
  EXPECT_EQ(samples("total_net_input_bytes:18446744073709551615\nkeyspace_hits:9007199254740993\n"
                    "used_memory:1e308\nexpired_keys:-1\nmaxmemory:1e999\n"),
            "redis_net_input_bytes_total 18446744073709551616\nredis_keyspace_hits_total 9007199254740992\n"
            "redis_memory_used_bytes 1e+308\nredis_expired_keys_total -1\nredis_memory_max_bytes +Inf\n");
}

TEST(RedisInfo, ShowsKeySizesUpToTheirLimit) {
  const std::string info = "hz:1\ndb0_distrib_lists_items:1=2\ndb0_distrib_sets_items:1=3\n";
  InfoOptions options;
  options.max_key_sizes = 1;
  const auto page = samples(info, options);
  EXPECT_TRUE(test::has_line(page, "redis_db_key_items_count{db=\"db0\",type=\"list\"} 2"));
  EXPECT_EQ(page.find("type=\"set\""), std::string::npos);
  EXPECT_TRUE(test::has_line(page, "redis_exporter_folded_series{metric=\"redis_db_key_size_bytes\"} 1"));
  options.max_key_sizes = 0;
  EXPECT_EQ(samples(info, options), "redis_hz 1\n");
}

TEST(RedisInfo, TellsHowTheServerWasBuiltWhereItSaysSo) {
  EXPECT_EQ(
      samples("hz:1\nmem_allocator:jemalloc-5.3.0\navailability_zone:eu-1a\nserver_name:valkey\n"),
      "redis_hz 1\nredis_server_info{arch_bits=\"\",availability_zone=\"eu-1a\",gcc_version=\"\","
      "mem_allocator=\"jemalloc-5.3.0\",multiplexing_api=\"\",process_supervised=\"\",server_name=\"valkey\"} 1\n");
}

TEST(RedisInfo, ReadsFieldsOfModulesFromTheirOwnReply) {
  metrics::SnapshotBuilder builder;
  EXPECT_EQ(add_known_fields("# Modules\r\nmodule:name=search,ver=21005\r\n# search_memory\r\n"
                             "search_used_memory_indexes:1024\r\nsearch_total_queries_processed:7\r\nsearch_new:1\r\n",
                             builder),
            2u);
  EXPECT_EQ(test::samples_of(test::page_of(builder)),
            "redis_search_used_memory_indexes_bytes 1024\nredis_search_queries_processed_total 7\n");
}

TEST(RedisInfo, NamesValkeyAndItsMode) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(read_info("redis_version:7.2.4\nserver_mode:standalone\nvalkey_version:8.1.0\nvalkey_release_stage:ga\n",
                        {}, builder));
  EXPECT_TRUE(test::has_line(
      test::page_of(builder),
      "redis_instance_info{master_replid=\"\",maxmemory_policy=\"\",os=\"\",process_id=\"\",redis_build_id=\"\","
      "redis_mode=\"standalone\",redis_version=\"7.2.4\",role=\"\",run_id=\"\",tcp_port=\"\","
      "valkey_release_stage=\"ga\",valkey_version=\"8.1.0\"} 1"));
}

TEST(RedisInfo, SurvivesLabelsThatAreNotUtf8) {
  const auto page = samples("errorstat_\xff\xfe:count=1\nhz:1\n");
  EXPECT_TRUE(test::has_line(page, "redis_errors_total{err=\"\xef\xbf\xbd\xef\xbf\xbd\"} 1")) << page;
}

}  // namespace
}  // namespace midst::sources::redis_info
