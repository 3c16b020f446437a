// pg_settings: every boolean and number, named after the setting. The view costs about 0.6 ms, so the answer is kept
// for a minute, or until the server reads its configuration again. What this session has set for itself (time-outs,
// read-only, search_path) is shown as it was before, since the page speaks of the server.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Query queries[] = {{.name = "settings",
                              .from_version = 90'600,
                              .sql = R"(
SELECT name,
       CASE WHEN name = 'transaction_read_only' AND pg_catalog.pg_is_in_recovery() THEN 'on'
            WHEN name = 'transaction_read_only'
            THEN (SELECT d.reset_val FROM pg_catalog.pg_settings d WHERE d.name = 'default_transaction_read_only')
            WHEN source = 'session' OR name = 'transaction_deferrable' THEN reset_val
            ELSE setting END AS setting,
       unit, vartype
  FROM pg_catalog.pg_settings
 WHERE vartype IN ('bool', 'integer', 'real'))",
                              .columns = {},
                              .shape = Shape::settings}};

}  // namespace

constinit const Collector settings_collector{.name = "settings", .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
