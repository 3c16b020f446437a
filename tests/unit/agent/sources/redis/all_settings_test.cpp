#include "agent/sources/redis/commands/all_settings.hpp"

#include "tests/unit/agent/sources/redis/canned.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

using test::bulk;
using test::Canned;
using test::has_line;

std::string settings(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string wire = "*" + std::to_string(2 * pairs.size()) + "\r\n";
  for (const auto& [name, value] : pairs) wire += bulk(name) + bulk(value);
  return wire;
}

TEST(RedisAllSettings, AreShownAsTextAndAsNumber) {
  Canned server(make_all_settings({}));
  server.answer("CONFIG GET *", settings({{"maxmemory", "1024"}, {"save", "3600 1 300 100"}, {"appendonly", "no"}}));
  EXPECT_EQ(server.scrape(),
            "redis_config_key_value{key=\"maxmemory\",value=\"1024\"} 1\n"
            "redis_config_key_value{key=\"save\",value=\"3600 1 300 100\"} 1\n"
            "redis_config_key_value{key=\"appendonly\",value=\"no\"} 1\n"
            "redis_config_value{key=\"maxmemory\"} 1024\n");
}

TEST(RedisAllSettings, LeaveOutEverythingThatMayBeSecret) {
  const std::vector<std::pair<std::string, std::string>> secret{
      {"requirepass", "1"}, {"masterauth", "1"},   {"tls-key-file-pass", "1"}, {"tls-client-key-file-pass", "1"},
      {"masteruser", "1"},  {"primaryauth", "1"},  {"sentinel-pass", "1"},     {"sentinel-user", "1"},
      {"X-PASSWORD", "1"},  {"my-SECRET-key", "1"}};
  Canned server(make_all_settings({}));
  server.answer("CONFIG GET *", settings(secret));
  EXPECT_EQ(server.scrape(), "");
  server.wait(std::chrono::seconds(60));
  server.answer("CONFIG GET *", settings({{"tls-auth-clients", "yes"}}));
  EXPECT_EQ(server.scrape(), "redis_config_key_value{key=\"tls-auth-clients\",value=\"yes\"} 1\n");
  for (const auto* name : {"lazyfree-lazy-user-del", "lazyfree-lazy-user-flush"})
    EXPECT_FALSE(is_redacted(name, AllSettingsOptions{})) << name;
}

TEST(RedisAllSettings, NeverShowPasswordsEvenUnredacted) {
  AllSettingsOptions options;
  options.redact = false;
  for (const auto* name : {"requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass", "a-secret"})
    EXPECT_TRUE(is_redacted(name, options)) << name;
  for (const auto* name : {"masteruser", "tls-auth-clients", "maxmemory"}) EXPECT_FALSE(is_redacted(name, options));
  options.redact = true;
  EXPECT_TRUE(is_redacted("masteruser", options));
  options.redacted_words = {"Memory", ""};
  EXPECT_TRUE(is_redacted("maxmemory", options));
  EXPECT_FALSE(is_redacted("masteruser", options));
  EXPECT_TRUE(is_redacted("requirepass", options));
}

TEST(RedisAllSettings, EndAtTheirLimits) {
  AllSettingsOptions options;
  options.max_settings = 2;
  options.max_value_bytes = 4;
  Canned server(make_all_settings(options));
  server.answer("CONFIG GET *", settings({{"a", "1234"}, {"b", "12345"}}));
  EXPECT_EQ(server.scrape(),
            "redis_config_key_value{key=\"a\",value=\"1234\"} 1\nredis_config_value{key=\"a\"} 1234\n"
            "redis_config_value{key=\"b\"} 12345\nredis_exporter_folded_series{metric=\"redis_config_key_value\"} 1\n");
  server.wait(std::chrono::seconds(60));
  server.answer("CONFIG GET *", settings({{"a", "x"}, {"b", "x"}, {"c", "x"}}));
  const auto page = server.scrape();
  EXPECT_EQ(page.find("key=\"c\""), std::string::npos);
  EXPECT_TRUE(has_line(page, "redis_exporter_folded_series{metric=\"redis_config_key_value\"} 1"));
}

TEST(RedisAllSettings, AreAskedForOnceAMinuteByTheNameTheCommandHas) {
  AllSettingsOptions options;
  options.config_command = "CFG";
  Canned server(make_all_settings(options));
  server.answer("CFG GET *", settings({{"a", "x"}}));
  const auto first = server.scrape();
  EXPECT_EQ(server.asked, std::vector<std::string>{"CFG GET *"});
  server.wait(std::chrono::seconds(59));
  EXPECT_EQ(server.scrape(), first);
  EXPECT_TRUE(server.asked.empty());
  server.collector().forget();
  server.answer("CFG GET *", "-NOPERM no\r\n");
  EXPECT_EQ(server.scrape(), "");
  EXPECT_EQ(server.error->code, Errc::noperm);
}

}  // namespace
}  // namespace midst::sources::redis_info
