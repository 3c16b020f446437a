// The PgBouncer console, releases 1.8 to 1.25: SHOW commands as collectors, columns by name, so that a release that
// adds or drops one costs that column at most. Times are microseconds on the wire (PgBouncer docs, "SHOW STATS";
// 2025-11).
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr double microseconds = 1e-6;

constexpr Column counted(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::counter, .name = name, .help = help};
}

constexpr Column timed(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::counter, .name = name, .help = help, .scale = microseconds};
}

constexpr Column stats_totals[] = {
    {"database", Use::label},
    counted("query_count", "pgbouncer_stats_totals_queries_pooled_total", "SQL queries pooled."),
    timed("query_time", "pgbouncer_stats_totals_queries_duration_seconds_total", "Time queries ran on servers."),
    counted("bytes_received", "pgbouncer_stats_totals_received_bytes_total", "Bytes received from clients."),
    counted("bytes_sent", "pgbouncer_stats_totals_sent_bytes_total", "Bytes sent to clients."),
    timed("wait_time", "pgbouncer_stats_totals_client_wait_seconds_total", "Time clients waited for a server."),
    counted("xact_count", "pgbouncer_stats_totals_sql_transactions_pooled_total", "SQL transactions pooled."),
    timed("xact_time", "pgbouncer_stats_totals_server_in_transaction_seconds_total",
          "Time servers spent in a transaction."),
    counted("server_assignment_count", "pgbouncer_stats_totals_server_assignments_total",
            "Times a server was given to a client (1.23 and later)."),
    counted("client_parse_count", "pgbouncer_stats_totals_client_parses_total",
            "Prepared statements clients made (1.24 and later)."),
    counted("server_parse_count", "pgbouncer_stats_totals_server_parses_total",
            "Prepared statements made on servers (1.24 and later)."),
    counted("bind_count", "pgbouncer_stats_totals_binds_total",
            "Prepared statements bound by clients (1.24 and later)."),
    counted("client_login_count", "pgbouncer_stats_totals_client_logins_total", "Logins of clients (1.25 and later)."),
};

constexpr LabelGroups of_pool = 1;
constexpr LabelGroups of_mode = 2;

constexpr Column connections(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::gauge, .name = name, .help = help, .groups = of_pool};
}

constexpr Column pools[] = {
    {.column = "database", .use = Use::label},
    {.column = "user", .use = Use::label},
    {.column = "pool_mode", .use = Use::label, .groups = of_mode},
    connections("cl_active", "pgbouncer_pools_client_active_connections",
                "Clients with a server, or idle without a query waiting."),
    connections("cl_waiting", "pgbouncer_pools_client_waiting_connections", "Clients waiting for a server."),
    connections("cl_active_cancel_req", "pgbouncer_pools_client_active_cancel_connections",
                "Clients whose cancel request went to a server (1.18 and later)."),
    connections("cl_waiting_cancel_req", "pgbouncer_pools_client_waiting_cancel_connections",
                "Clients whose cancel request waits for a server (1.18 and later)."),
    connections("cl_cancel_req", "pgbouncer_pools_client_cancel_connections",
                "Clients with a cancel request under way (1.16 and 1.17)."),
    connections("sv_active", "pgbouncer_pools_server_active_connections", "Servers linked to a client."),
    connections("sv_active_cancel", "pgbouncer_pools_server_active_cancel_connections",
                "Servers forwarding a cancel request (1.18 and later)."),
    connections("sv_being_canceled", "pgbouncer_pools_server_being_canceled_connections",
                "Servers waiting for a cancel request to end (1.18 and later)."),
    connections("sv_idle", "pgbouncer_pools_server_idle_connections", "Servers free for a client at once."),
    connections("sv_used", "pgbouncer_pools_server_used_connections",
                "Servers idle for so long that they are checked before use."),
    connections("sv_tested", "pgbouncer_pools_server_testing_connections", "Servers being reset or checked."),
    connections("sv_login", "pgbouncer_pools_server_login_connections", "Servers logging in."),
    {.column = "maxwait",
     .use = Use::gauge,
     .name = "pgbouncer_pools_client_maxwait_seconds",
     .help = "How long the first waiting client has waited, with its microseconds.",
     .groups = of_pool,
     .remainder = "maxwait_us",
     .remainder_scale = microseconds},
    {.column = "pool_mode",
     .use = Use::presence,
     .name = "pgbouncer_pools_info",
     .help = "Mode of the pool, as a label.",
     .groups = of_mode},
};

constexpr Column databases[] = {
    {"name", Use::label},
    {"host", Use::label},
    {"port", Use::label},
    {"database", Use::label},
    {"force_user", Use::label},
    {"pool_mode", Use::label},
    {"pool_size", Use::gauge, "pgbouncer_databases_pool_size", "Server connections the pool may have."},
    {"min_pool_size", Use::gauge, "pgbouncer_databases_min_pool_size",
     "Server connections kept open (1.16 and later)."},
    {"reserve_pool", Use::gauge, "pgbouncer_databases_reserve_pool", "Further server connections under pressure."},
    {"reserve_pool_size", Use::gauge, "pgbouncer_databases_reserve_pool", "Further server connections under pressure."},
    {"server_lifetime", Use::gauge, "pgbouncer_databases_server_lifetime_seconds",
     "Age at which server connections are closed (1.23 and later)."},
    {"max_connections", Use::gauge, "pgbouncer_databases_max_connections",
     "Server connections to the database at most; 0 is no limit."},
    {"current_connections", Use::gauge, "pgbouncer_databases_current_connections",
     "Server connections to the database."},
    {"max_client_connections", Use::gauge, "pgbouncer_databases_max_client_connections",
     "Clients of the database at most; 0 is no limit (1.24 and later)."},
    {"current_client_connections", Use::gauge, "pgbouncer_databases_current_client_connections",
     "Clients of the database (1.24 and later)."},
    {"paused", Use::gauge, "pgbouncer_databases_paused", "Whether the database is paused."},
    {"disabled", Use::gauge, "pgbouncer_databases_disabled", "Whether the database is disabled."},
};

constexpr Column lists[] = {
    {"databases", Use::gauge, "pgbouncer_databases", "Databases known."},
    {"users", Use::gauge, "pgbouncer_users", "Users known."},
    {"peers", Use::gauge, "pgbouncer_peers", "Peers known (1.19 and later)."},
    {"pools", Use::gauge, "pgbouncer_pools", "Pools."},
    {"peer_pools", Use::gauge, "pgbouncer_peer_pools", "Pools of peers (1.19 and later)."},
    {"free_clients", Use::gauge, "pgbouncer_free_clients", "Client slots allocated and free."},
    {"used_clients", Use::gauge, "pgbouncer_used_clients", "Clients connected."},
    {"login_clients", Use::gauge, "pgbouncer_login_clients", "Clients logging in."},
    {"free_servers", Use::gauge, "pgbouncer_free_servers", "Server slots allocated and free."},
    {"used_servers", Use::gauge, "pgbouncer_used_servers", "Server connections."},
    {"dns_names", Use::gauge, "pgbouncer_cached_dns_names", "DNS names in the cache."},
    {"dns_zones", Use::gauge, "pgbouncer_cached_dns_zones", "DNS zones in the cache."},
    {"dns_queries", Use::gauge, "pgbouncer_in_flight_dns_queries", "DNS queries under way."},
    {"dns_pending", Use::gauge, "pgbouncer_pending_dns_queries", "DNS queries waiting to be sent."},
};

constexpr Column config[] = {
    {"max_client_conn", Use::gauge, "pgbouncer_config_max_client_connections", "Setting max_client_conn."},
    {"max_user_connections", Use::gauge, "pgbouncer_config_max_user_connections", "Setting max_user_connections."},
    {"max_db_connections", Use::gauge, "pgbouncer_config_max_db_connections", "Setting max_db_connections."},
    {"default_pool_size", Use::gauge, "pgbouncer_config_default_pool_size", "Setting default_pool_size."},
    {"min_pool_size", Use::gauge, "pgbouncer_config_min_pool_size", "Setting min_pool_size."},
    {"reserve_pool_size", Use::gauge, "pgbouncer_config_reserve_pool_size", "Setting reserve_pool_size."},
    {"reserve_pool_timeout", Use::gauge, "pgbouncer_config_reserve_pool_timeout_seconds",
     "Setting reserve_pool_timeout."},
    {"query_wait_timeout", Use::gauge, "pgbouncer_config_query_wait_timeout_seconds", "Setting query_wait_timeout."},
    {"server_idle_timeout", Use::gauge, "pgbouncer_config_server_idle_timeout_seconds", "Setting server_idle_timeout."},
    {"server_lifetime", Use::gauge, "pgbouncer_config_server_lifetime_seconds", "Setting server_lifetime."},
};

constexpr Query stats_totals_query[] = {{.name = "stats_totals", .sql = "SHOW STATS_TOTALS", .columns = stats_totals}};
constexpr Query pools_query[] = {{.name = "pools", .sql = "SHOW POOLS", .columns = pools}};
constexpr Query databases_query[] = {{.name = "databases", .sql = "SHOW DATABASES", .columns = databases}};
constexpr Query lists_query[] = {{.name = "lists", .sql = "SHOW LISTS", .columns = lists, .shape = Shape::key_value}};
constexpr Query config_query[] = {
    {.name = "config", .sql = "SHOW CONFIG", .columns = config, .shape = Shape::key_value}};

constexpr Collector commands[] = {
    {.name = "stats_totals", .queries = stats_totals_query},
    {.name = "pools", .queries = pools_query},
    {.name = "databases", .queries = databases_query},
    {.name = "lists", .queries = lists_query},
    // Changes by RELOAD or SET only; 60 values that PgBouncer's one thread need not print at every scrape.
    {.name = "config", .ttl = std::chrono::seconds(60), .queries = config_query},
};

}  // namespace

std::span<const Collector> pgbouncer_catalog() noexcept {
  return commands;
}

}  // namespace midst::sources
