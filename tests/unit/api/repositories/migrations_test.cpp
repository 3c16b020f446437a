#include "api/repositories/migrations.hpp"

#include <gtest/gtest.h>

namespace midst::api {
namespace {

TEST(Migrations, AscendAndCarryTheNumberInTheirName) {
  int last = 0;
  for (const auto& migration : all_migrations()) {
    EXPECT_GT(migration.version, last);
    EXPECT_EQ(std::stoi(std::string(migration.name)), migration.version);
    EXPECT_FALSE(migration.sql.empty());
    last = migration.version;
  }
  EXPECT_GE(last, 1);
}

TEST(Migrations, ChecksumIsSha256InHex) {
  // FIPS 180-4, example "abc".
  EXPECT_EQ(migration_checksum("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Migrations, NameTheQueryThatEachIndexServes) {
  for (const auto& migration : all_migrations()) {
    std::size_t at = 0;
    while ((at = migration.sql.find("CREATE INDEX", at)) != std::string_view::npos) {
      const auto before = migration.sql.substr(0, at);
      const auto comment = before.rfind("-- Serves ");
      ASSERT_NE(comment, std::string_view::npos) << migration.name;
      EXPECT_EQ(before.find("CREATE", comment), std::string_view::npos) << migration.name;
      ++at;
    }
  }
}

}  // namespace
}  // namespace midst::api
