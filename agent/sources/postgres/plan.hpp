// What is known of a server and the database connected to, and which statements of a collector that makes. Pure.
#pragma once

#include "agent/sources/postgres/query.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/base/error.hpp"

#include <chrono>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources {

/// Found out once for each connection, and again after a while, since extensions come and servers are promoted.
struct ServerFacts {
  struct Extension {
    std::string schema;
    std::string version;
  };

  int version = 0;  ///< server_version_num.
  Edition edition = Edition::current;
  bool is_standby = false;
  std::map<std::string, Extension, std::less<>> extensions;            ///< Of the database, by name.
  std::set<std::pair<std::string, std::string>, std::less<>> columns;  ///< (relation, column) of facts_query().
};

/// A statement as it is sent.
struct PlannedQuery {
  const Query* query;
  std::string sql;
  std::string prepared_name;  ///< Holds a digest of the SQL, so that another plan is another statement.
};

/// @return the statement that asks for extensions and optional columns: rows (kind, name, detail, more), where kind is
/// "extension" (name, schema, version) or "column" (relation, column).
/// @param collectors  whose extensions and optional columns are looked for.
[[nodiscard]] std::string facts_sql(std::span<const Collector* const> collectors);

/// Puts the answer to facts_sql() into `facts`; rows of a kind that is not known are passed over.
void read_facts(const TableView& rows, ServerFacts& facts);

/// @return the statements of a collector for a server; none when it has nothing to offer to this collector (another
/// version or role); Errc::unsupported when the collector's extension is missing, with the command that mends it.
[[nodiscard]] Result<std::vector<PlannedQuery>> plan(const Collector& collector, const ServerFacts& facts);

}  // namespace midst::sources
