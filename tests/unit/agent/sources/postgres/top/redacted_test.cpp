#include "agent/sources/postgres/top/redacted.hpp"

#include <gtest/gtest.h>

namespace midst::sources {
namespace {

TEST(Redacted, StringsNumbersAndCommentsAreNotShown) {
  constexpr std::pair<std::string_view, std::string_view> cases[] = {
      {"SELECT a FROM t WHERE b = $1 AND c = $12", "SELECT a FROM t WHERE b = $1 AND c = $12"},
      {"select 'x', 'it''s', 5, 1.5e-3, .5, 0x1F, 1_000", "select ?, ?, ?, ?, ?, ?, ?"},
      {"SELECT t1.c2, _x3, a$4, größe9 FROM s5", "SELECT t1.c2, _x3, a$4, größe9 FROM s5"},
      {"SELECT E'a\\'b', e'\\\\', B'01', X'F', N'n', U&'d\\0061'", "SELECT ?, ?, ?, ?, ?, U&?"},
      {"SELECT $$a'b$$, $tag$ $$ 'x' $tag$, 2", "SELECT ?, ?, ?"},
      {"SELECT 1 -- password\n FROM t /* a /* nested */ 'b' */ WHERE x", "SELECT ? FROM t WHERE x"},
      {"SELECT \"we\"\"ird 5\", \"A'b\" FROM \"t\"", "SELECT \"we\"\"ird 5\", \"A'b\" FROM \"t\""},
      {"  /* app */ (\n\tVALUES (1), (-2))", "( VALUES (?), (-?))"},
      {"WITH q AS (SELECT 1) MERGE INTO t", "WITH q AS (SELECT ?) MERGE INTO t"},
      {"SELECT a[1:2], b::numeric(10,2)", "SELECT a[?:?], b::numeric(?,?)"},
      {"", ""},
      {"<insufficient privilege>", ""},
  };
  for (const auto& [statement, shown] : cases) EXPECT_EQ(redacted(statement), shown) << statement;
}

TEST(Redacted, WhatIsCutOffOrDependsOnSettingsTakesTheRestAlong) {
  constexpr std::pair<std::string_view, std::string_view> cases[] = {
      {"SELECT 'secret", "SELECT ?"},
      {"SELECT 'C:\\', 'secret'", "SELECT ?"},
      {"SELECT 'a\\'b secret'", "SELECT ?"},
      {"SELECT $$secret", "SELECT ?"},
      {"SELECT $ta", "SELECT ?"},
      {"SELECT 1 /* secret", "SELECT ?"},
      {"SELECT \"name 'secret'", "SELECT ?"},
      {"SELECT E'a\\", "SELECT ?"},
  };
  for (const auto& [statement, shown] : cases) EXPECT_EQ(redacted(statement), shown) << statement;
}

TEST(Redacted, OfOtherStatementsTheFirstWordIsShown) {
  constexpr std::pair<std::string_view, std::string_view> cases[] = {
      {"create role a password secret", "CREATE"},
      {"ALTER USER x PASSWORD 'y'", "ALTER"},
      {"-- c\nCopy t FROM '/etc/x'", "COPY"},
      {"SELECTED secret", "SELECTED"},
      {"SELECT_1 secret", ""},
      {"dblink'secret'", "DBLINK"},
      {"aVeryLongWordThatIsNone", ""},
      {"$$secret$$", ""},
  };
  for (const auto& [statement, shown] : cases) EXPECT_EQ(redacted(statement), shown) << statement;
}

}  // namespace
}  // namespace midst::sources
