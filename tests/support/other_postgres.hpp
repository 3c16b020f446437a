// Real Postgres servers of any major that can be had (tests/support/other_postgres.py), for tests that compare them.
#pragma once

#include "tests/support/servers.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace midst::test {

/// Where the programs of a major are, or why they cannot be had here.
struct PostgresPrograms {
  std::filesystem::path bin;  ///< Empty where they cannot be had.
  std::string absence;        ///< One line for GTEST_SKIP.
};

/// Fetches them once per machine, which can take some minutes.
[[nodiscard]] PostgresPrograms postgres_programs(int major);

/// A server of that major on 127.0.0.1:port() and on a socket in directory(); superuser "postgres", trust; ready for
/// standbys and logical slots. Started by the constructor.
class OtherPostgresServer final : public Server {
 public:
  /// @param settings  further settings: {"archive_mode=on"}.
  OtherPostgresServer(int major, std::filesystem::path bin, std::vector<std::string> settings = {});
  /// A streaming standby. Stops `primary` for a moment to copy its data.
  /// @param slot  a physical slot of the primary; empty: none.
  OtherPostgresServer(OtherPostgresServer& primary, std::string_view slot);

  [[nodiscard]] std::string dsn(std::string_view database = "postgres") const;
  /// Runs SQL through psql as the superuser; throws with psql's message when it fails. @return unaligned output.
  std::string sql(std::string_view statement, std::string_view database = "postgres") const;

 protected:
  [[nodiscard]] std::vector<std::string> command() const override;
  [[nodiscard]] bool runs_as_service_user() const override { return true; }
  [[nodiscard]] bool answers() const override;

 private:
  [[nodiscard]] std::string data() const { return (directory_.path() / "data").string(); }

  int major_;
  std::filesystem::path bin_;
  std::vector<std::string> settings_;
};

}  // namespace midst::test
