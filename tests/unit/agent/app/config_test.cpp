#include "agent/app/config.hpp"

#include "agent/sources/postgres/catalog.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

namespace midst::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

Environment variables(Environment::Variables values) {
  return values;
}

const Environment no_variables = variables({});

std::vector<std::string> problems_of(std::string_view toml, const Environment& environment = no_variables) {
  std::vector<std::string> lines;
  for (const auto& problem : parse_config(toml, "a.toml", environment).problems) lines.push_back(describe(problem));
  return lines;
}

Config good(std::string_view toml, const Environment& environment = no_variables) {
  auto parsed = parse_config(toml, "a.toml", environment);
  for (const auto& problem : parsed.problems)
    if (problem.is_error) ADD_FAILURE() << describe(problem);
  return std::move(parsed.config);
}

TEST(Config, AnEmptyFileGivesTheDefaults) {
  const auto config = good("");
  EXPECT_THAT(config.web.listen, ElementsAre("127.0.0.1:9464"));
  EXPECT_FALSE(config.web.lifecycle);
  EXPECT_FALSE(config.web.probe);
  EXPECT_EQ(config.log.level, log::Level::info);
  EXPECT_EQ(config.log.format, std::nullopt);
  EXPECT_EQ(config.scrape.timeout, 9s);
  EXPECT_EQ(config.scrape.min_interval, 1s);
  EXPECT_EQ(config.ingest.socket, "/run/midst-agent/push.sock");
  EXPECT_FALSE(config.ingest.is_socket_explicit);
  EXPECT_EQ(config.ingest.limits.max_series, 200'000);
  EXPECT_EQ(config.ingest.limits.max_series_per_client, 10'000);
  EXPECT_TRUE(config.redis.empty());
}

TEST(Config, TheShippedFileHoldsTheDefaultsAndNoProblem) {
  const auto config = good(test::read_file(MIDST_SOURCE_DIR "/configs/midst-agent.toml"));
  EXPECT_EQ(config.scrape.timeout, Config().scrape.timeout);
  EXPECT_EQ(config.scrape.min_interval, Config().scrape.min_interval);
  EXPECT_EQ(config.web.listen, Config().web.listen);
  EXPECT_EQ(config.ingest.socket, Config().ingest.socket);
  EXPECT_EQ(config.ingest.limits.max_series, Config().ingest.limits.max_series);
}

TEST(Config, TheShippedFileIsGoodWithEveryExampleLineSwitchedOn) {
  const auto text = test::read_file(MIDST_SOURCE_DIR "/configs/midst-agent.toml");
  std::istringstream lines(text);
  std::string enabled;
  for (std::string line; std::getline(lines, line);) {
    const auto body = line.starts_with("# ") ? line.substr(2) : std::string();
    const bool is_setting = body.starts_with("[") || body.find(" = ") < body.find(' ') + 1;
    enabled += (is_setting ? body : line) + "\n";
  }
  const auto parsed = parse_config(enabled, "midst-agent.toml", no_variables);
  for (const auto& key : parsed.known_keys) {
    if (key.find("password") != std::string::npos) continue;
    const auto word = key.substr(key.rfind('.') + 1);
    const bool is_shown =
        enabled.find("\n" + word + " = ") != std::string::npos || enabled.find(key + "]") != std::string::npos;
    EXPECT_TRUE(is_shown || key == "control") << key;
  }
  EXPECT_GT(parsed.known_keys.size(), 150U);
  const auto config = good(enabled);
  EXPECT_EQ(config.redis.size(), 1);
  EXPECT_EQ(config.postgres.size(), 1);
  EXPECT_EQ(config.pgbouncer.size(), 1);
  EXPECT_EQ(config.web.listeners.size(), 1);
  for (const auto& collector : sources::postgres_catalog()) {
    const std::string name(collector.name);
    EXPECT_EQ(config.postgres.front().collectors.at(name), collector.runs == sources::Default::on) << name;
    EXPECT_EQ(config.postgres.front().pace.ttl.at(name), collector.ttl) << name;
  }
  for (const auto& collector : sources::pgbouncer_catalog()) {
    const std::string name(collector.name);
    EXPECT_EQ(config.pgbouncer.front().collectors.at(name), collector.runs == sources::Default::on) << name;
    EXPECT_EQ(config.pgbouncer.front().ttl.at(name), collector.ttl) << name;
  }
}

TEST(Config, ReadsEveryTable) {
  const auto config = good(R"(
[web]
listen = ["127.0.0.1:1", "unix:/run/x.sock"]
lifecycle = true
probe = true
[[web.listener]]
listen = "127.0.0.1:9121"
view = "redis"
[log]
level = "debug"
format = "json"
[scrape]
timeout = "4500ms"
min_interval = "0s"
[[redis]]
name = "cache"
url = "redis://10.0.0.5:6380/3"
[[postgres]]
name = "db"
dsn = "host=/run/postgresql dbname=app"
statement_timeout = "5s"
lock_timeout = "20ms"
compat = "0.11"
[postgres.collectors]
settings = false
[[pgbouncer]]
dsn = "postgresql://stats@127.0.0.1:6432/pgbouncer"
[ingest]
socket = "/tmp/push.sock"
max_series = 5
max_series_per_client = 2
)");
  EXPECT_THAT(config.web.listen, ElementsAre("127.0.0.1:1", "unix:/run/x.sock"));
  EXPECT_TRUE(config.web.lifecycle);
  EXPECT_TRUE(config.web.probe);
  EXPECT_EQ(config.web.listeners.at(0).address, "127.0.0.1:9121");
  EXPECT_EQ(config.web.listeners.at(0).view, "redis");
  EXPECT_EQ(config.log.level, log::Level::debug);
  EXPECT_EQ(config.log.format, log::Format::json);
  EXPECT_EQ(config.scrape.timeout, 4500ms);
  EXPECT_EQ(config.scrape.min_interval, 0ms);
  EXPECT_EQ(config.redis.at(0).name, "cache");
  EXPECT_EQ(config.redis.at(0).uri.host, "10.0.0.5");
  EXPECT_EQ(config.redis.at(0).uri.port, 6380);
  EXPECT_EQ(config.redis.at(0).uri.database, 3);
  EXPECT_EQ(config.postgres.at(0).name, "db");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("dbname"), "app");
  EXPECT_EQ(config.postgres.at(0).pace.statement_timeout, 5s);
  EXPECT_EQ(config.postgres.at(0).pace.lock_timeout, 20ms);
  EXPECT_EQ(config.postgres.at(0).compat, sources::Compat::v0_11);
  EXPECT_THAT(config.postgres.at(0).collectors, ElementsAre(Pair("settings", false)));
  EXPECT_EQ(config.pgbouncer.at(0).conninfo.get("user"), "stats");
  EXPECT_EQ(config.ingest.socket, "/tmp/push.sock");
  EXPECT_TRUE(config.ingest.is_socket_explicit);
  EXPECT_EQ(config.ingest.limits.max_series, 5);
  EXPECT_EQ(config.ingest.limits.max_series_per_client, 2);
}

struct BadCase {
  const char* toml;
  const char* problem;
};

class BadConfig : public testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, IsReportedWithPlaceSettingAndRemedy) {
  EXPECT_THAT(problems_of(GetParam().toml), ElementsAre(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadConfig,
    testing::Values(
        BadCase{"[web]\nlisteen = []\n", "a.toml:2:1: error: unknown key web.listeen; did you mean web.listen?"},
        BadCase{"[wbe]\n", "a.toml:1:2: error: unknown key wbe; did you mean web?"},
        BadCase{"zzzzzz = 1\n", "a.toml:1:1: error: unknown key zzzzzz"},
        BadCase{"[web]\nlisten = \"127.0.0.1:1\"\n", "a.toml:2:10: error: web.listen takes a list of strings"},
        BadCase{"[web]\nlisten = [1]\n", "a.toml:2:11: error: web.listen takes a list of strings"},
        BadCase{"[web]\nprobe = \"yes\"\n", "a.toml:2:9: error: web.probe takes true or false"},
        BadCase{"[[web.listener]]\nlisten = \"127.0.0.1:1\"\nview = \"mysql\"\n",
                "a.toml:3:8: error: web.listener.view: unknown view \"mysql\"; one of redis, postgres, pgbouncer, api"},
        BadCase{"[log]\nlevel = \"loud\"\n",
                "a.toml:2:9: error: log.level: unknown level \"loud\"; one of debug, info, warn, error"},
        BadCase{"[scrape]\ntimeout = \"10ms\"\n",
                "a.toml:2:11: error: scrape.timeout = 10ms is out of range; it takes 100ms to 10m"},
        BadCase{"[scrape]\ntimeout = 9\n", "a.toml:2:11: error: scrape.timeout takes a duration like \"9s\""},
        BadCase{"[ingest]\nmax_series = 0\n",
                "a.toml:2:14: error: ingest.max_series = 0 is out of range; it takes 1 to 100000000"},
        BadCase{"[ingest]\nmax_series = -1\n",
                "a.toml:2:14: error: ingest.max_series = -1 is out of range; it takes 1 to 100000000"},
        BadCase{"[redis]\nurl = \"redis://a\"\n", "a.toml:1:1: error: redis takes one or more [[redis]] tables"},
        BadCase{"[[postgres]]\nname = \"x\"\n",
                "a.toml:1:1: error: postgres.dsn is missing; write it like \"host=/run/postgresql dbname=postgres\""},
        BadCase{
            "[[postgres]]\ndsn = \"host=a\"\n[postgres.collectors]\nsetings = false\n",
            "a.toml:4:1: error: unknown key postgres.collectors.setings; did you mean postgres.collectors.settings?"},
        BadCase{"[[redis]]\npassword = \"a\"\npassword_file = \"b\"\n",
                "a.toml:3:17: error: redis.password_file is one too many; give only one of password, password_file, "
                "password_env, password_credential"},
        BadCase{"[[redis]]\n[[redis]]\n",
                "configuration: error: two [[redis]] targets are called \"main\"; give each its own name"},
        BadCase{"[[redis]]\nlabel = \"often\"\n",
                "a.toml:2:9: error: redis.label: unknown value \"often\"; one of auto, always, never"}));

TEST(Config, ReportsEveryProblemAtOnce) {
  EXPECT_EQ(problems_of("[web]\nprobe = 1\nx = 2\n[log]\nlevel = \"a\"\n").size(), 3);
}

TEST(Config, ASingleTargetCarriesNoLabelAndASecondOneLabelsBoth) {
  EXPECT_TRUE(good("[[redis]]\n").redis.at(0).constant_labels.empty());
  const auto two = good("[[redis]]\nname = \"a\"\n[[redis]]\nname = \"b\"\n[[pgbouncer]]\ndsn = \"host=x\"\n");
  EXPECT_THAT(two.redis.at(0).constant_labels, ElementsAre(Pair("target", "a")));
  EXPECT_THAT(two.redis.at(1).constant_labels, ElementsAre(Pair("target", "b")));
  EXPECT_TRUE(two.pgbouncer.at(0).constant_labels.empty());
}

TEST(Config, LabelAlwaysAndNeverOverrideTheRule) {
  EXPECT_THAT(good("[[redis]]\nlabel = \"always\"\n").redis.at(0).constant_labels, ElementsAre(Pair("target", "main")));
  EXPECT_TRUE(good("[[redis]]\nname = \"a\"\nlabel = \"never\"\n[[redis]]\nname = \"b\"\n")
                  .redis.at(0)
                  .constant_labels.empty());
}

TEST(Config, APasswordInTheFileNeverAppearsInAProblem) {
  const auto lines = problems_of(
      "[[redis]]\nurl = \"redis://user:canary@host:99999/\"\n[[postgres]]\ndsn = \"host=a password=canary "
      "nonsense\"\n");
  ASSERT_EQ(lines.size(), 2);
  for (const auto& line : lines) EXPECT_EQ(line.find("canary"), std::string::npos) << line;
}

TEST(Config, ReadsThePasswordFileAtEachLogin) {
  const test::TempDir folder;
  const auto file = folder.path() / "password";
  std::ofstream(file) << "first\n";
  const auto config = good("[[redis]]\nusername = \"app\"\npassword_file = \"" + file.string() +
                           "\"\n[[postgres]]\ndsn = \"host=a\"\n"
                           "password_file = \"" +
                           file.string() + "\"\n");
  EXPECT_EQ(config.redis.at(0).login()->password, "first");
  EXPECT_EQ(config.redis.at(0).login()->username, "app");
  EXPECT_EQ(*config.postgres.at(0).password(), "first");
  std::ofstream(file) << "second";
  EXPECT_EQ(config.redis.at(0).login()->password, "second");
  EXPECT_EQ(*config.postgres.at(0).password(), "second");
}

TEST(Config, AUsernameGoesWithThePasswordOfTheUrl) {
  const auto config = good("[[redis]]\nurl = \"redis://old:pw@h:1\"\nusername = \"new\"\n");
  EXPECT_EQ(config.redis.at(0).login()->username, "new");
  EXPECT_EQ(config.redis.at(0).login()->password, "pw");
}

TEST(Config, VariablesOverrideScalarsOfTheFile) {
  const auto config =
      good("[scrape]\ntimeout = \"5s\"\n", variables({{"MIDST_AGENT_WEB_LISTEN", "127.0.0.1:1, [::1]:2"},
                                                      {"MIDST_AGENT_SCRAPE_TIMEOUT", "3s"},
                                                      {"MIDST_AGENT_LOG_FORMAT", "json"},
                                                      {"MIDST_AGENT_INGEST_SOCKET", "/tmp/p.sock"}}));
  EXPECT_THAT(config.web.listen, ElementsAre("127.0.0.1:1", "[::1]:2"));
  EXPECT_EQ(config.scrape.timeout, 3s);
  EXPECT_EQ(config.log.format, log::Format::json);
  EXPECT_EQ(config.ingest.socket, "/tmp/p.sock");
  EXPECT_TRUE(config.ingest.is_socket_explicit);
}

TEST(Config, VariablesOverrideAnyValueOfATableThatThereIsOneOf) {
  const auto config = good("[ingest.statsd]\nbuckets = [1, 2]\n[web]\nprobe = true\n",
                           variables({{"MIDST_AGENT_INGEST_STATSD_BUCKETS", "0.5,1,2.5"},
                                      {"MIDST_AGENT_INGEST_STATSD_MAX_BYTES", "16MiB"},
                                      {"MIDST_AGENT_INGEST_MAX_SERIES", "77"},
                                      {"MIDST_AGENT_INGEST_ALLOW_USERS", "root, 65534"},
                                      {"MIDST_AGENT_WEB_PROBE", "false"},
                                      {"MIDST_AGENT_CONTROL_SOCKET", ""}}));
  EXPECT_THAT(config.ingest.statsd.options.resolve.bounds, ElementsAre(0.5, 1, 2.5));
  EXPECT_EQ(config.ingest.statsd.options.max_memo_bytes, 8U << 20);
  EXPECT_EQ(config.ingest.limits.max_series, 77U);
  EXPECT_THAT(config.ingest.allow_users, ElementsAre("root", "65534"));
  EXPECT_FALSE(config.web.probe);
  EXPECT_EQ(config.control_socket, "");
}

TEST(Config, ABadVariableIsNamed) {
  EXPECT_THAT(problems_of("", variables({{"MIDST_AGENT_WEB_PROBE", "1"}})),
              ElementsAre("MIDST_AGENT_WEB_PROBE: error: web.probe takes true or false"));
  EXPECT_THAT(
      problems_of("", variables({{"MIDST_AGENT_SCRAPE_TIMEOUT", "1ms"}})),
      ElementsAre("MIDST_AGENT_SCRAPE_TIMEOUT: error: scrape.timeout = 1ms is out of range; it takes 100ms to 10m"));
}

TEST(Config, AVariableThatSetsNothingIsSaid) {
  EXPECT_THAT(problems_of("", variables({{"MIDST_AGENT_WEB_LISTN", "1"}, {"MIDST_AGENT_OPTS", ""}})),
              ElementsAre("MIDST_AGENT_WEB_LISTN: warning: sets nothing; did you mean MIDST_AGENT_WEB_LISTEN?"));
}

std::size_t print_of(std::string_view toml, const std::string& target) {
  return good(toml).fingerprints.at(target);
}

TEST(Config, ATargetsFingerprintDiffersWhenAnythingOfItDoes) {
  const std::string_view plain = "[[redis]]\nurl = \"redis://h:1\"\n[redis.limits]\nmax_labels = 5\n";
  EXPECT_EQ(print_of(plain, "redis.main"),
            print_of("# said\n[[redis]]\n\nurl = 'redis://h:1'\n[redis.limits]\nmax_labels = 5\n", "redis.main"));
  EXPECT_NE(print_of(plain, "redis.main"),
            print_of("[[redis]]\nurl = \"redis://h:1\"\n[redis.limits]\nmax_labels = 6\n", "redis.main"));
  EXPECT_NE(print_of(plain, "redis.main"), print_of(std::string(plain) + "[[redis]]\nname = \"b\"\n", "redis.main"))
      << "a second one gives it a label";
}

TEST(Config, ATargetsFingerprintDiffersWithAFileThatItNames) {
  const test::TempDir folder;
  const auto path = std::filesystem::path(folder.path()) / "password";
  const auto toml = "[[redis]]\nurl = \"redis://h:1\"\npassword_file = \"" + path.string() + "\"\n";
  std::ofstream(path) << "a";
  const auto before = print_of(toml, "redis.main");
  EXPECT_EQ(print_of(toml, "redis.main"), before);
  std::ofstream(path) << "b";
  EXPECT_NE(print_of(toml, "redis.main"), before);
}

TEST(Config, WhatWasGivenIsKeptWithoutSecrets) {
  const auto given = good(
                         "[[redis]]\nurl = \"redis://u:c4n4ry@h:1\"\n[redis.limits]\nmax_labels = 5\n"
                         "[[redis]]\nname = \"b\"\npassword = \"c4n4ry\"\n"
                         "[[postgres]]\ndsn = \"host=h password=c4n4ry\"\n[web]\nlisten = [\"127.0.0.1:1\"]\n",
                         variables({{"MIDST_AGENT_WEB_LISTEN", ":2"}, {"MIDST_AGENT_WEB_PROBE", "true"}}))
                         .given;
  std::string all;
  for (const auto& table : given) {
    all += (table.is_item ? "[[" + table.name + "]]" : "[" + table.name + "]") + "\n";
    for (const auto& [key, value] : table.values) all += key + " = " + value + "\n";
  }
  EXPECT_EQ(all,
            "[web]\nlisten = [ ':2' ]\nprobe = true\n[[redis]]\nurl = 'redis://h:1/0'\n"
            "[redis.limits]\nmax_labels = 5\n[[redis]]\nname = 'b'\npassword = \"(secret)\"\n"
            "[[postgres]]\ndsn = 'host=h'\n");
}

TEST(Config, TheExportersVariablesMakeTargetsWhenTheFileHasNone) {
  const auto environment = variables({{"REDIS_ADDR", "redis://r:1"},
                                      {"DATA_SOURCE_URI", "h:2/d?sslmode=disable"},
                                      {"DATA_SOURCE_USER", "me"},
                                      {"PGBOUNCER_EXPORTER_CONNECTION_STRING", "postgres://p@b:3/pgbouncer"}});
  const auto config = good("", environment);
  EXPECT_EQ(config.redis.at(0).uri.host, "r");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("host"), "h");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("user"), "me");
  EXPECT_EQ(config.pgbouncer.at(0).conninfo.get("port"), "3");
  const auto with_file = good("[[redis]]\nurl = \"redis://file:9\"\n", environment);
  ASSERT_EQ(with_file.redis.size(), 1);
  EXPECT_EQ(with_file.redis.at(0).uri.host, "file");
}

TEST(Config, AListOfDataSourcesMakesATargetOfEach) {
  const auto config =
      good("", variables({{"DATA_SOURCE_NAME", "host=i,j user=you,postgresql://me:a,b@h:1/x,postgresql://h:1/y"}}));
  ASSERT_EQ(config.postgres.size(), 3);
  EXPECT_EQ(config.postgres.at(1).name, "h:1");
  EXPECT_EQ(config.postgres.at(1).conninfo.get("password"), "a,b");
  EXPECT_EQ(config.postgres.at(2).name, "h:1/y");
  EXPECT_EQ(config.postgres.at(0).name, "i:5432");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("host"), "i,j");
  EXPECT_THAT(config.postgres.at(2).constant_labels, ElementsAre(testing::Pair("target", "h:1/y")));
}

TEST(Config, UserAndDataSourceMayComeFromFiles) {
  const test::TempDir folder;
  std::ofstream(folder.path() / "uri") << "h:2/d\n";
  std::ofstream(folder.path() / "user") << "me\n";
  const auto config = good("", variables({{"DATA_SOURCE_URI_FILE", (folder.path() / "uri").string()},
                                          {"DATA_SOURCE_USER_FILE", (folder.path() / "user").string()},
                                          {"DATA_SOURCE_USER", "not me"}}));
  EXPECT_EQ(config.postgres.at(0).conninfo.get("host"), "h");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("dbname"), "d");
  EXPECT_EQ(config.postgres.at(0).conninfo.get("user"), "me");
}

TEST(Config, LoadsTheFragmentsBesideTheFileInNameOrder) {
  const test::TempDir folder;
  std::ofstream(folder.path() / "midst-agent.toml") << "[[redis]]\nname = \"one\"\n";
  std::filesystem::create_directory(folder.path() / "conf.d");
  std::ofstream(folder.path() / "conf.d" / "20.toml") << "[[redis]]\nname = \"three\"\n[web]\nprobe = 1\n";
  std::ofstream(folder.path() / "conf.d" / "10.toml") << "[[redis]]\nname = \"two\"\n";
  std::ofstream(folder.path() / "conf.d" / "notes.txt") << "not read";
  const auto parsed = load_config((folder.path() / "midst-agent.toml").string(), no_variables);
  ASSERT_EQ(parsed.config.redis.size(), 3);
  EXPECT_EQ(parsed.config.redis[1].name, "two");
  EXPECT_EQ(parsed.config.redis[2].name, "three");
  ASSERT_EQ(parsed.problems.size(), 1);
  EXPECT_EQ(parsed.problems[0].place, (folder.path() / "conf.d" / "20.toml").string() + ":4:9");
}

TEST(RedisConfig, TakesThePasswordFileOfTheExporter) {
  test::TempDir directory;
  const auto path = directory.path() / "passwords.json";
  std::ofstream(path)
      << R"({"redis://cache:6379": "one", "redis://ann@127.0.0.1:7000": "two", "redis://127.0.0.1:7000": "three"})";
  const auto password = [&](std::string address, std::string user) {
    std::map<std::string, std::string, std::less<>> values{{"REDIS_ADDR", std::move(address)},
                                                           {"REDIS_PASSWORD_FILE", path.string()}};
    if (!user.empty()) values.emplace("REDIS_USER", user);
    const auto config = good("", variables(values));
    const auto login = config.redis.at(0).login();
    return login ? login->username + ":" + login->password : describe(login.error());
  };
  EXPECT_EQ(password("redis://cache:6379/2", ""), ":one");
  EXPECT_EQ(password("127.0.0.1:7000", "ann"), "ann:two");
  EXPECT_EQ(password("127.0.0.1:7000", "bob"), "bob:three");
  EXPECT_EQ(password("elsewhere:6379", ""), ":");
  std::ofstream(path) << "{oops";
  EXPECT_EQ(password("cache:6379", ""), "config: the file in REDIS_PASSWORD_FILE begins like JSON and is none");
  std::ofstream(path) << "plain\n";
  EXPECT_EQ(password("cache:6379", "ann"), "ann:plain");
}

TEST(RedisConfig, ReadsEverySettingOfATarget) {
  const auto config = good(R"(
[[redis]]
url = "rediss://127.0.0.1:7000/3"
client_name = "me"
config_command = "CFG"
config_interval = "2m"
namespace = "cache"
profile = "vitals"
instance_role_label = true
ping = true
probe_interval = "10m"
retry_refused_after = "30s"
empty_databases = false
[redis.tls]
ca_file = "/ca"
cert_file = "/cert"
key_file = "/key"
server_name = "name"
skip_verify = true
[redis.collectors]
latency = false
acl_log = true
[redis.limits]
max_reply_bytes = "1MiB"
max_errors = 5
[redis.keys]
check = ["db1=a*", "b%2C"]
single = ["s*"]
count = ["*"]
values = true
missing = "omit"
role = "replica"
interval = "1m"
[redis.clients]
max_groups = 7
network_bits_ipv4 = 24
[redis.sampler]
databases = [0, 3]
duty_cycle = 0.05
big_key_min_size = "1MiB"
role = "master"
[redis.info]
extra_fields = ["stats:*"]
)");
  const auto& redis = config.redis.at(0);
  EXPECT_EQ(redis.connection.client_name, "me");
  EXPECT_EQ(redis.settings.command, "CFG");
  EXPECT_EQ(redis.settings.interval, 120s);
  EXPECT_EQ(redis.metric_namespace, "cache");
  EXPECT_EQ(redis.profile, sources::RedisProfile::vitals);
  EXPECT_TRUE(redis.has_instance_role);
  EXPECT_TRUE(redis.has_ping);
  EXPECT_EQ(redis.probe_interval, 10min);
  EXPECT_EQ(redis.retry_refused_after, 30s);
  EXPECT_FALSE(redis.has_zero_databases);
  EXPECT_EQ(redis.connection.tls.ca_file, "/ca");
  EXPECT_EQ(redis.connection.tls.key_file, "/key");
  EXPECT_TRUE(redis.connection.tls.skip_verify);
  EXPECT_THAT(redis.collectors, ElementsAre(Pair("acl_log", true), Pair("latency", false)));
  EXPECT_EQ(redis.connection.max_reply_bytes, 1024U * 1024U);
  EXPECT_EQ(redis.max_error_labels, 5U);
  ASSERT_EQ(redis.keys.check.size(), 2U);
  EXPECT_EQ(redis.keys.check[0].database, 1);
  EXPECT_EQ(redis.keys.check[1].key, "b,");
  EXPECT_FALSE(redis.keys.has_zero_for_missing);
  EXPECT_EQ(redis.keys.pace.roles, sources::redis_info::KeyRoles::replica);
  EXPECT_EQ(redis.keys.pace.interval, 1min);
  EXPECT_EQ(redis.clients.network_bits_ipv4, 24);
  EXPECT_THAT(redis.sampler.databases, ElementsAre(0, 3));
  EXPECT_EQ(redis.sampler.duty_cycle, 0.05);
  EXPECT_EQ(redis.sampler.big_key_min_bytes, 1024U * 1024U);
  EXPECT_THAT(redis.extra_fields, ElementsAre("stats:*"));
}

TEST(RedisConfig, NamesThePlaceOfEveryMistake) {
  EXPECT_THAT(
      problems_of("[[redis]]\nurl = \"rediss://h\"\n[redis.tls]\ncert_file = \"/c\"\n"),
      ElementsAre("a.toml:4:13: error: redis.tls.cert_file and redis.tls.key_file belong together; give both or none"));
  EXPECT_THAT(problems_of("[[redis]]\n[redis.keys]\ncheck = [\"a\", \"x=y\"]\n"),
              ElementsAre(testing::StartsWith("a.toml:3:15: error: redis.keys.check: ")));
  EXPECT_THAT(
      problems_of("[[redis]]\n[redis.collectors]\nslowlok = true\n"),
      ElementsAre("a.toml:3:1: error: unknown key redis.collectors.slowlok; did you mean redis.collectors.slowlog?"));
  EXPECT_THAT(
      problems_of("[[redis]]\nurl = \"redis://h\"\n[redis.tls]\nca_file = \"/ca\"\n"),
      ElementsAre("a.toml:3:1: error: redis.tls is for a URL with TLS; write rediss:// or valkeys:// in redis.url"));
  EXPECT_THAT(problems_of("[[redis]]\nnamespace = \"a-b\"\n"),
              ElementsAre("a.toml:2:13: error: redis.namespace: takes letters, digits and '_', and no digit first"));
  EXPECT_THAT(
      problems_of("[[redis]]\n[redis.sampler]\nduty_cycle = 2\ndatabases = [-1]\n"),
      ElementsAre("a.toml:3:14: error: redis.sampler.duty_cycle = 2 is out of range; it takes 0.0001 to 0.5",
                  "a.toml:4:14: error: redis.sampler.databases takes a list of whole numbers from 0 to 1000000"));
}

}  // namespace
}  // namespace midst::app
