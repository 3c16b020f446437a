// The wait sampler's look: busy backends by what they wait for. Not in the list of collectors; WaitSamples counts.
// Left out: idle sessions; processes in their main loop (waits of class Activity, and of Extension where there is no
// session); backends of which the role may not see anything; the agent's own.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {{"datname", Use::label},    {"backend_type", Use::label}, {"wait_event_type", Use::label},
                              {"wait_event", Use::label}, {"query_id", Use::label},     {"count", Use::label}};

constexpr std::size_t max_groups = 2000;

constexpr Query queries[] = {{.name = "wait_samples_9_6",
                              .from_version = 90'600,
                              .before_version = 100'000,
                              .sql = R"(
SELECT a.datname, 'client backend' AS backend_type, a.wait_event_type, a.wait_event, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_stat_activity a
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.state IN ('active', 'fastpath function call')
   AND a.application_name IS DISTINCT FROM 'midst-agent'
 GROUP BY 1, 2, 3, 4)",
                              .columns = columns,
                              .max_rows = max_groups},
                             {.name = "wait_samples_10",
                              .before_version = 140'000,
                              .sql = R"(
SELECT a.datname, a.backend_type, a.wait_event_type, a.wait_event, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_stat_activity a
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.application_name IS DISTINCT FROM 'midst-agent'
   AND a.wait_event_type IS DISTINCT FROM 'Activity'
   AND (a.state IN ('active', 'fastpath function call')
        OR (a.state IS NULL AND a.backend_type IS NOT NULL AND a.backend_type <> 'client backend'
            AND a.wait_event_type IS DISTINCT FROM 'Extension'))
 GROUP BY 1, 2, 3, 4)",
                              .columns = columns,
                              .max_rows = max_groups},
                             {.name = "wait_samples",
                              .from_version = 140'000,
                              .sql = R"(
SELECT a.datname, a.backend_type, a.wait_event_type, a.wait_event, a.query_id, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_stat_activity a
 WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.application_name IS DISTINCT FROM 'midst-agent'
   AND a.wait_event_type IS DISTINCT FROM 'Activity'
   AND (a.state IN ('active', 'fastpath function call')
        OR (a.state IS NULL AND a.backend_type IS NOT NULL AND a.backend_type <> 'client backend'
            AND a.wait_event_type IS DISTINCT FROM 'Extension'))
 GROUP BY 1, 2, 3, 4, 5)",
                              .columns = columns,
                              .max_rows = max_groups}};

}  // namespace

constinit const Collector wait_samples_collector{.name = "wait_samples", .queries = queries};

}  // namespace midst::sources
