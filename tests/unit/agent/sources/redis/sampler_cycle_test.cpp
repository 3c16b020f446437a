// The sampler's walk over a key space that the test plays.
#include "agent/sources/redis/sampler/sampler_cycle.hpp"

#include "agent/sources/redis/sampler/sampler_check.hpp"
#include "agent/sources/redis/sampler/sampler_page.hpp"
#include "tests/unit/agent/sources/redis/page.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using redis::Command;
using redis::Reply;
using test::has_line;

Reply integer(std::int64_t number) {
  return {Reply::Type::integer, {}, number, {}};
}
Reply status(std::string text) {
  return {Reply::Type::status, std::move(text), 0, {}};
}
Reply error(std::string text) {
  return {Reply::Type::error, std::move(text), 0, {}};
}

struct FakeKey {
  std::string name, type = "string";
  std::int64_t bytes = 64, ttl_ms = -1, elements = 1;
  bool is_deleted = false;  ///< After SCAN has named it.
};

/// Answers as Redis does; SCAN's cursor is an index.
struct FakeServer {
  std::map<int, std::vector<FakeKey>> databases;
  std::function<std::optional<Reply>(const Command&)> refuses = [](const Command&) { return std::optional<Reply>(); };
  int selected = 0;
  std::int64_t clock = 1'700'000'000'999'990;
  std::vector<std::string> sent;

  std::vector<Reply> answer(const std::vector<Command>& commands) {
    std::vector<Reply> replies;
    for (const auto& command : commands) {
      sent.push_back(command[0]);
      if (auto refusal = refuses(command))
        replies.push_back(*refusal);
      else
        replies.push_back(one(command));
    }
    return replies;
  }

  Reply one(const Command& command) {
    if (command[0] == "SELECT") {
      selected = std::stoi(command[1]);
      return status("OK");
    }
    if (command[0] == "TIME") return time();
    if (command[0] == "SCAN") return scan(std::stoul(command[1]), std::stoul(command[3]));
    const auto& name = command[0] == "MEMORY" ? command[2] : command[1];
    const FakeKey* key = nullptr;
    for (const auto& each : databases[selected])
      if (each.name == name && !each.is_deleted) key = &each;
    if (command[0] == "MEMORY") return key != nullptr ? integer(key->bytes) : Reply{};
    if (command[0] == "TYPE") return status(key != nullptr ? key->type : "none");
    if (command[0] == "PTTL") return integer(key != nullptr ? key->ttl_ms : -2);
    return integer(key != nullptr ? key->elements : 0);
  }

  /// A clock that goes on by 7 µs whenever it is asked.
  Reply time() {
    clock += 7;
    return {Reply::Type::array,
            {},
            0,
            {{Reply::Type::string, std::to_string(clock / 1'000'000), 0, {}},
             {Reply::Type::string, std::to_string(clock % 1'000'000), 0, {}}}};
  }

  Reply scan(std::size_t from, std::size_t count) {
    const auto& keys = databases[selected];
    const auto end = std::min(keys.size(), from + count);
    Reply cursor{Reply::Type::string, end == keys.size() ? "0" : std::to_string(end), 0, {}};
    Reply names{Reply::Type::array, {}, 0, {}};
    for (auto i = from; i < end; ++i) names.elements.push_back({Reply::Type::string, keys[i].name, 0, {}});
    return {Reply::Type::array, {}, 0, {cursor, names}};
  }

  [[nodiscard]] std::vector<CycleDatabase> listed() const {
    std::vector<CycleDatabase> list;
    for (const auto& [number, keys] : databases) {
      std::uint64_t expires = 0;
      for (const auto& key : keys) expires += key.ttl_ms >= 0 ? 1 : 0;
      list.push_back({number, keys.size(), expires});
    }
    return list;
  }
};

SamplerOptions all_looked_at() {
  SamplerOptions options;
  options.is_enabled = true;
  options.sample_ratio = 1;
  options.max_big_keys = 2;
  options.big_key_min_bytes = 1000;
  options.big_key_names = true;
  return options;
}

void run_cycle(SamplerCycle& cycle, FakeServer& server, int count = 3) {
  cycle.begin(server.listed());
  for (int step = 0; cycle.is_running() && step < 10'000; ++step) {
    const auto taken = cycle.take(server.answer(cycle.next(count)));
    ASSERT_TRUE(taken) << taken.error().message;
  }
  ASSERT_FALSE(cycle.is_running());
}

std::string page(const SamplerCycle& cycle, KeyNames names = KeyNames::shown) {
  metrics::SnapshotBuilder builder;
  add_sampler(cycle, {}, names, builder);
  return test::page_of(builder);
}

FakeServer shop() {
  FakeServer server;
  for (int i = 0; i < 10; ++i) server.databases[0].push_back({"user:" + std::to_string(i), "hash", 100, -1, 3, false});
  for (int i = 0; i < 6; ++i)
    server.databases[0].push_back({"session:" + std::to_string(i), "string", 50, i < 4 ? 30'000 : 2'000'000, 1, false});
  server.databases[0].push_back({"queue:mail", "list", 9000, -1, 800, false});
  server.databases[2].push_back({"user:1", "set", 2000, -1, 900, false});
  return server;
}

TEST(SamplerCycle, CountsEveryKeyUnderItsPrefix) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  const auto text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"user:*\"} 10")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"session:*\"} 6"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"queue:*\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db2\",prefix=\"user:*\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_memory_bytes{db=\"db0\",prefix=\"user:*\"} 1000"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_memory_bytes{db=\"db0\",prefix=\"session:*\"} 300"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_type_keys{db=\"db0\",prefix=\"user:*\",type=\"hash\"} 10"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_type_keys{db=\"db2\",prefix=\"user:*\",type=\"set\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_key_sampler_keys_scanned_total 18"));
  EXPECT_TRUE(has_line(text, "redis_key_sampler_cycles_total 1"));
  EXPECT_TRUE(has_line(text, "redis_key_sampler_scan_progress_ratio 1"));
}

TEST(SamplerCycle, ShowsTimesToLiveAsAHistogramOfTheKeysThatHaveOne) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  const auto text = page(cycle);
  const std::string labels = "{db=\"db0\",prefix=\"session:*\"";
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_bucket" + labels + ",le=\"10\"} 0")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_bucket" + labels + ",le=\"60\"} 4"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_bucket" + labels + ",le=\"900\"} 4"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_bucket" + labels + ",le=\"3600\"} 6"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_count" + labels + "} 6"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_sum" + labels + "} 4120"));
  EXPECT_TRUE(has_line(text, "redis_keys_without_ttl_ratio" + labels + "} 0"));
  EXPECT_TRUE(has_line(text, "redis_keys_without_ttl_ratio{db=\"db0\",prefix=\"user:*\"} 1"));
  EXPECT_TRUE(has_line(text, "redis_keys_without_ttl_ratio{db=\"db2\",prefix=\"user:*\"} 1"));
}

TEST(SamplerCycle, FindsTheBiggestKeysByMemoryAndByElements) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  auto text = page(cycle);
  EXPECT_TRUE(
      has_line(text, "redis_big_key_memory_bytes{db=\"db0\",key=\"queue:mail\",prefix=\"queue:*\",type=\"list\"} 9000"))
      << text;
  EXPECT_TRUE(has_line(text, "redis_big_key_elements{db=\"db2\",key=\"user:1\",prefix=\"user:*\",type=\"set\"} 900"));
  EXPECT_EQ(page(cycle, KeyNames::hashed).find("queue:mail"), std::string::npos);

  server.databases[0].back().is_deleted = true;  // queue:mail; SCAN still names it
  server.databases[2][0].elements = 950;
  run_cycle(cycle, server);
  text = page(cycle);
  EXPECT_EQ(text.find("queue:mail"), std::string::npos) << text;
  EXPECT_TRUE(has_line(text, "redis_big_key_elements{db=\"db2\",key=\"user:1\",prefix=\"user:*\",type=\"set\"} 950"));
}

TEST(SamplerCycle, LooksAtKnownBigKeysAgainEvenIfTheyAreNotSampled) {
  auto options = all_looked_at();
  options.sample_ratio = 0;
  FakeServer server;
  server.databases[0] = {{"l:1", "list", 5000, -1, 100, false}};
  SamplerCycle cycle(options, 0, 1);
  run_cycle(cycle, server);  // min_samples: the first keys of a prefix are looked at
  server.databases[0][0].bytes = 7000;
  auto later = options;
  later.min_samples = 0;
  SamplerCycle blind(later, 0, 1);
  run_cycle(blind, server);
  EXPECT_TRUE(blind.by_memory().keys().empty());
  run_cycle(cycle, server);
  ASSERT_EQ(cycle.by_memory().keys().size(), 1U);
  EXPECT_EQ(cycle.by_memory().keys()[0].size, 7000U);
  server.databases[0][0].bytes = 900;
  run_cycle(cycle, server);
  EXPECT_TRUE(cycle.by_memory().keys().empty()) << "no longer big";
}

TEST(SamplerCycle, ScalesWhatItLookedAtToAllKeys) {
  auto options = all_looked_at();
  options.sample_ratio = 0;
  options.min_samples = 5;
  FakeServer server;
  for (int i = 0; i < 100; ++i) server.databases[0].push_back({"a:" + std::to_string(i), "string", 80, 5000, 1, false});
  SamplerCycle cycle(options, 0, 1);
  run_cycle(cycle, server, 10);
  const auto text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"a:*\"} 100")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_sampled_keys{db=\"db0\",prefix=\"a:*\"} 5"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_memory_bytes{db=\"db0\",prefix=\"a:*\"} 8000"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_type_keys{db=\"db0\",prefix=\"a:*\",type=\"string\"} 100"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_count{db=\"db0\",prefix=\"a:*\"} 100"));
  EXPECT_TRUE(has_line(text, "redis_key_ttl_seconds_sum{db=\"db0\",prefix=\"a:*\"} 500"));
  EXPECT_TRUE(has_line(text, "redis_key_sampler_keyspace_lookups_total 10"));
}

TEST(SamplerCycle, SamplesAboutItsShareOfTheKeys) {
  auto options = all_looked_at();
  options.sample_ratio = 0.1;
  options.min_samples = 0;
  FakeServer server;
  for (int i = 0; i < 5000; ++i) server.databases[0].push_back({"a:" + std::to_string(i)});
  SamplerCycle cycle(options, 0, 1);
  run_cycle(cycle, server, 500);
  EXPECT_NEAR(static_cast<double>(cycle.counts().looked), 500, 100);
}

TEST(SamplerCycle, EstimatesFromAPartOfTheFirstCycle) {
  FakeServer server;
  for (int i = 0; i < 100; ++i) server.databases[0].push_back({"a:" + std::to_string(i)});
  SamplerCycle cycle(all_looked_at(), 0, 1);
  EXPECT_EQ(cycle.progress(), 0);
  cycle.begin(server.listed());
  EXPECT_TRUE(cycle.rows().empty());
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(25))));
  auto text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_sampler_scan_progress_ratio 0.25")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"a:*\"} 100"));
  run_cycle(cycle, server, 50);
  cycle.begin(server.listed());
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(10))));
  text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_sampler_scan_progress_ratio 0.1"));
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"a:*\"} 100")) << "of the cycle before";
}

TEST(SamplerCycle, CountsKeysThatAreGoneWhenItLooks) {
  auto server = shop();
  for (auto& key : server.databases[0])
    if (key.name.starts_with("session")) key.is_deleted = true;
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  const auto text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_sampler_keys_vanished_total 6")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"session:*\"} 6")) << "SCAN named them";
  EXPECT_TRUE(has_line(text, "redis_key_prefix_sampled_keys{db=\"db0\",prefix=\"session:*\"} 0"));
  EXPECT_EQ(text.find("redis_key_prefix_memory_bytes{db=\"db0\",prefix=\"session"), std::string::npos);
  EXPECT_TRUE(cycle.errors().empty());
}

TEST(SamplerCycle, SelectsOnlyWhenItLeavesTheConnectionsDatabase) {
  FakeServer one;
  one.databases[0] = {{"a:1"}};
  SamplerCycle at_home(all_looked_at(), 0, 1);
  run_cycle(at_home, one);
  EXPECT_EQ(std::count(one.sent.begin(), one.sent.end(), "SELECT"), 0);

  FakeServer two;
  two.databases[0] = {{"a:1"}, {"a:2"}};
  two.databases[3] = {{"b:1"}};
  SamplerCycle away(all_looked_at(), 3, 1);
  two.selected = 3;
  run_cycle(away, two, 1);
  run_cycle(away, two, 1);
  const auto text = page(away);
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"a:*\"} 2")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db3\",prefix=\"b:*\"} 1"));
}

TEST(SamplerCycle, AsksForNoTimesToLiveWhereNothingExpires) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  EXPECT_EQ(std::count(server.sent.begin(), server.sent.end(), "PTTL"), 17) << "not for db2";
  EXPECT_EQ(std::count(server.sent.begin(), server.sent.end(), "TYPE"), 18);
}

TEST(SamplerCycle, NeverSendsWhatTheServerHasRefused) {
  auto server = shop();
  server.refuses = [](const Command& command) -> std::optional<Reply> {
    if (command[0] == "MEMORY") return error("ERR unknown command `MEMORY`, with args beginning with: ");
    if (command[0] == "PTTL") return error("NOPERM this user has no permissions to run the 'pttl' command");
    return std::nullopt;
  };
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  const auto before = server.sent.size();
  run_cycle(cycle, server);
  for (auto i = before; i < server.sent.size(); ++i)
    EXPECT_TRUE(server.sent[i] == "SCAN" || server.sent[i] == "TYPE" || server.sent[i] == "SELECT" ||
                server.sent[i] == "TIME")
        << server.sent[i];
  const auto text = page(cycle);
  EXPECT_TRUE(has_line(text, "redis_key_prefix_keys{db=\"db0\",prefix=\"user:*\"} 10")) << text;
  EXPECT_TRUE(has_line(text, "redis_key_prefix_type_keys{db=\"db0\",prefix=\"user:*\",type=\"hash\"} 10"));
  EXPECT_EQ(text.find("memory_bytes"), std::string::npos);
  EXPECT_EQ(text.find("without_ttl_ratio{db=\"db0\""), std::string::npos) << "not known is not 'never expires'";
}

TEST(SamplerCycle, EndsWhenScanIsRefusedOrMakesNoSense) {
  const std::pair<Reply, Errc> rows[] = {
      {error("NOPERM no"), Errc::noperm},
      {error("LOADING Redis is loading"), Errc::loading},
      {integer(1), Errc::protocol},
      {Reply{Reply::Type::array, {}, 0, {integer(1)}}, Errc::protocol},
      {Reply{Reply::Type::array, {}, 0, {integer(1), {Reply::Type::array, {}, 0, {}}}}, Errc::protocol}};
  for (const auto& [reply, code] : rows) {
    auto server = shop();
    server.refuses = [&, told = reply](const Command& command) -> std::optional<Reply> {
      if (command[0] == "SCAN") return told;
      return std::nullopt;
    };
    SamplerCycle cycle(all_looked_at(), 0, 1);
    cycle.begin(server.listed());
    const auto taken = cycle.take(server.answer(cycle.next(10)));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, code);
    EXPECT_FALSE(cycle.is_running());
    EXPECT_EQ(cycle.counts().cycles, 0U);
    EXPECT_TRUE(cycle.rows().empty());
  }
}

TEST(SamplerCycle, DoesALostStepAgainWithoutCountingTwice) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  cycle.begin(server.listed());
  for (int step = 0; cycle.is_running() && step < 1000; ++step) {
    const auto replies = server.answer(cycle.next(3));
    if (step % 2 == 0)
      cycle.lost(SamplerCycle::Looks::again);
    else
      ASSERT_TRUE(cycle.take(replies));
    server.selected = 0;  // the connection that comes next is a fresh one
  }
  EXPECT_EQ(cycle.counts().scanned, 18U);
  EXPECT_EQ(cycle.counts().looked, 18U);
}

TEST(SamplerCycle, LeavesOutTheKeysOfAStepWhoseReplyIsTooBig) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  cycle.begin(server.listed());
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(3))));
  EXPECT_GT(cycle.next(3).size(), 3U);
  cycle.lost(SamplerCycle::Looks::dropped);
  EXPECT_EQ(cycle.next(3).size(), 3U) << "only SCAN, between two looks at the clock";
}

TEST(SamplerCycle, CompletesAtOnceWhenThereAreNoKeys) {
  SamplerCycle cycle(all_looked_at(), 0, 1);
  cycle.begin({{0, 0, 0}});
  EXPECT_FALSE(cycle.is_running());
  EXPECT_EQ(cycle.counts().cycles, 1U);
  EXPECT_EQ(cycle.progress(), 1);
}

TEST(SamplerCycle, SamplesAtMostSixtyFourDatabases) {
  SamplerCycle cycle(all_looked_at(), 0, 1);
  std::vector<CycleDatabase> databases;
  for (int number = 0; number < 66; ++number) databases.push_back({number, 1, 0});
  cycle.begin(databases);
  EXPECT_EQ(cycle.left_out(), 2U);
  EXPECT_NE(page(cycle).find("redis_exporter_folded_series{metric=\"redis_key_prefix_keys\"} 2"), std::string::npos);
}

TEST(SamplerCycle, FoldsAWideLevelWithinTheCycleThatFindsIt) {
  auto options = all_looked_at();
  options.max_names = 5;
  FakeServer server;
  for (char name = 'a'; name < 'u'; ++name)
    server.databases[0].push_back({std::string("user:") + name + ":profile", "hash", 10, -1, 1, false});
  SamplerCycle cycle(options, 0, 1);
  run_cycle(cycle, server, 4);
  const auto rows = cycle.rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].row.id.pattern, "user:*:*");
  EXPECT_EQ(rows[0].row.totals.keys, 20U);
  EXPECT_EQ(rows[0].row.totals.memory_bytes, 200U);
}

TEST(SamplerCycle, ForgetsAServerButNotItsOwnCounts) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  cycle.forget();
  EXPECT_TRUE(cycle.rows().empty());
  EXPECT_TRUE(cycle.by_memory().keys().empty());
  EXPECT_EQ(cycle.progress(), 0);
  EXPECT_EQ(cycle.counts().scanned, 18U);
}

TEST(SamplerCycle, ReadsTheServersClockAroundEachStep) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  cycle.begin(server.listed());
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(3))));
  EXPECT_EQ(server.sent.front(), "TIME");
  EXPECT_EQ(server.sent.back(), "TIME");
  EXPECT_EQ(cycle.server_time(), std::chrono::microseconds(7)) << "also over the end of a second";
  server.refuses = [](const Command& command) -> std::optional<Reply> {
    if (command[0] == "TIME") return error("NOPERM this user has no permissions to run the 'time' command");
    return std::nullopt;
  };
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(3))));
  EXPECT_EQ(cycle.server_time(), std::nullopt);
  server.sent.clear();
  ASSERT_TRUE(cycle.take(server.answer(cycle.next(3))));
  EXPECT_EQ(std::count(server.sent.begin(), server.sent.end(), "TIME"), 0);
}

TEST(SamplerCheck, TakesNoTimeFromAClockThatMakesNoSense) {
  const auto time = [](std::string seconds, std::string rest) {
    return Reply{Reply::Type::array,
                 {},
                 0,
                 {{Reply::Type::string, std::move(seconds), 0, {}}, {Reply::Type::string, std::move(rest), 0, {}}}};
  };
  EXPECT_EQ(time_between(time("5", "999999"), time("6", "1")), std::chrono::microseconds(2));
  EXPECT_EQ(time_between(time("5", "0"), time("5", "0")), std::chrono::microseconds(0));
  EXPECT_EQ(time_between(time("5", "1"), time("5", "0")), std::nullopt) << "set back";
  EXPECT_EQ(time_between(time("5", "1"), integer(7)), std::nullopt);
  EXPECT_EQ(time_between(time("x", "1"), time("5", "0")), std::nullopt);
  EXPECT_EQ(time_between(time("0", "0"), time("9223372036854775807", "0")), std::nullopt);
  EXPECT_EQ(time_between(time("0", "0"), time("1", "1000000")), std::nullopt);
}

TEST(SamplerCheck, ReadsTheMomentOfAServer) {
  const auto moment = read_moment(
      "# Persistence\r\nloading:0\r\nasync_loading:0\r\nrdb_bgsave_in_progress:1\r\naof_rewrite_in_progress:0\r\n"
      "\r\n# Replication\r\nrole:slave\r\n\r\n# Keyspace\r\ndb0:keys=7,expires=2,avg_ttl=5\r\ndb5:keys=1,expires=0,"
      "avg_ttl=0\r\ndbx:keys=1\r\n");
  EXPECT_FALSE(moment.is_loading);
  EXPECT_TRUE(moment.is_saving);
  EXPECT_TRUE(moment.is_replica);
  ASSERT_EQ(moment.databases.size(), 2U);
  EXPECT_EQ(moment.databases[0].expires, 2U);
  EXPECT_EQ(moment.databases[1].number, 5);
  EXPECT_EQ(chosen_databases(moment, {5, 9}).size(), 1U);
  EXPECT_EQ(chosen_databases(moment, {}).size(), 2U);
}

TEST(SamplerCheck, PausesForTheServersSakeAndByRole) {
  ServerMoment moment;
  EXPECT_EQ(pause_of(moment, SamplerRole::any), std::nullopt);
  EXPECT_EQ(pause_of(moment, SamplerRole::master), std::nullopt);
  EXPECT_EQ(pause_of(moment, SamplerRole::replica), Pause::role);
  moment.is_replica = true;
  EXPECT_EQ(pause_of(moment, SamplerRole::master), Pause::role);
  EXPECT_EQ(pause_of(moment, SamplerRole::replica), std::nullopt);
  moment.is_saving = true;
  EXPECT_EQ(pause_of(moment, SamplerRole::any), Pause::saving);
  moment.is_loading = true;
  EXPECT_EQ(pause_of(moment, SamplerRole::any), Pause::loading);
}

TEST(SamplerPage, SpecifiesEveryFamilyItAdds) {
  auto server = shop();
  SamplerCycle cycle(all_looked_at(), 0, 1);
  run_cycle(cycle, server);
  SamplerStatus status;
  status.cycle_seconds = status.cycle_age_seconds = 1;
  status.errors[Errc::timeout] = 2;
  metrics::SnapshotBuilder builder;
  add_sampler(cycle, status, KeyNames::hashed, builder);
  const auto snapshot = builder.freeze();
  for (const auto& spec : sampler_specs()) {
    const auto* family = snapshot.find(spec.name);
    ASSERT_NE(family, nullptr) << spec.name;
    EXPECT_EQ(family->type, spec.type);
  }
  EXPECT_EQ(snapshot.families().size(), sampler_specs().size());
  EXPECT_EQ(snapshot.duplicate_count(), 0U);
}

}  // namespace
}  // namespace midst::sources::redis_info
