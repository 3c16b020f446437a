// When the server was started. Off in the exporters, on here: dashboards and restart alerts need it.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"start_time", Use::gauge, "pg_postmaster_start_time_seconds", "When the server was started, in Unix time."},
};

constexpr Query queries[] = {{.name = "postmaster",
                              .sql = R"(
SELECT EXTRACT(EPOCH FROM pg_catalog.pg_postmaster_start_time()) AS start_time)",
                              .columns = columns}};

}  // namespace

constinit const Collector postmaster_collector{.name = "postmaster", .queries = queries};

}  // namespace midst::sources
