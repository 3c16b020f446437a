#include "lib/redis/uri.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace midst::redis {
namespace {

struct Accepted {
  std::string text, host;
  int port;
  std::string unix_path;
  bool has_tls;
  std::string username, password;
  int database;
  std::string redacted;
};

TEST(RedisUri, ReadsEveryAcceptedForm) {
  const std::vector<Accepted> cases{
      {"redis://", "localhost", 6379, "", false, "", "", 0, "redis://localhost:6379/0"},
      {"redis://h", "h", 6379, "", false, "", "", 0, "redis://h:6379/0"},
      {"redis://h:7000/3", "h", 7000, "", false, "", "", 3, "redis://h:7000/3"},
      {"redis://h/", "h", 6379, "", false, "", "", 0, "redis://h:6379/0"},
      {"REDIS://h", "h", 6379, "", false, "", "", 0, "redis://h:6379/0"},
      {"valkey://h", "h", 6379, "", false, "", "", 0, "redis://h:6379/0"},
      {"tcp://h:1", "h", 1, "", false, "", "", 0, "redis://h:1/0"},
      {"rediss://h:65535", "h", 65535, "", true, "", "", 0, "rediss://h:65535/0"},
      {"valkeys://h", "h", 6379, "", true, "", "", 0, "rediss://h:6379/0"},
      {"redis://:secret@h", "h", 6379, "", false, "", "secret", 0, "redis://h:6379/0"},
      {"redis://me:secret@h:1/2", "h", 1, "", false, "me", "secret", 2, "redis://h:1/2"},
      {"redis://me@h", "h", 6379, "", false, "me", "", 0, "redis://h:6379/0"},
      {"redis://me:p%40ss%2Fw%3Aord@h", "h", 6379, "", false, "me", "p@ss/w:ord", 0, "redis://h:6379/0"},
      {"redis://me:p@ss@h", "h", 6379, "", false, "me", "p@ss", 0, "redis://h:6379/0"},
      {"redis://[2a00::200e]:7000/1", "2a00::200e", 7000, "", false, "", "", 1, "redis://[2a00::200e]:7000/1"},
      {"redis://[::1]", "::1", 6379, "", false, "", "", 0, "redis://[::1]:6379/0"},
      {"redis://h?db=4", "h", 6379, "", false, "", "", 4, "redis://h:6379/4"},
      {"h", "h", 6379, "", false, "", "", 0, "redis://h:6379/0"},
      {"h:7000", "h", 7000, "", false, "", "", 0, "redis://h:7000/0"},
      {"127.0.0.1:7000", "127.0.0.1", 7000, "", false, "", "", 0, "redis://127.0.0.1:7000/0"},
      {"/run/redis.sock", "localhost", 6379, "/run/redis.sock", false, "", "", 0, "unix:///run/redis.sock"},
      {"unix:///run/redis.sock", "localhost", 6379, "/run/redis.sock", false, "", "", 0, "unix:///run/redis.sock"},
      {"unix:/run/redis.sock", "localhost", 6379, "/run/redis.sock", false, "", "", 0, "unix:///run/redis.sock"},
      {"unix:///a%20b?db=2", "localhost", 6379, "/a b", false, "", "", 2, "unix:///a b"},
      {"unix://me:secret@/s", "localhost", 6379, "/s", false, "me", "secret", 0, "unix:///s"},
  };
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.text);
    const auto uri = parse_uri(expected.text);
    ASSERT_TRUE(uri) << uri.error().message;
    EXPECT_EQ(uri->host, expected.host);
    EXPECT_EQ(uri->port, expected.port);
    EXPECT_EQ(uri->unix_path, expected.unix_path);
    EXPECT_EQ(uri->has_tls, expected.has_tls);
    EXPECT_EQ(uri->username, expected.username);
    EXPECT_EQ(uri->password, expected.password);
    EXPECT_EQ(uri->database, expected.database);
    EXPECT_EQ(uri->redacted(), expected.redacted);
  }
}

TEST(RedisUri, NamesTheWrongPartAndNeverItsText) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "it is empty"},
      {"http://h", "the scheme is none of redis, rediss, valkey, valkeys, tcp, unix"},
      {"redis://h:0", "the port is not a number from 1 to 65535"},
      {"redis://h:65536", "the port is not a number from 1 to 65535"},
      {"redis://h:", "the port is not a number from 1 to 65535"},
      {"redis://me:secret/word@h", "the port is not a number from 1 to 65535"},
      {"redis://h/-1", "the database is not a number from 0"},
      {"redis://h/x", "the database is not a number from 0"},
      {"redis://h/2147483648", "the database is not a number from 0"},
      {"redis://h?db=", "the database is not a number from 0"},
      {"redis://h?timeout=1s", "the only parameter it may have is db"},
      {"redis://2a00::200e", "an IPv6 address needs brackets"},
      {"redis://[::1", "an IPv6 address has no closing bracket"},
      {"redis://[::1]7000", "the port after the IPv6 address needs a colon"},
      {"redis://[]", "the IPv6 address is empty"},
      {"redis://me:sec%zz@h", "the user name or password has a broken %-escape"},
      {"redis://me:secret#1@h", "it has a '#'; write it as %23"},
      {"unix://run/redis.sock", "unix: takes no host; write unix:///path"},
      {"unix:redis.sock", "the socket path is not absolute"},
      {"unix:///a%00b", "the socket path has a zero byte"},
      {"/" + std::string(108, 'a'), "the socket path is longer than 107 bytes"},
  };
  for (const auto& [text, why] : cases) {
    SCOPED_TRACE(text);
    const auto uri = parse_uri(text);
    ASSERT_FALSE(uri);
    EXPECT_EQ(uri.error().code, Errc::config);
    EXPECT_EQ(uri.error().message, "the Redis URL is wrong: " + why);
  }
}

TEST(RedisUri, TakesTheLongestSocketPathTheKernelTakes) {
  EXPECT_TRUE(parse_uri("/" + std::string(106, 'a')));
  EXPECT_FALSE(parse_uri("/" + std::string(107, 'a')));
}

}  // namespace
}  // namespace midst::redis
