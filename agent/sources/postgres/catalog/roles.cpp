// pg_roles: the connection limit of each role.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"rolname", Use::label},
    {"rolconnlimit", Use::gauge, "pg_roles_connection_limit", "Connections the role may open; -1 is no limit."},
};

constexpr Query queries[] = {{.name = "roles",
                              .sql = R"(
SELECT rolname, rolconnlimit FROM pg_catalog.pg_roles ORDER BY rolname)",
                              .columns = columns}};

}  // namespace

constinit const Collector roles_collector{.name = "roles", .queries = queries};

}  // namespace midst::sources
