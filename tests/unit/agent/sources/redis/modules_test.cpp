// Replies here are written by hand: no module is packaged for the tests.
#include "agent/sources/redis/commands/modules.hpp"

#include "agent/sources/redis/commands/name_pattern.hpp"
#include "agent/sources/redis/commands/search_indexes.hpp"
#include "agent/sources/redis/commands/tile38.hpp"
#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;
using test::page_of;
using test::reply_of;
using test::samples_of;

TEST(RedisModuleLine, IsReadByName) {
  const auto module =
      parse_module("name=search,ver=21005,api=1,filters=0,usedby=[],using=[ReJSON|x],options=[handle-io-errors]");
  ASSERT_TRUE(module);
  EXPECT_EQ(module->name, "search");
  EXPECT_EQ(module->version, "21005");
  EXPECT_EQ(module->api, "1");
  EXPECT_EQ(module->filters, "0");
  EXPECT_EQ(module->used_by, "[]");
  EXPECT_EQ(module->uses, "[ReJSON|x]");
  EXPECT_EQ(parse_module("name=a")->version, "");
  for (const auto* line : {"", "name=", "ver=1", "name", ",,,", "==="}) EXPECT_FALSE(parse_module(line)) << line;
}

TEST(RedisModules, ShowEachModuleAndTheFieldsThatAreKnown) {
  Canned server(make_modules());
  server.answer("INFO modules",
                bulk("# Modules\r\nmodule:name=bf,ver=20612,api=1,filters=0,usedby=[],using=[],options=[]\r\n"
                     "module:ver=1\r\nmodulex:name=no\r\nmodule:name=ReJSON,ver=20607,api=1,filters=0,usedby=[search],"
                     "using=[],options=[]\r\n# search_index\r\nsearch_number_of_indexes:3\r\nsearch_unheard_of:1\r\n"));
  EXPECT_EQ(server.scrape(),
            "redis_module_info{api=\"1\",filters=\"0\",name=\"bf\",usedby=\"[]\",using=\"[]\",ver=\"20612\"} 1\n"
            "redis_module_info{api=\"1\",filters=\"0\",name=\"ReJSON\",usedby=\"[search]\",using=\"[]\","
            "ver=\"20607\"} 1\nredis_search_number_of_indexes 3\n");
  server.answer("INFO modules", "-NOPERM no\r\n");
  EXPECT_EQ(server.scrape(), "");
  EXPECT_EQ(server.error->code, Errc::noperm);
}

TEST(RedisModules, EndAtTheLimit) {
  Canned server(make_modules());
  std::string text;
  for (int i = 0; i < 66; ++i) text += "module:name=m" + std::to_string(i) + "\n";
  server.answer("INFO modules", bulk(text));
  const auto page = server.scrape();
  EXPECT_NE(page.find("name=\"m63\""), std::string::npos);
  EXPECT_EQ(page.find("name=\"m64\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_module_info\"} 2"));
}

TEST(RedisNamePattern, MatchesAsUsersOfRegularExpressionsExpect) {
  const struct {
    std::string pattern, name;
    bool matches;
  } cases[] = {{".*", "", true},
               {".*", "idx", true},
               {"idx", "my-idx-1", true},
               {"^idx$", "my-idx", false},
               {"^(a|b)[0-9]+$", "b12", true},
               {"^(a|b)[0-9]+$", "c12", false},
               {"a{2}", "baab", true},
               {"", "x", true},
               {"A", "a", false}};
  for (const auto& each : cases)
    EXPECT_EQ(NamePattern::parse(each.pattern)->matches(each.name), each.matches) << each.pattern << " " << each.name;
}

TEST(RedisNamePattern, RefusesWhatIsBrokenOrCostly) {
  for (const std::string& pattern : {std::string("("), std::string("[a"), std::string("(a)\\1"),
                                     std::string("a{1,9}b{1,9}"), std::string(257, 'a'), std::string("a\0b", 3)}) {
    const auto parsed = NamePattern::parse(pattern);
    ASSERT_FALSE(parsed) << pattern;
    EXPECT_EQ(parsed.error().code, Errc::config);
  }
  EXPECT_TRUE(NamePattern::parse(std::string(256, 'a')));
  // What takes exponential time elsewhere.
  EXPECT_FALSE(NamePattern::parse("^(a+)+$")->matches(std::string(10'000, 'a') + "b"));
}

std::string index_info(const std::string& name, int docs) {
  return "*14\r\n" + bulk("index_name") + bulk(name) + bulk("num_docs") + bulk(std::to_string(docs)) +
         bulk("inverted_sz_mb") + bulk("0.5") + bulk("attributes") + "*1\r\n*2\r\n" + bulk("identifier") + bulk("x") +
         bulk("records_per_doc_avg") + bulk("-nan") + bulk("number_of_uses") + ":7\r\n" + bulk("percent_indexed") +
         bulk("1");
}

std::string names(const std::vector<std::string>& all) {
  std::string wire = "*" + std::to_string(all.size()) + "\r\n";
  for (const auto& name : all) wire += bulk(name);
  return wire;
}

TEST(RedisSearchIndex, ShowsTheNumbersThatItHas) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_search_index("users", reply_of(index_info("users", 12)), builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_search_index_num_docs{index_name=\"users\"} 12\n"
            "redis_search_index_inverted_size_bytes{index_name=\"users\"} 524288\n"
            "redis_search_index_number_of_uses_total{index_name=\"users\"} 7\n"
            "redis_search_index_percent_indexed{index_name=\"users\"} 1\n");
}

TEST(RedisSearchIndex, HasAllTheFamiliesOfTheExporter) {
  const struct {
    std::string field, family;
    double value;
  } rows[] = {
      {"num_docs", "num_docs", 3},
      {"max_doc_id", "max_doc_id", 3},
      {"num_terms", "num_terms", 3},
      {"num_records", "num_records", 3},
      {"inverted_sz_mb", "inverted_size_bytes", 3145728},
      {"total_inverted_index_blocks", "total_inverted_index_blocks", 3},
      {"vector_index_sz_mb", "vector_index_size_bytes", 3145728},
      {"offset_vectors_sz_mb", "offset_vectors_size_bytes", 3145728},
      {"doc_table_size_mb", "doc_table_size_bytes", 3145728},
      {"sortable_values_size_mb", "sortable_values_size_bytes", 3145728},
      {"key_table_size_mb", "key_table_size_bytes", 3145728},
      {"tag_overhead_sz_mb", "tag_overhead_size_bytes", 3145728},
      {"text_overhead_sz_mb", "text_overhead_size_bytes", 3145728},
      {"total_index_memory_sz_mb", "total_index_memory_size_bytes", 3145728},
      {"geoshapes_sz_mb", "geoshapes_size_bytes", 3145728},
      {"records_per_doc_avg", "avg_per_doc_records", 3},
      {"bytes_per_record_avg", "avg_per_record_bytes", 3},
      {"offsets_per_term_avg", "avg_per_term_offsets", 3},
      {"offset_bits_per_record_avg", "avg_per_record_offset_bits", 3},
      {"indexing", "indexing", 3},
      {"percent_indexed", "percent_indexed", 3},
      {"hash_indexing_failures", "hash_indexing_failures", 3},
      {"number_of_uses", "number_of_uses_total", 3},
      {"cleaning", "cleaning", 3},
  };
  EXPECT_EQ(make_search_indexes({})->specs().size(), std::size(rows));
  for (const auto& row : rows) {
    metrics::SnapshotBuilder builder;
    ASSERT_TRUE(add_search_index("i", reply_of("*2\r\n" + bulk(row.field) + bulk("3")), builder));
    const auto snapshot = builder.freeze();
    const auto* family = snapshot.find("redis_search_index_" + row.family);
    ASSERT_NE(family, nullptr) << row.field;
    EXPECT_EQ(family->values[0], row.value) << row.field;
  }
}

TEST(RedisSearchIndexes, AreAskedForByNameInASecondRound) {
  SearchIndexesOptions options;
  options.names = "^(users|orders)";
  Canned server(make_search_indexes(options));
  server.answer("FT._LIST", names({"users", "temp", "orders:1"}));
  server.answer("FT.INFO users", index_info("users", 1));
  server.answer("FT.INFO orders:1", index_info("orders:1", 2));
  const auto page = server.scrape();
  EXPECT_EQ(server.asked, (std::vector<std::string>{"FT._LIST", "FT.INFO orders:1", "FT.INFO users"}));
  EXPECT_TRUE(has_line(page, "redis_search_index_num_docs{index_name=\"users\"} 1"));
  EXPECT_TRUE(has_line(page, "redis_search_index_num_docs{index_name=\"orders:1\"} 2"));
  server.wait(std::chrono::seconds(59));
  EXPECT_EQ(server.scrape(), page);
  EXPECT_TRUE(server.asked.empty());
}

TEST(RedisSearchIndexes, LoseOnlyTheOneThatIsGone) {
  Canned server(make_search_indexes({}));
  server.answer("FT._LIST", names({"a", "b"}));
  server.answer("FT.INFO a", "-Unknown index name\r\n");
  server.answer("FT.INFO b", index_info("b", 2));
  const auto page = server.scrape();
  EXPECT_TRUE(has_line(page, "redis_search_index_num_docs{index_name=\"b\"} 2"));
  EXPECT_EQ(server.error->code, Errc::server);
  server.wait(std::chrono::seconds(60));
  server.answer("FT._LIST", names({}));
  EXPECT_EQ(server.scrape(), "");
}

TEST(RedisSearchIndexes, EndAtTheLimitAndAskNothingByABrokenPattern) {
  SearchIndexesOptions options;
  options.max_indexes = 1;
  Canned server(make_search_indexes(options));
  server.answer("FT._LIST", names({"b", "a", "c"}));
  server.answer("FT.INFO a", index_info("a", 2));
  EXPECT_TRUE(has_line(server.scrape(), "redis_exporter_folded_series{metric=\"redis_search_index_num_docs\"} 2"));
  options.names = "(";
  Canned broken(make_search_indexes(options));
  EXPECT_EQ(broken.scrape(), "");
  EXPECT_TRUE(broken.asked.empty());
}

TEST(RedisSearchIndexes, AreNothingWithoutTheModule) {
  Canned server(make_search_indexes({}));
  server.answer("FT._LIST", "-ERR unknown command 'FT._LIST', with args beginning with: \r\n");
  EXPECT_EQ(server.scrape(), "");
  EXPECT_EQ(server.error->code, Errc::unsupported);
}

TEST(RedisTile38, ShowsTheFieldsThatAreKnown) {
  metrics::SnapshotBuilder builder;
  ASSERT_TRUE(add_tile38(
      reply_of("*14\r\n" + bulk("tile38_aof_size") + bulk("196") + bulk("sys_cpus") + ":4\r\n" + bulk("read_only") +
               bulk("false") + bulk("tile38_http_transport") + bulk("true") + bulk("tile38_version") + bulk("1.33") +
               bulk("go_version") + bulk("go1.22") + bulk("tile38_num_points") + bulk("many")),
      builder));
  EXPECT_EQ(samples_of(page_of(builder)),
            "redis_tile38_aof_size_bytes 196\nredis_tile38_cpus_total 4\nredis_tile38_read_only 0\n"
            "redis_tile38_http_transport 1\n");
  EXPECT_EQ(make_tile38()->specs().size(), 19u);
}

TEST(RedisTile38, PassesOnARefusal) {
  Canned server(make_tile38());
  server.answer("SERVER EXT", "-ERR unknown command 'SERVER'\r\n");
  EXPECT_EQ(server.scrape(), "");
  EXPECT_EQ(server.error->code, Errc::unsupported);
  server.answer("SERVER EXT", "*2\r\n" + bulk("num_hooks") + bulk("2"));
  EXPECT_EQ(server.scrape(), "redis_tile38_num_hooks_total 2\n");
}

}  // namespace
}  // namespace midst::sources::redis_info
