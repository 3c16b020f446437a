// How far each database is from the wraparound of transaction IDs. Off in the exporter, on here: it is the outage that
// announces itself for weeks. The names are the exporter's; the values are ages in transactions, not seconds.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"datname", Use::label},
    {"age_datfrozenxid", Use::gauge, "pg_database_wraparound_age_datfrozenxid_seconds",
     "Age of the oldest transaction ID in the database that is not frozen, in transactions."},
    {"age_datminmxid", Use::gauge, "pg_database_wraparound_age_datminmxid_seconds",
     "Age of the oldest multixact ID in the database that is not replaced, in multixacts."},
};

constexpr Query queries[] = {{.name = "database_wraparound",
                              .from_version = 90'600,
                              .sql = R"(
SELECT d.datname, pg_catalog.age(d.datfrozenxid) AS age_datfrozenxid,
       pg_catalog.mxid_age(d.datminmxid) AS age_datminmxid
  FROM pg_catalog.pg_database d
 WHERE d.datallowconn
 ORDER BY d.datname)",
                              .columns = columns}};

}  // namespace

constinit const Collector database_wraparound_collector{
    .name = "database_wraparound", .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
