// Brings the schema up to date: the files of api/migrations, in order, each once, with a history table that knows what
// was applied. Used by the service at start.
#pragma once

#include "lib/pq/connection.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// One file of api/migrations, built into the program.
struct Migration {
  int version;            ///< From the file's name; ascending.
  std::string_view name;  ///< "001_profiles".
  std::string_view sql;   ///< Statements that may run in one transaction.
};

/// @return every migration of this program, in order.
[[nodiscard]] std::span<const Migration> all_migrations() noexcept;

/// @return the SHA-256 of the SQL in hex, as the history keeps it.
[[nodiscard]] std::string migration_checksum(std::string_view sql);

/// Applies what is missing, each migration in a transaction of its own under an advisory lock, so that instances that
/// start together take turns; works through PgBouncer's transaction mode. A migration that fails leaves nothing behind;
/// those before it stay. Each applied one is logged.
/// @param connection  must outlive the call.
/// @return the versions applied now; Errc::config when the history contradicts the files (a file was changed after it
/// was applied, or the database is newer than the program); the server's error when a migration fails, with its name;
/// transport errors.
[[nodiscard]] asio::awaitable<Result<std::vector<int>>> migrate(pq::Connection& connection,
                                                                std::span<const Migration> migrations,
                                                                Deadline deadline);

}  // namespace midst::api
