// pg_static: who the server is; and whether this role may see everything. Before PostgreSQL 10 there is no pg_monitor,
// and only a superuser sees everything.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr LabelGroups of_version = 1;
constexpr LabelGroups of_role = 2;

constexpr Column columns[] = {
    {.column = "version", .use = Use::label, .groups = of_version},
    {.column = "short_version", .use = Use::label, .groups = of_version},
    {.column = "privilege", .use = Use::label, .groups = of_role},
    {.column = "rolname", .use = Use::label, .groups = of_role},
    {.column = "is_known",
     .use = Use::unknown,
     .name = "pg_static",
     .help = "Version of the server, as labels.",
     .groups = of_version},
    {.column = "is_granted",
     .use = Use::gauge,
     .name = "midst_pg_privilege",
     .help = "Whether the agent's role has this one; without pg_monitor the sessions of others show neither state nor "
             "query and pg_wal is closed.",
     .groups = of_role},
};

constexpr Query query{.name = "instance",
                      .from_version = 90'600,
                      .sql = R"(
SELECT pg_catalog.version() AS version,
       CASE WHEN v.num < 100000 THEN (v.num / 10000) || '.' || (v.num / 100 % 100) || '.' || (v.num % 100)
            ELSE (v.num / 10000) || '.' || (v.num % 10000) || '.0' END AS short_version,
       1 AS is_known, 'pg_monitor' AS privilege, current_user AS rolname,
       EXISTS (SELECT FROM pg_catalog.pg_roles r
                WHERE r.rolname = 'pg_monitor' AND pg_catalog.pg_has_role(r.oid, 'USAGE')
                   OR v.num < 100000 AND r.rolname = current_user AND r.rolsuper) AS is_granted,
       pg_catalog.pg_is_in_recovery() AS is_standby, pg_catalog.pg_backend_pid() AS pid,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) AS server_time,
       EXTRACT(EPOCH FROM pg_catalog.pg_conf_load_time()) AS conf_load_time
  FROM (SELECT pg_catalog.current_setting('server_version_num')::int AS num) AS v)",
                      .columns = columns};

}  // namespace

const Query& instance_query() noexcept {
  return query;
}

}  // namespace midst::sources
