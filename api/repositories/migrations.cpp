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

/// Any number that no other program of the database uses: "midst" in ASCII.
constexpr std::string_view lock_sql = "SELECT pg_advisory_xact_lock(469919626100)";
constexpr std::string_view history_table_sql =
    "CREATE TABLE IF NOT EXISTS midst_migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT now())";
constexpr std::string_view history_sql = "SELECT version, checksum FROM midst_migrations";

asio::awaitable<Result<pq::Rows>> execute(pq::Connection& connection, std::string sql, Deadline deadline) {
  auto rows = co_await connection.simple(std::move(sql), deadline);
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

asio::awaitable<Result<std::vector<int>>> migrate_in_transaction(pq::Connection& connection,
                                                                 std::span<const Migration> migrations,
                                                                 Deadline deadline) {
  for (const auto sql : {std::string_view("BEGIN"), lock_sql, history_table_sql}) {
    std::string text(sql);
    const auto done = co_await execute(connection, std::move(text), deadline);
    if (!done) co_return done.error();
  }
  std::string history_text(history_sql);
  const auto history = co_await execute(connection, std::move(history_text), deadline);
  if (!history) co_return history.error();
  const auto rest = missing(*history, migrations);
  if (!rest) co_return rest.error();
  std::vector<int> applied;
  for (const auto& migration : *rest) {
    std::string sql(migration.sql);
    auto done = co_await execute(connection, std::move(sql), deadline);
    // Name and checksum are our own: letters, digits and underscores.
    std::string record = fmt::format("INSERT INTO midst_migrations (version, name, checksum) VALUES ({}, '{}', '{}')",
                                     migration.version, migration.name, migration_checksum(migration.sql));
    if (done) done = co_await execute(connection, std::move(record), deadline);
    if (!done) co_return done.error().with_context(fmt::format("migration {}", migration.name));
    applied.push_back(migration.version);
  }
  const auto committed = co_await execute(connection, "COMMIT", deadline);
  if (!committed) co_return committed.error();
  co_return applied;
}

}  // namespace

std::span<const Migration> all_migrations() noexcept { return migrations_in_order; }

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
  auto applied = co_await migrate_in_transaction(connection, migrations, deadline);
  // Closing ends a transaction that is still open, whatever state it is in.
  if (!applied) connection.close();
  if (applied)
    for (const int version : *applied) log::info("migration applied", {{"version", version}});
  co_return applied;
}

}  // namespace midst::api
