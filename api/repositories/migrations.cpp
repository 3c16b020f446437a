#include "api/repositories/migrations.hpp"

#include "embedded/api_repositories.hpp"
#include "lib/base/log.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <array>
#include <map>
#include <utility>

namespace midst::api {
namespace {

constexpr std::array<Migration, 1> migrations_in_order{{
    {1, "001_profiles", embedded::_001_profiles_sql},
}};

/// A text of several statements is one transaction; the lock is its first statement, so that instances that start
/// together take turns, and ends with it, which also suits PgBouncer's transaction mode. The key is "midst" in ASCII.
constexpr std::string_view lock_sql = "SELECT pg_advisory_xact_lock(469919626100);\n";
constexpr std::string_view history_sql =
    "CREATE TABLE IF NOT EXISTS midst_migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT now());\n"
    "SELECT version, checksum FROM midst_migrations";

asio::awaitable<Result<pq::Rows>> execute(pq::Connection* connection, std::string sql, Deadline deadline) {
  auto work = connection->simple(std::move(sql), deadline);
  auto rows = co_await std::move(work);
  if (rows && rows->error()) co_return *rows->error();
  co_return rows;
}

/// @return what is not applied yet, or the contradiction.
Result<std::vector<Migration>> missing(const pq::Rows& history, std::span<const Migration> migrations) {
  std::map<int, std::string> applied;
  for (std::size_t row = 0; row < history.row_count(); ++row) {
    const auto version = text::parse_integer(history.text(row, 0));
    if (version) applied[static_cast<int>(*version)] = history.text(row, 1);
  }
  std::vector<Migration> rest;
  for (const auto& migration : migrations) {
    const auto done = applied.find(migration.version);
    if (done == applied.end()) {
      rest.push_back(migration);
      continue;
    }
    if (done->second != migration_checksum(migration.sql))
      return Error{Errc::config, fmt::format("migration {} was changed after it had been applied; restore the file and "
                                             "add a new migration instead",
                                             migration.name)};
    applied.erase(done);
  }
  if (!applied.empty())
    return Error{Errc::config, fmt::format("the database has migration {}, which this program does not know; run a "
                                           "newer midst-api",
                                           applied.begin()->first)};
  return rest;
}

/// The entry comes before the SQL: where another instance was faster it fails, and the SQL with it.
std::string apply_sql(const Migration& migration) {
  // Name and checksum are our own: letters, digits and underscores.
  return fmt::format("{}INSERT INTO midst_migrations (version, name, checksum) VALUES ({}, '{}', '{}');\n{}", lock_sql,
                     migration.version, migration.name, migration_checksum(migration.sql), migration.sql);
}

}  // namespace

std::span<const Migration> all_migrations() noexcept {
  return migrations_in_order;
}

std::string migration_checksum(std::string_view sql) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(sql.data(), sql.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

asio::awaitable<Result<std::vector<int>>> migrate(pq::Connection& connection, std::span<const Migration> migrations,
                                                  Deadline deadline) {
  std::vector<int> applied;
  int overtaken_at = 0;  // The version whose entry was there when we came to write it.
  for (;;) {
    std::string read = fmt::format("{}{}", lock_sql, history_sql);
    auto reading = execute(&connection, std::move(read), deadline);
    const auto history = co_await std::move(reading);
    if (!history) co_return history.error();
    const auto rest = missing(*history, migrations);
    if (!rest) co_return rest.error();
    if (rest->empty()) co_return applied;
    const auto& next = rest->front();
    auto applying = execute(&connection, apply_sql(next), deadline);
    const auto done = co_await std::move(applying);
    if (done) {
      applied.push_back(next.version);
      log::info("migration applied", {{"name", next.name}});
    } else if (done.error().code == Errc::conflict && overtaken_at != next.version) {
      overtaken_at = next.version;
    } else {
      co_return done.error().with_context(fmt::format("migration {}", next.name));
    }
  }
}

}  // namespace midst::api
