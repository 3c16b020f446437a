// Settings that were changed and wait for a restart of the server.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"pending", Use::gauge, "pg_settings_pending_restart",
     "Settings changed in the configuration that only a restart of the server puts into effect."},
};

constexpr Query queries[] = {{.name = "settings_pending",
                              .sql = R"(
SELECT pg_catalog.count(*) AS pending FROM pg_catalog.pg_settings WHERE pending_restart)",
                              .columns = columns}};

}  // namespace

constinit const Collector settings_pending_collector{
    .name = "settings_pending", .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
