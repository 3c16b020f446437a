// Prepared transactions (two-phase commit): a forgotten one keeps its locks and holds back VACUUM for ever.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"count", Use::gauge, "pg_prepared_transactions", "Prepared transactions that wait for their end."},
    {"oldest", Use::gauge, "pg_prepared_transactions_oldest_seconds",
     "How long the oldest prepared transaction waits; 0 where there is none."},
};

constexpr Query queries[] = {{.name = "prepared_transactions",
                              .sql = R"(
SELECT pg_catalog.count(*) AS count,
       greatest(0, coalesce(EXTRACT(EPOCH FROM pg_catalog.now() - pg_catalog.min(prepared)), 0)) AS oldest
  FROM pg_catalog.pg_prepared_xacts)",
                              .columns = columns}};

}  // namespace

constinit const Collector prepared_transactions_collector{.name = "prepared_transactions", .queries = queries};

}  // namespace midst::sources
