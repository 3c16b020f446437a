// How near each database is to the end of transaction ids and multixact ids: the ages of pg_database as parts of the
// limit at which autovacuum freezes by force, and of the 2^31 at which the server stops.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"xid_freeze", Use::gauge, "pg_wraparound_xid_freeze_ratio",
     "Age of the oldest unfrozen transaction id as part of autovacuum_freeze_max_age; above 1 autovacuum is late."},
    {"xid", Use::gauge, "pg_wraparound_xid_ratio",
     "Age of the oldest unfrozen transaction id as part of the 2^31 at which the server stops."},
    {"multixact_freeze", Use::gauge, "pg_wraparound_multixact_freeze_ratio",
     "Age of the oldest multixact id as part of autovacuum_multixact_freeze_max_age; above 1 autovacuum is late."},
    {"multixact", Use::gauge, "pg_wraparound_multixact_ratio",
     "Age of the oldest multixact id as part of the 2^31 at which the server stops."},
};

constexpr Query queries[] = {{.name = "wraparound",
                              .sql = R"(
SELECT a.datname, a.xid_age / l.xid_limit AS xid_freeze, a.xid_age / 2147483648 AS xid,
       a.mxid_age / l.mxid_limit AS multixact_freeze, a.mxid_age / 2147483648 AS multixact
  FROM (SELECT datname, pg_catalog.age(datfrozenxid)::float8 AS xid_age,
               pg_catalog.mxid_age(datminmxid)::float8 AS mxid_age
          FROM pg_catalog.pg_database WHERE datconnlimit <> -2) AS a
 CROSS JOIN (SELECT pg_catalog.current_setting('autovacuum_freeze_max_age')::float8 AS xid_limit,
                    pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::float8 AS mxid_limit) AS l)",
                              .columns = columns}};

}  // namespace

constinit const Collector wraparound_collector{
    .name = "wraparound", .ttl = std::chrono::seconds(30), .queries = queries};

}  // namespace midst::sources
