#include "agent/sources/redis/keys/key_arguments.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources::redis_info {
namespace {

struct Wanted {
  int database;
  std::string key;
  bool is_pattern;
  friend bool operator==(const Wanted&, const Wanted&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Wanted& wanted) {
    return out << "db" << wanted.database << "=" << wanted.key << (wanted.is_pattern ? " (pattern)" : "");
  }
};

std::vector<Wanted> parsed(std::string_view list) {
  std::vector<Wanted> all;
  for (const auto& argument : parse_key_arguments(list).value())
    all.push_back({argument.database, argument.key, argument.is_pattern});
  return all;
}

TEST(RedisKeyArguments, ReadsEachFormOfAnEntry) {
  const std::vector<std::pair<std::string, std::vector<Wanted>>> rows{
      {"", {}},
      {"key", {{0, "key", false}}},
      {"db0=key", {{0, "key", false}}},
      {"3=key", {{3, "key", false}}},
      {"dbdbdb0=key", {{0, "key", false}}},
      {" db2 = key ", {{2, "key", false}}},
      {"db11=a,db12=b", {{11, "a", false}, {12, "b", false}}},
      {",,,k", {{0, "k", false}}},
      {"k,,", {{0, "k", false}}},
      {"=", {}},
      {"=k", {}},
      {"0=", {}},
      {"db=k", {}},
      {" ", {}},
      {"a%2Cb", {{0, "a,b", false}}},
      {"a%3Db", {{0, "a=b", false}}},
      {"a+b%2B", {{0, "a b+", false}}},
      {"db1=%00%ff", {{1, std::string("\0\xff", 2), false}}},
      {"a*", {{0, "a*", true}}},
      {"a?", {{0, "a?", true}}},
      {"[a]", {{0, "[a]", true}}},
      {"a]", {{0, "a]", true}}},
      {"^a", {{0, "^a", true}}},
      {"a%2A", {{0, "a*", true}}},
      {"a\\b-c{1}", {{0, "a\\b-c{1}", false}}},
  };
  for (const auto& [list, wanted] : rows) EXPECT_EQ(parsed(list), wanted) << list;
}

TEST(RedisKeyArguments, NamesTheEntryThatItRefuses) {
  for (const std::string entry : {"wrong=k", "db-1=k", "a=b=c", "db0==", "1.5=k", "99999999999=k", "d1b5=k", "k%2",
                                  "k%zz", "%", "db0x=k", "+-1=k", "-=k"}) {
    const auto arguments = parse_key_arguments("fine," + entry + ",fine");
    ASSERT_FALSE(arguments) << entry;
    EXPECT_EQ(arguments.error().code, Errc::config) << entry;
    EXPECT_NE(arguments.error().message.find("\"" + entry + "\""), std::string::npos) << arguments.error().message;
  }
}

TEST(RedisKeyArguments, LeavesACommaInASingleEntryAlone) {
  const auto argument = parse_key_argument("db4=a,b").value();
  ASSERT_TRUE(argument);
  EXPECT_EQ(argument->key, "a,b");
  EXPECT_EQ(argument->database, 4);
}

}  // namespace
}  // namespace midst::sources::redis_info
