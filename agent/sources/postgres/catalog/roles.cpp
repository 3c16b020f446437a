// pg_roles: the connection limit of each role.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"rolname", Use::label},
    {"rolconnlimit", Use::gauge, "pg_roles_connection_limit", "Connections the role may open; -1 is no limit."},
};

constexpr Query queries[] = {{.name = "roles",
                              .from_version = 90'600,
                              .sql = R"(
SELECT r.rolname, r.rolconnlimit FROM pg_catalog.pg_roles r ORDER BY r.rolname)",
                              .columns = columns}};

}  // namespace

constinit const Collector roles_collector{.name = "roles", .ttl = std::chrono::seconds(300), .queries = queries};

}  // namespace midst::sources
