// The collectors "key_groups" and "scripts" on a real server, and the server's own Lua as the judge of ours.
#include "agent/sources/redis/keys/key_groups.hpp"

#include "agent/sources/redis/keys/scripts.hpp"
#include "tests/integration/redis/live.hpp"
#include "tests/support/collector_driver.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace midst {
namespace {

using sources::redis_info::KeyGroupsOptions;
using sources::redis_info::LuaPattern;
using sources::redis_info::make_key_groups;
using sources::redis_info::make_scripts;
using sources::redis_info::parse_lua_patterns;
using sources::redis_info::ScriptsOptions;
using test::CollectorDriver;
using test::has_line;
using test::redis_cli;
using test::RedisServer;
using test::value_of;

KeyGroupsOptions grouping(std::string_view patterns) {
  KeyGroupsOptions options;
  options.patterns = parse_lua_patterns(patterns).value();
  return options;
}

void make_keys(const RedisServer& server, const std::string& database, const std::string& prefix, int count) {
  redis_cli(server, {"-n", database, "eval", "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, 'x') end",
                     "0", prefix, std::to_string(count)});
}

TEST(RedisKeyGroups, CountKeysAndTheirMemoryInEveryDatabase) {
  RedisServer server;
  make_keys(server, "0", "user:", 30);
  make_keys(server, "0", "cart:", 20);
  make_keys(server, "0", "odd", 5);
  make_keys(server, "11", "user:", 3);
  auto options = grouping("^(user):,^(cart):");
  options.batch_size = 7;
  CollectorDriver driver(make_key_groups(options), server.url());
  for (int i = 0; i < 2; ++i) {
    const auto scrape = driver.scrape();
    EXPECT_FALSE(scrape.error) << describe(*scrape.error);
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db0\",key_group=\"user\"} 30")) << scrape.samples;
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db0\",key_group=\"cart\"} 20"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db0\",key_group=\"unclassified\"} 5"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db11\",key_group=\"user\"} 3"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_number_of_distinct_key_groups{db=\"db0\"} 3"));
    EXPECT_TRUE(has_line(scrape.samples, "redis_number_of_distinct_key_groups{db=\"db11\"} 1"));
    const auto memory = std::stod(redis_cli(server, {"memory", "usage", "user:10"})) * 30;
    EXPECT_NEAR(
        value_of(scrape.samples, "redis_key_group_memory_usage_bytes{db=\"db0\",key_group=\"user\"}").value_or(0),
        memory, memory / 5);
    EXPECT_GT(value_of(scrape.samples, "redis_last_key_groups_scrape_duration_milliseconds").value_or(0), 0);
  }
  EXPECT_EQ(driver.command({"GET", "user:1"}).text, "x") << "the connection is in its own database";
}

TEST(RedisKeyGroups, PutWhatIsBeyondTheLimitIntoOverflow) {
  RedisServer server;
  for (const auto* prefix : {"a:", "b:", "c:", "d:"}) make_keys(server, "0", prefix, 10);
  make_keys(server, "0", "a:x", 90);
  auto options = grouping("^([^:]+):");
  options.max_groups = 1;
  CollectorDriver driver(make_key_groups(options), server.url());
  const auto scrape = driver.scrape();
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db0\",key_group=\"a\"} 100"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db0\",key_group=\"overflow\"} 30"));
  EXPECT_TRUE(has_line(scrape.samples, "redis_number_of_distinct_key_groups{db=\"db0\"} 4"));
}

TEST(RedisKeyGroups, GoOnOverSeveralScrapesAndConnections) {
  RedisServer server;
  make_keys(server, "0", "a:", 3000);
  make_keys(server, "3", "b:", 1000);
  auto options = grouping("^(.):");
  options.batch_size = 10;
  options.pace.time_per_scrape = std::chrono::milliseconds(20);
  CollectorDriver driver(make_key_groups(options), server.url());
  std::string samples;
  int scrapes = 0;
  bool said_so = false;
  while (samples.find("redis_key_group_count") == std::string::npos && scrapes < 500) {
    const auto scrape = driver.scrape();
    EXPECT_TRUE(!scrape.error || scrape.error->code == Errc::timeout);
    said_so = said_so || scrape.error;
    samples = scrape.samples;
    if (++scrapes % 3 == 0) driver.connection().close();
  }
  EXPECT_GT(scrapes, 2);
  EXPECT_TRUE(said_so);
  EXPECT_TRUE(has_line(samples, "redis_key_group_count{db=\"db0\",key_group=\"a\"} 3000")) << samples;
  EXPECT_TRUE(has_line(samples, "redis_key_group_count{db=\"db3\",key_group=\"b\"} 1000"));
  EXPECT_TRUE(has_line(driver.scrape().samples, "redis_key_group_count{db=\"db0\",key_group=\"a\"} 3000"));
}

TEST(RedisKeyGroups, NeedNoMoreRightsThanTheyName) {
  RedisServer server;
  make_keys(server, "0", "a:", 3);
  make_keys(server, "3", "a:", 2);
  auto collector = make_key_groups(grouping("^(a)"));
  std::vector<std::string> user{"acl", "setuser", "watcher", "on", ">secret", "+client|setname"};
  for (auto& right : collector->rights()) user.push_back(right);
  ASSERT_EQ(redis_cli(server, user), "OK\n");
  CollectorDriver driver(std::move(collector), fmt::format("redis://watcher:secret@127.0.0.1:{}", server.port()));
  const auto scrape = driver.scrape();
  EXPECT_FALSE(scrape.error) << describe(*scrape.error);
  EXPECT_TRUE(has_line(scrape.samples, "redis_key_group_count{db=\"db3\",key_group=\"a\"} 2"));
}

TEST(RedisKeyGroups, SayZeroMillisecondsWhereNothingIsAsked) {
  RedisServer server;
  CollectorDriver off(make_key_groups({}), server.url());
  const auto scrape = off.scrape();
  EXPECT_EQ(scrape.rounds, 0);
  EXPECT_EQ(scrape.samples, "redis_last_key_groups_scrape_duration_milliseconds 0\n");
  CollectorDriver empty(make_key_groups(grouping("(a)")), server.url());
  EXPECT_EQ(empty.scrape().samples.find("redis_key_group_count"), std::string::npos);
}

/// Patterns that are mostly well-formed, and subjects of the same few characters.
class PatternMaker {
 public:
  std::string pattern() {
    std::string text = pick(5) == 0 ? "^" : "";
    int open = 0;
    for (auto left = 1 + pick(7); left > 0; --left) {
      if (pick(4) == 0) {
        text += "(";
        ++open;
      }
      text += item();
      if (open > 0 && pick(3) == 0) {
        text += ")";
        --open;
      }
    }
    if (pick(10) != 0) text += std::string(static_cast<std::size_t>(open), ')');
    return pick(6) == 0 ? text + "$" : text;
  }
  std::string subject() {
    std::string text;
    for (auto left = pick(12); left > 0; --left) text += "ab1:_-.](A "[pick(11)];
    return text;
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }
  std::string item() {
    static const char* const atoms[] = {"a",      "b",    ":",     ".",      "%a", "%d", "%W",   "%p",
                                        "[ab]",   "[^:]", "[%d_]", "[a-b1]", "%.", "%-", "[]a]", "%b()",
                                        "%f[%a]", "()",   "%1",    "[",      "%",  "A",  "%s",   "%2"};
    static const char* const suffixes[] = {"", "", "", "*", "+", "-", "?"};
    return std::string(atoms[pick(std::size(atoms))]) + suffixes[pick(std::size(suffixes))];
  }
  std::mt19937 random_{20240607};
};

TEST(RedisLuaPattern, AgreesWithTheLuaOfTheServer) {
  RedisServer server;
  CollectorDriver driver(make_key_groups({}), server.url());
  PatternMaker make;
  // Answers "!" for an error and "~" for no match, else "=" and the captures.
  const std::string script =
      "local out = {} for i = 1, #ARGV, 2 do local r = {pcall(string.find, ARGV[i + 1], ARGV[i])} "
      "if not r[1] then out[#out + 1] = '!' elseif r[2] == nil then out[#out + 1] = '~' "
      "else out[#out + 1] = '=' .. table.concat({unpack(r, 4, #r)}) end end return out";
  std::size_t matches = 0, refusals = 0;
  for (int round = 0; round < 40; ++round) {
    redis::Command command{"EVAL", script, "0"};
    for (int i = 0; i < 250; ++i) {
      command.push_back(make.pattern());
      command.push_back(make.subject());
    }
    const auto reply = driver.command(command);
    ASSERT_EQ(reply.elements.size(), 250U) << reply.text;
    for (std::size_t i = 0; i < 250; ++i) {
      const auto &text = command[3 + 2 * i], &subject = command[4 + 2 * i], &theirs = reply.elements[i].text;
      const auto pattern = LuaPattern::parse(text);
      if (theirs == "!" || !pattern) {
        // Lua finds a mistake only where the match comes by; ours are found at once.
        EXPECT_FALSE(theirs == "!" && pattern) << text << " in " << subject;
        ++refusals;
        continue;
      }
      const auto captures = pattern->find(subject);
      EXPECT_EQ(captures ? "=" + *captures : "~", theirs) << text << " in " << subject;
      matches += captures ? 1 : 0;
    }
  }
  EXPECT_GT(matches, 1000U);
  EXPECT_GT(refusals, 500U);
  EXPECT_LT(refusals, 7000U);
}

TEST(RedisScripts, ShowWhatTheyReturnAndHowTheyEnded) {
  RedisServer server;
  redis_cli(server, {"set", "n", "42"});
  ScriptsOptions options;
  options.scripts = {{"good.lua", "return {'n', redis.call('GET', 'n'), 'half', '0.5', 'int', 7}"},
                     {"empty.lua", "return {}"},
                     {"broken.lua", "return {"},
                     {"text.lua", "return {'a', 'x', 'b', '2'}"},
                     {"write.lua", "redis.call('SET', 'written', '1') return {'a', '1'}"}};
  options.is_read_only = true;
  CollectorDriver driver(make_scripts(options), server.url());
  const auto scrape = driver.scrape();
  EXPECT_EQ(scrape.samples,
            "redis_script_values{filename=\"good.lua\",key=\"n\"} 42\n"
            "redis_script_values{filename=\"good.lua\",key=\"half\"} 0.5\n"
            "redis_script_values{filename=\"good.lua\",key=\"int\"} 7\n"
            "redis_script_values{filename=\"text.lua\",key=\"b\"} 2\n"
            "redis_script_result{filename=\"good.lua\"} 1\n"
            "redis_script_result{filename=\"empty.lua\"} 2\n"
            "redis_script_result{filename=\"broken.lua\"} 0\n"
            "redis_script_result{filename=\"text.lua\"} 0\n"
            "redis_script_result{filename=\"write.lua\"} 0\n");
  ASSERT_TRUE(scrape.error);
  EXPECT_TRUE(scrape.error->message.starts_with("script broken.lua: ")) << scrape.error->message;
  EXPECT_EQ(scrape.rounds, 1);
  EXPECT_EQ(redis_cli(server, {"exists", "written"}), "0\n");

  options.is_read_only = false;
  options.max_values = 2;
  CollectorDriver writing(make_scripts(options), server.url());
  const auto second = writing.scrape();
  EXPECT_TRUE(has_line(second.samples, "redis_script_result{filename=\"write.lua\"} 1"));
  EXPECT_TRUE(has_line(second.samples, "redis_exporter_folded_series{metric=\"redis_script_values\"} 1"));
  EXPECT_EQ(redis_cli(server, {"get", "written"}), "1\n");
}

TEST(RedisScripts, RunOnceInAnInterval) {
  RedisServer server;
  ScriptsOptions options;
  options.scripts = {{"count.lua", "return {'runs', redis.call('INCR', 'runs')}"}};
  options.interval = std::chrono::hours(1);
  CollectorDriver driver(make_scripts(options), server.url());
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(has_line(driver.scrape().samples, "redis_script_values{filename=\"count.lua\",key=\"runs\"} 1"));
  EXPECT_EQ(redis_cli(server, {"get", "runs"}), "1\n");
}

}  // namespace
}  // namespace midst
