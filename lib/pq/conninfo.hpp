// Where a Postgres is: libpq connection strings (key=value, URI, service), parsed and redacted by libpq itself.
#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::pq {

/// A parsed connection string: libpq keywords with values, in libpq's order; only those that were given.
struct Conninfo {
  std::vector<std::pair<std::string, std::string>> keywords;

  /// @return the value of a keyword or empty.
  [[nodiscard]] std::string_view get(std::string_view keyword) const noexcept;
  /// Sets or replaces a keyword.
  void set(std::string_view keyword, std::string value);
  /// Sets a keyword only if the string did not give it.
  void set_default(std::string_view keyword, std::string value);
  /// @return "host=… port=… dbname=… user=…" without password and other secrets; for logs.
  [[nodiscard]] std::string redacted() const;
  /// @return "host:port" as postgres_exporter's `server` label has it ("localhost:5432" by default).
  [[nodiscard]] std::string server_label() const;
};

/// Accepts what libpq accepts. Keys that only lib/pq knows (binary_parameters, …) are dropped with a logged warning.
/// @return Errc::config with libpq's message; the message never repeats the string.
[[nodiscard]] Result<Conninfo> parse_conninfo(std::string_view text);

/// Cuts a list of connection strings at the commas between them, and at no other: those of a password or of several
/// hosts stay. A comma is between two when a URI begins behind it, or, behind a key=value string, when one of libpq's
/// keywords and "=" follow.
[[nodiscard]] std::vector<std::string_view> split_conninfos(std::string_view text);

}  // namespace midst::pq
