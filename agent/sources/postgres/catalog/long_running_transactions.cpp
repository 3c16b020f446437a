// Open transactions and the age of the oldest. Off in the exporter, on here. There is no threshold: every session in a
// transaction counts, idle ones included; autovacuum and the agent itself do not.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"transactions", Use::gauge, "pg_long_running_transactions", "Transactions that are open."},
    {"oldest", Use::gauge, "pg_long_running_transactions_oldest_timestamp_seconds",
     "Age of the oldest open transaction; 0 when there is none.", 1, NullAs::zero},
};

constexpr Query queries[] = {{.name = "long_running_transactions",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT pg_catalog.count(*) AS transactions,
       pg_catalog.max(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start)) AS oldest
  FROM pg_catalog.pg_stat_activity a
 WHERE a.xact_start IS NOT NULL AND a.state IS DISTINCT FROM 'idle' AND a.query NOT LIKE 'autovacuum:%'
   AND a.pid <> pg_catalog.pg_backend_pid() AND a.application_name IS DISTINCT FROM 'midst-agent')",
                              .columns = columns},
                             {.name = "long_running_transactions",
                              .sql = R"(
SELECT pg_catalog.count(*) AS transactions,
       EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.min(a.xact_start)) AS oldest
  FROM pg_catalog.pg_stat_activity a
 WHERE a.xact_start IS NOT NULL AND a.state IS DISTINCT FROM 'idle'
   AND a.backend_type IS DISTINCT FROM 'autovacuum worker' AND a.pid <> pg_catalog.pg_backend_pid()
   AND a.application_name IS DISTINCT FROM 'midst-agent')",
                              .columns = columns}};

}  // namespace

constinit const Collector long_running_transactions_collector{.name = "long_running_transactions", .queries = queries};

}  // namespace midst::sources
