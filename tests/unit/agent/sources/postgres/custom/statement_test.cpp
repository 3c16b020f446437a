#include "agent/sources/postgres/custom/statement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace midst::sources {
namespace {

using testing::HasSubstr;

TEST(Statement, OneThatReadsIsTakenWithoutWhatSurroundsIt) {
  const std::pair<std::string, std::string> table[] = {
      {"SELECT 1", "SELECT 1"},
      {"  select 1 ;\n", "select 1"},
      {"SELECT 1;;  -- done", "SELECT 1"},
      {"-- what\n/* it /* is */ */ WITH a AS (SELECT 1) TABLE a;", "WITH a AS (SELECT 1) TABLE a"},
      {"(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)"},
      {"((VALUES (1)))", "((VALUES (1)))"},
      {"SELECT/**/1", "SELECT/**/1"},
      {"SHOW server_version", "SHOW server_version"},
      {"SELECT ';', \"a;b\", $$;$$, $x$;$$;$x$ -- ;", "SELECT ';', \"a;b\", $$;$$, $x$;$$;$x$"},
      {R"(SELECT E'\';', 'it''s; fine')", R"(SELECT E'\';', 'it''s; fine')"},
      {R"(SELECT '\';')", R"(SELECT '\';')"},
      {"SELECT a$b$ FROM t; -- $b$", "SELECT a$b$ FROM t"},
      {"SELECT 1 -- a comment's quote", "SELECT 1"},
      {"SELECT 'köln'", "SELECT 'köln'"}};
  for (const auto& [sql, statement] : table) {
    const auto taken = single_statement(sql);
    if (sql == R"(SELECT '\';')") {  // without E a backslash escapes nothing: the last quote is never closed
      EXPECT_FALSE(taken);
      continue;
    }
    ASSERT_TRUE(taken) << sql << ": " << taken.error().message;
    EXPECT_EQ(*taken, statement);
  }
}

TEST(Statement, OthersAreRefusedWithWhatToDo) {
  const std::pair<std::string, std::string> table[] = {{"", "is empty"},
                                                       {" ;; -- nothing\n/**/", "is empty"},
                                                       {"SELECT 1; SELECT 2", "more than one statement"},
                                                       {"SELECT 1;\n\nDROP TABLE x", "more than one statement"},
                                                       {"SELECT 'a", "not closed"},
                                                       {"SELECT \"a", "not closed"},
                                                       {"SELECT $a$ $b$", "not closed"},
                                                       {"SELECT /* /* */", "not closed"},
                                                       {"COPY t TO STDOUT", "has to begin with SELECT"},
                                                       {"INSERT INTO t VALUES (1)", "has to begin with SELECT"},
                                                       {"/* SELECT */ DELETE FROM t", "has to begin with SELECT"},
                                                       {"BEGIN", "has to begin with SELECT"},
                                                       {"SET x = 1", "has to begin with SELECT"},
                                                       {"selected", "has to begin with SELECT"},
                                                       {"SELECT$", "has to begin with SELECT"},
                                                       {"'SELECT'", "has to begin with SELECT"},
                                                       {std::string("SELECT 1\0", 9), "byte 0"},
                                                       {"SELECT " + std::string(max_statement_bytes, '1'), "65536"}};
  for (const auto& [sql, message] : table) {
    const auto taken = single_statement(sql);
    ASSERT_FALSE(taken) << sql;
    EXPECT_EQ(taken.error().code, Errc::config);
    EXPECT_THAT(taken.error().message, HasSubstr(message)) << sql;
  }
}

TEST(Statement, IsAskedForNoMoreRowsThanTheLimit) {
  EXPECT_EQ(limited("SELECT 1 -- one", 5), "SELECT * FROM (\nSELECT 1 -- one\n) AS midst_rows LIMIT 5");
  EXPECT_EQ(limited("SHOW ALL", 5), "SHOW ALL");
}

}  // namespace
}  // namespace midst::sources
