#include "api/app/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace midst::api {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Environment environment(std::map<std::string, std::string> variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

LoadedConfig parse(std::string_view text, std::map<std::string, std::string> variables = {}) {
  return parse_config(text, "api.toml", environment(std::move(variables)));
}

TEST(ApiConfig, HasTheDocumentedDefaults) {
  const auto loaded = default_config(environment({}));
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.listen, "127.0.0.1:3001");
  EXPECT_EQ(loaded.config.push_socket, "/run/midst-agent/push.sock");
  EXPECT_EQ(loaded.config.database_url, "");
  EXPECT_EQ(loaded.config.redis_url, "");
  EXPECT_EQ(loaded.config.environment, "development");
}

TEST(ApiConfig, TakesTheFileAndLetsTheEnvironmentWin) {
  const auto loaded = parse(
      "environment = \"staging\"\n[http]\nlisten = \"127.0.0.1:1\"\nbody_limit = \"1KiB\"\n"
      "[database]\nurl = \"host=a\"\npool_size = 3\nprepared_statements = true\n[cache]\nredis_url = \"redis://a\"\n"
      "command_timeout = \"100ms\"\n[push]\nsocket = \"/a\"\ninterval = \"2s\"\n[log]\nlevel = \"warn\"\n",
      {{"API_LISTEN", "127.0.0.1:2"}, {"REDIS_URL", "redis://b"}, {"LOG_LEVEL", "debug"}, {"MIDST_PUSH_SOCKET", "/b"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.environment, "staging");
  EXPECT_EQ(loaded.config.listen, "127.0.0.1:2");
  EXPECT_EQ(loaded.config.requests.body_bytes, 1024U);
  EXPECT_EQ(loaded.config.database_url, "host=a");
  EXPECT_EQ(loaded.config.database.pool.size, 3U);
  EXPECT_EQ(loaded.config.database.statements, DatabaseOptions::Statements::prepared);
  EXPECT_EQ(loaded.config.redis_url, "redis://b");
  EXPECT_EQ(loaded.config.cache.command_timeout, 100ms);
  EXPECT_EQ(loaded.config.push_socket, "/b");
  EXPECT_EQ(loaded.config.push_interval, 2s);
  EXPECT_EQ(loaded.config.log_level, log::Level::debug);
}

TEST(ApiConfig, TakesAnEmptyVariableAsUnset) {
  const auto loaded = parse("[http]\nlisten = \"127.0.0.1:1\"\n", {{"API_LISTEN", ""}, {"DATABASE_URL", ""}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.listen, "127.0.0.1:1");
}

TEST(ApiConfig, NamesEveryFaultWithItsPlace) {
  const auto loaded =
      parse("[http]\nlisen = \"x\"\nbody_limit = 7\n[database]\npool_size = 0\n\n[cache]\n  redis_url = \"http://x\"\n",
            {{"LOG_LEVEL", "loud"}});
  ASSERT_EQ(loaded.errors.size(), 5U) << testing::PrintToString(loaded.errors);
  std::string all;
  for (const auto& error : loaded.errors) all += error + "\n";
  EXPECT_NE(all.find("api.toml:2:1: error: unknown key http.lisen; did you mean http.listen?\n"), std::string::npos)
      << all;
  EXPECT_NE(all.find("api.toml:3:14: error: http.body_limit: must be a string\n"), std::string::npos) << all;
  EXPECT_NE(all.find("api.toml:5:13: error: database.pool_size: must be an integer from 1 to 500\n"), std::string::npos)
      << all;
  EXPECT_NE(all.find("api.toml:8:15: error: cache.redis_url: "), std::string::npos) << all;
  EXPECT_NE(all.find("LOG_LEVEL: error: unknown level"), std::string::npos) << all;
}

TEST(ApiConfig, NamesThePlaceWhereTomlBreaks) {
  const auto loaded = parse("[http]\nlisten = \n");
  ASSERT_EQ(loaded.errors.size(), 1U);
  EXPECT_EQ(loaded.errors[0].find("api.toml:2:10: error: "), 0U) << loaded.errors[0];
}

TEST(ApiConfig, RefusesTablesThatAreNotKnown) {
  const auto loaded = parse("[databse]\nurl = \"host=a\"\n");
  EXPECT_THAT(loaded.errors, ElementsAre("api.toml:2:1: error: unknown key databse.url; did you mean database.url?"));
}

TEST(ApiConfig, DoesNotStartInProductionWithoutASecret) {
  const auto loaded = parse("", {{"MIDST_ENV", "production"}});
  EXPECT_THAT(loaded.errors, ElementsAre("JWT_SECRET: error: production needs a secret of at least 32 bytes; set "
                                         "JWT_SECRET or auth.jwt_secret"));
  const std::string secret(32, 's');
  EXPECT_THAT(parse("", {{"MIDST_ENV", "production"}, {"JWT_SECRET", secret}}).errors, IsEmpty());
  EXPECT_THAT(parse("", {{"JWT_SECRET", std::string(31, 's')}}).errors,
              ElementsAre("JWT_SECRET: error: must have at least 32 bytes"));
}

TEST(ApiConfig, NeverRepeatsASecret) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"DATABASE_URL", "postgresql://u:hunter2@[bad"},
                                                                      {"REDIS_URL", "http://u:hunter2@host"},
                                                                      {"JWT_SECRET", "hunter2"}}) {
    const auto loaded = parse("", {{name, value}});
    ASSERT_EQ(loaded.errors.size(), 1U) << name;
    EXPECT_EQ(loaded.errors[0].find("hunter2"), std::string::npos) << loaded.errors[0];
  }
}

TEST(ApiConfig, IsWholeInTheExampleFileWhichSetsTheDefaults) {
  std::ifstream file(MIDST_SOURCE_DIR "/configs/midst-api.toml");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_THAT(parse(text).errors, IsEmpty());
  // Every key is there, in the order of the table, and takes the value that it has without the file.
  std::vector<std::string> keys;
  std::string table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) table = line.substr(1, line.find(']') - 1) + ".";
    if (line.empty() || line[0] == '#' || line[0] == '[') continue;
    keys.push_back(table + line.substr(0, line.find(' ')));
  }
  EXPECT_EQ(keys, all_keys());
  const auto from_file = parse(text).config;
  const Config plain;
  EXPECT_EQ(from_file.max_connections, plain.max_connections);
  EXPECT_EQ(from_file.requests.body_bytes, plain.requests.body_bytes);
  EXPECT_EQ(from_file.requests.request_timeout, plain.requests.request_timeout);
  EXPECT_EQ(from_file.drain_timeout, plain.drain_timeout);
  EXPECT_EQ(from_file.database.pool.size, plain.database.pool.size);
  EXPECT_EQ(from_file.database.pool.max_waiting, plain.database.pool.max_waiting);
  EXPECT_EQ(from_file.database.pool.acquire_timeout, plain.database.pool.acquire_timeout);
  EXPECT_EQ(from_file.migrate_timeout, plain.migrate_timeout);
  EXPECT_EQ(from_file.memory_profiles, plain.memory_profiles);
  EXPECT_EQ(from_file.cache.command_timeout, plain.cache.command_timeout);
  EXPECT_EQ(from_file.cache.retry_interval, plain.cache.retry_interval);
  EXPECT_EQ(from_file.cache.fallback.entries, plain.cache.fallback.entries);
  EXPECT_EQ(from_file.cache.fallback.bytes, plain.cache.fallback.bytes);
  EXPECT_EQ(from_file.push_socket, plain.push_socket);
  EXPECT_EQ(from_file.push_interval, plain.push_interval);
  EXPECT_EQ(from_file.listen, plain.listen);
}

}  // namespace
}  // namespace midst::api
