// When the server was started. Off in the exporters, on here: dashboards and restart alerts need it. A restart ends the
// connection and with it what was kept, so that the answer may be old.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"start_time", Use::gauge, "pg_postmaster_start_time_seconds", "When the server was started, in Unix time."},
};

constexpr Query queries[] = {{.name = "postmaster",
                              .from_version = 90'600,
                              .sql = R"(
SELECT EXTRACT(EPOCH FROM pg_catalog.pg_postmaster_start_time()) AS start_time)",
                              .columns = columns}};

}  // namespace

constinit const Collector postmaster_collector{
    .name = "postmaster", .ttl = std::chrono::seconds(300), .queries = queries};

}  // namespace midst::sources
