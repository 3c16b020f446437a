#include "lib/pq/rows.hpp"

#include <gtest/gtest.h>
#include <libpq-fe.h>

namespace midst::pq {
namespace {

/// A result as a server might have sent it, without a server: columns "name" and "Value".
PGresult* two_columns() {
  auto* result = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
  char name[] = "name", value[] = "Value";
  PGresAttDesc columns[] = {{name, 0, 0, 0, 25, -1, -1}, {value, 0, 0, 0, 25, -1, -1}};
  PQsetResultAttrs(result, 2, columns);
  char first[] = "a\0b", empty[] = "", number[] = "7";
  PQsetvalue(result, 0, 0, first, 3);
  PQsetvalue(result, 0, 1, number, 1);
  PQsetvalue(result, 1, 0, empty, 0);
  PQsetvalue(result, 1, 1, nullptr, -1);
  return result;
}

TEST(Rows, GivesCellsByColumnName) {
  const Rows rows(two_columns());
  EXPECT_FALSE(rows.error());
  EXPECT_EQ(rows.sqlstate(), "");
  ASSERT_EQ(rows.row_count(), 2);
  ASSERT_EQ(rows.column_count(), 2);
  EXPECT_EQ(rows.column("name"), 0);
  EXPECT_EQ(rows.column("Value"), 1);
  EXPECT_EQ(rows.column("value"), std::nullopt) << "names are exact";
  EXPECT_EQ(rows.column_name(1), "Value");
  EXPECT_EQ(rows.text(0, 0), std::string_view("a\0b", 3));
  EXPECT_EQ(rows.text(0, 1), "7");
}

TEST(Rows, TellsNullFromEmpty) {
  const Rows rows(two_columns());
  EXPECT_FALSE(rows.is_null(1, 0));
  EXPECT_EQ(rows.text(1, 0), "");
  EXPECT_TRUE(rows.is_null(1, 1));
  EXPECT_EQ(rows.text(1, 1), "");
}

TEST(Rows, HasNullsBeyondItsEdges) {
  const Rows rows(two_columns());
  EXPECT_TRUE(rows.is_null(2, 0));
  EXPECT_TRUE(rows.is_null(0, 2));
  EXPECT_EQ(rows.text(2, 2), "");
  EXPECT_EQ(rows.column_name(2), "");
}

TEST(Rows, CarriesNoRowsAfterAFailure) {
  const Rows skipped(PQmakeEmptyPGresult(nullptr, PGRES_PIPELINE_ABORTED));
  ASSERT_TRUE(skipped.error());
  EXPECT_EQ(skipped.error()->code, Errc::server);
  EXPECT_EQ(skipped.sqlstate(), "25P02");
  EXPECT_EQ(skipped.row_count(), 0);
  const Rows nothing(nullptr);
  ASSERT_TRUE(nothing.error());
  EXPECT_EQ(nothing.error()->code, Errc::internal);
  EXPECT_EQ(nothing.affected(), 0);
  EXPECT_FALSE(Rows(PQmakeEmptyPGresult(nullptr, PGRES_EMPTY_QUERY)).error());
}

TEST(Rows, ClassifiesSqlstates) {
  const std::pair<std::string_view, Errc> table[] = {
      {"28000", Errc::auth},        {"28P01", Errc::auth},        {"42501", Errc::noperm},
      {"42P01", Errc::unsupported}, {"42883", Errc::unsupported}, {"42703", Errc::unsupported},
      {"0A000", Errc::unsupported}, {"55000", Errc::unsupported}, {"57014", Errc::timeout},
      {"55P03", Errc::timeout},     {"53300", Errc::limit},       {"57P03", Errc::loading},
      {"23505", Errc::conflict},    {"57P01", Errc::closed},      {"57P02", Errc::closed},
      {"22012", Errc::server},      {"42601", Errc::server},      {"", Errc::server},
      {"2", Errc::server},
  };
  for (const auto& [sqlstate, kind] : table) EXPECT_EQ(classify_sqlstate(sqlstate), kind) << sqlstate;
}

}  // namespace
}  // namespace midst::pq
