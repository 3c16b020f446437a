#include "agent/app/secret.hpp"

#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace midst::app {
namespace {

TEST(Secret, IsReadFromEachPlace) {
  const test::TempDir folder;
  std::ofstream(folder.path() / "file") << "of a file\r\n";
  setenv("MIDST_TEST_SECRET", "of a variable", 1);
  setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  EXPECT_EQ(*Secret(Secret::Kind::text, "itself").read(), "itself");
  EXPECT_EQ(*Secret(Secret::Kind::file, folder.path() / "file").read(), "of a file");
  EXPECT_EQ(*Secret(Secret::Kind::variable, "MIDST_TEST_SECRET").read(), "of a variable");
  EXPECT_EQ(*Secret(Secret::Kind::credential, "file").read(), "of a file");
  EXPECT_TRUE(Secret().is_empty());
}

TEST(Secret, AMissingPlaceIsNamed) {
  unsetenv("MIDST_TEST_SECRET");
  unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(Secret(Secret::Kind::file, "/no/such").read().error().message, "the password file /no/such cannot be read");
  EXPECT_EQ(Secret(Secret::Kind::variable, "MIDST_TEST_SECRET").read().error().message,
            "the variable MIDST_TEST_SECRET is not set");
  EXPECT_EQ(Secret(Secret::Kind::credential, "pw").read().error().code, Errc::config);
}

}  // namespace
}  // namespace midst::app
