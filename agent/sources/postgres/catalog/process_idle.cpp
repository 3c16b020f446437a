// For how long idle sessions have been idle, as a histogram for each state and application. Off by default, as in the
// exporter: it has eleven series for each application.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"state", Use::label},
    {"application_name", Use::label},
    {"seconds", Use::histogram, "pg_process_idle_seconds", "How long idle sessions have been idle."},
};

constexpr Query queries[] = {{.name = "process_idle",
                              .from_version = 90'600,
                              .sql = R"(
SELECT i.state, i.application_name, ARRAY[1, 2, 5, 15, 30, 60, 90, 120, 300] AS seconds,
       ARRAY[pg_catalog.count(*) FILTER (WHERE i.idle <= 1), pg_catalog.count(*) FILTER (WHERE i.idle <= 2),
             pg_catalog.count(*) FILTER (WHERE i.idle <= 5), pg_catalog.count(*) FILTER (WHERE i.idle <= 15),
             pg_catalog.count(*) FILTER (WHERE i.idle <= 30), pg_catalog.count(*) FILTER (WHERE i.idle <= 60),
             pg_catalog.count(*) FILTER (WHERE i.idle <= 90), pg_catalog.count(*) FILTER (WHERE i.idle <= 120),
             pg_catalog.count(*) FILTER (WHERE i.idle <= 300)] AS seconds_bucket,
       pg_catalog.sum(i.idle) AS seconds_sum, pg_catalog.count(*) AS seconds_count
  FROM (SELECT a.state, a.application_name,
               greatest(0, EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.state_change)) AS idle
          FROM pg_catalog.pg_stat_activity a
         WHERE a.state ~ '^idle' AND a.state_change IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()) AS i
 GROUP BY 1, 2
 ORDER BY 1, 2)",
                              .columns = columns}};

}  // namespace

constinit const Collector process_idle_collector{.name = "process_idle", .runs = Default::off, .queries = queries};

}  // namespace midst::sources
