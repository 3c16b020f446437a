// The WAL position of servers before PostgreSQL 10. Off by default, as in the exporter.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"bytes", Use::gauge, "pg_xlog_location_bytes",
     "WAL position that is written, or replayed on a standby, in bytes, cut to 52 bits."},
};

constexpr Query queries[] = {{.name = "xlog_location",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_xlog_replay_location()
             ELSE pg_catalog.pg_current_xlog_location() END - '0/0') % (2 ^ 52)::bigint AS bytes)",
                              .columns = columns}};

}  // namespace

constinit const Collector xlog_location_collector{.name = "xlog_location", .runs = Default::off, .queries = queries};

}  // namespace midst::sources
