// What the agent's own process of the server has allocated. The source reads the column `bytes` and exchanges the
// connection when it is too much. Since 15, since pg_monitor may read the view from there on.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"bytes", Use::gauge, "midst_pg_backend_memory_bytes",
     "Memory that the server's process of the agent's main connection has allocated for itself."},
};

constexpr Query queries[] = {{.name = "backend_memory",
                              .from_version = 150'000,
                              .sql = R"(
SELECT pg_catalog.sum(total_bytes) AS bytes FROM pg_catalog.pg_backend_memory_contexts)",
                              .columns = columns}};

}  // namespace

constinit const Collector backend_memory_collector{
    .name = "backend_memory", .ttl = std::chrono::seconds(300), .queries = queries};

}  // namespace midst::sources
