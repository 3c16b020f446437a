// What the commands for operators are made of: the reference of settings, the effective configuration, status, archive.
#include "agent/app/bundle.hpp"
#include "agent/app/config_commands.hpp"
#include "agent/app/daemon_commands.hpp"
#include "agent/app/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace midst::app {
namespace {

TEST(Reference, ReadsTablesKeysAndMeaningsWhetherCommentedOutOrNot) {
  const auto tables = read_reference(
      "# A file.\n\n[web]\nlisten = [\"a#b\"]   # where # it listens\nplain = 1\n\n# More of them.\n# [[web.listener]] "
      "# each\n"
      "# view = \"redis\"  # which\n");
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].name, "web");
  EXPECT_FALSE(tables[0].is_list || tables[0].is_example);
  EXPECT_EQ(tables[0].meaning, "");
  ASSERT_EQ(tables[0].keys.size(), 2U);
  EXPECT_EQ(tables[0].keys[0].key, "listen");
  EXPECT_EQ(tables[0].keys[0].value, "[\"a#b\"]");
  EXPECT_EQ(tables[0].keys[0].meaning, "where # it listens");
  EXPECT_EQ(tables[0].keys[1].meaning, "");
  EXPECT_EQ(tables[1].name, "web.listener");
  EXPECT_TRUE(tables[1].is_list && tables[1].is_example);
  EXPECT_EQ(tables[1].meaning, "More of them. each");
  EXPECT_EQ(tables[1].keys.at(0).value, "\"redis\"");
}

TEST(Reference, OfTheShippedFileHasEveryKeyTheFileIsReadWith) {
  const auto parsed = parse_config(example_config(), "example", Environment::Variables{});
  EXPECT_TRUE(parsed.problems.empty());
  for (const auto& known : parsed.known_keys) {
    const auto dot = known.rfind('.');
    if (dot == std::string::npos) continue;
    const auto has_key = [&](const ReferenceTable& table) {
      return table.name == known.substr(0, dot) &&
             std::any_of(table.keys.begin(), table.keys.end(),
                         [&](const ReferenceKey& key) { return key.key == known.substr(dot + 1); });
    };
    const bool is_table =
        std::any_of(reference().begin(), reference().end(), [&](const auto& table) { return table.name == known; });
    EXPECT_TRUE(is_table || std::any_of(reference().begin(), reference().end(), has_key)) << known;
  }
}

TEST(EffectiveConfig, IsAConfigurationThatMeansTheSame) {
  const auto given =
      parse_config("[scrape]\ntimeout = \"5s\"\n[[redis]]\nurl = \"redis://h:1\"\n[redis.limits]\nmax_labels = 5\n",
                   "a.toml", Environment::Variables{})
          .config;
  const auto again = parse_config(effective_text(given), "effective", Environment::Variables{});
  for (const auto& problem : again.problems) ADD_FAILURE() << describe(problem);
  EXPECT_EQ(again.config.scrape.timeout, std::chrono::seconds(5));
  EXPECT_EQ(again.config.redis.at(0).max_labels, 5U);
  EXPECT_EQ(again.config.web.listen, given.web.listen);
}

TEST(Archive, HasAHeaderAndFullBlocksForEachFile) {
  const auto archive = tar({{"a/b.txt", "hello"}}, 8);
  ASSERT_EQ(archive.size(), 4U * 512);
  EXPECT_EQ(archive.substr(0, 8), std::string("a/b.txt\0", 8));
  EXPECT_EQ(archive.substr(124, 11), "00000000005");
  EXPECT_EQ(archive.substr(136, 11), "00000000010");
  EXPECT_EQ(archive.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(archive.substr(512, 6), std::string("hello\0", 6));
}

TEST(StatusText, ShowsTheTroubleBelowItsTarget) {
  const auto text = status_text(
      R"({"version":"1","uptime_seconds":3725,"ready":true,"view":"","lifecycle":false,"probe":false,
          "configuration":{"successful":true,"loaded_at":0,"error":null,"waits_for_restart":true},
          "push":{"clients":1,"series":2},"samples":3,"targets":[
          {"kind":"redis","target":"main","address":"redis://h:1/0","state":"down","state_age_seconds":90061,
           "retry_in_seconds":3.2,"duration_seconds":0.0021,"success_age_seconds":null,"samples":0,"bytes":0,
           "attempts":1,"failures":1,"last_error":{"reason":"auth","message":"refused","age_seconds":1}}]})");
  EXPECT_EQ(text,
            "midst-agent 1, up 1h 2m, ready\n"
            "configuration of 1970-01-01 00:00:00 UTC; some of it waits for a restart\n"
            "3 series on the page; 1 push clients with 2 series\n\n"
            "TARGET                   STATE        SINCE   LAST OK       TOOK  SAMPLES  ADDRESS\n"
            "redis.main               down         1d 1h         -     2.1 ms        0  redis://h:1/0\n"
            "  auth: refused (next try in 4 s)\n");
}

}  // namespace
}  // namespace midst::app
