// Table: the PgBouncer console, releases 1.8 to 1.25: SHOW commands as collectors, columns by name, so that a release
// that adds or drops one costs that column at most. Times are microseconds on the wire (PgBouncer docs, "SHOW STATS";
// 2025-11). Versions are those of PQserverVersion(): 11800 is 1.18.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/pgbouncer/treatments.hpp"

namespace midst::sources {
namespace {

constexpr double microseconds = 1e-6;

constexpr int v1_8 = 10'800;
constexpr int v1_19 = 11'900;

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
    // As the exporter's README calls them and the boards of its mixin read them; no exporter has these names.
    counted("query_count", "pgbouncer_stats_queries_pooled_total", "SQL queries pooled."),
    timed("query_time", "pgbouncer_stats_queries_duration_seconds_total", "Time queries ran on servers."),
    counted("bytes_received", "pgbouncer_stats_received_bytes_total", "Bytes received from clients."),
    counted("bytes_sent", "pgbouncer_stats_sent_bytes_total", "Bytes sent to clients."),
    counted("xact_count", "pgbouncer_stats_sql_transactions_pooled_total", "SQL transactions pooled."),
    timed("xact_time", "pgbouncer_stats_server_in_transaction_seconds_total", "Time servers spent in a transaction."),
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
    {.column = "load_balance_hosts", .use = Use::label, .groups = of_mode},
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
     .help = "Mode of the pool and how it chooses among several hosts (1.24 and later), as labels.",
     .groups = of_mode},
};

constexpr LabelGroups of_database = 1;
constexpr LabelGroups of_balance = 2;

constexpr Column of_each_database(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::gauge, .name = name, .help = help, .groups = of_database};
}

constexpr Column databases[] = {
    {"name", Use::label},
    {"host", Use::label},
    {"port", Use::label},
    {"database", Use::label},
    {"force_user", Use::label},
    {"pool_mode", Use::label},
    {.column = "load_balance_hosts", .use = Use::label, .groups = of_balance},
    of_each_database("pool_size", "pgbouncer_databases_pool_size", "Server connections the pool may have."),
    of_each_database("min_pool_size", "pgbouncer_databases_min_pool_size",
                     "Server connections kept open (1.16 and later)."),
    of_each_database("reserve_pool", "pgbouncer_databases_reserve_pool", "Further server connections under pressure."),
    of_each_database("reserve_pool_size", "pgbouncer_databases_reserve_pool",
                     "Further server connections under pressure."),
    of_each_database("server_lifetime", "pgbouncer_databases_server_lifetime_seconds",
                     "Age at which server connections are closed (1.23 and later)."),
    of_each_database("max_connections", "pgbouncer_databases_max_connections",
                     "Server connections to the database at most; 0 is no limit."),
    of_each_database("current_connections", "pgbouncer_databases_current_connections",
                     "Server connections to the database."),
    of_each_database("max_client_connections", "pgbouncer_databases_max_client_connections",
                     "Clients of the database at most; 0 is no limit (1.24 and later)."),
    of_each_database("current_client_connections", "pgbouncer_databases_current_client_connections",
                     "Clients of the database (1.24 and later)."),
    of_each_database("paused", "pgbouncer_databases_paused", "Whether the database is paused."),
    of_each_database("disabled", "pgbouncer_databases_disabled", "Whether the database is disabled."),
    {.column = "load_balance_hosts",
     .use = Use::presence,
     .name = "pgbouncer_databases_info",
     .help = "How the database chooses among several hosts, as a label; only where it has several (1.24 and later).",
     .groups = of_balance},
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

constexpr Column setting(std::string_view key, std::string_view name, std::string_view help) {
  return {.column = key, .use = Use::gauge, .name = name, .help = help};
}

constexpr Column config[] = {
    setting("max_client_conn", "pgbouncer_config_max_client_connections", "Setting max_client_conn."),
    setting("max_user_connections", "pgbouncer_config_max_user_connections", "Setting max_user_connections."),
    setting("max_db_connections", "pgbouncer_config_max_db_connections", "Setting max_db_connections."),
    setting("max_user_client_connections", "pgbouncer_config_max_user_client_connections",
            "Setting max_user_client_connections."),
    setting("max_db_client_connections", "pgbouncer_config_max_db_client_connections",
            "Setting max_db_client_connections."),
    setting("default_pool_size", "pgbouncer_config_default_pool_size", "Setting default_pool_size."),
    setting("min_pool_size", "pgbouncer_config_min_pool_size", "Setting min_pool_size."),
    setting("reserve_pool_size", "pgbouncer_config_reserve_pool_size", "Setting reserve_pool_size."),
    setting("reserve_pool_timeout", "pgbouncer_config_reserve_pool_timeout_seconds", "Setting reserve_pool_timeout."),
    setting("query_wait_timeout", "pgbouncer_config_query_wait_timeout_seconds", "Setting query_wait_timeout."),
    setting("query_timeout", "pgbouncer_config_query_timeout_seconds", "Setting query_timeout."),
    setting("idle_transaction_timeout", "pgbouncer_config_idle_transaction_timeout_seconds",
            "Setting idle_transaction_timeout."),
    setting("transaction_timeout", "pgbouncer_config_transaction_timeout_seconds", "Setting transaction_timeout."),
    setting("cancel_wait_timeout", "pgbouncer_config_cancel_wait_timeout_seconds", "Setting cancel_wait_timeout."),
    setting("client_idle_timeout", "pgbouncer_config_client_idle_timeout_seconds", "Setting client_idle_timeout."),
    setting("client_login_timeout", "pgbouncer_config_client_login_timeout_seconds", "Setting client_login_timeout."),
    setting("server_idle_timeout", "pgbouncer_config_server_idle_timeout_seconds", "Setting server_idle_timeout."),
    setting("server_lifetime", "pgbouncer_config_server_lifetime_seconds", "Setting server_lifetime."),
    setting("server_connect_timeout", "pgbouncer_config_server_connect_timeout_seconds",
            "Setting server_connect_timeout."),
    setting("server_login_retry", "pgbouncer_config_server_login_retry_seconds", "Setting server_login_retry."),
    setting("server_check_delay", "pgbouncer_config_server_check_delay_seconds", "Setting server_check_delay."),
    setting("autodb_idle_timeout", "pgbouncer_config_autodb_idle_timeout_seconds", "Setting autodb_idle_timeout."),
    setting("suspend_timeout", "pgbouncer_config_suspend_timeout_seconds", "Setting suspend_timeout."),
    setting("max_prepared_statements", "pgbouncer_config_max_prepared_statements", "Setting max_prepared_statements."),
    setting("listen_backlog", "pgbouncer_config_listen_backlog", "Setting listen_backlog."),
    setting("pkt_buf", "pgbouncer_config_packet_buffer_bytes", "Setting pkt_buf."),
    setting("max_packet_size", "pgbouncer_config_max_packet_size_bytes", "Setting max_packet_size."),
    setting("so_reuseport", "pgbouncer_config_so_reuseport", "Setting so_reuseport."),
    setting("peer_id", "pgbouncer_config_peer_id", "Setting peer_id."),
};

constexpr LabelGroups of_user = 1;
constexpr LabelGroups of_user_mode = 2;

constexpr Column of_each_user(std::string_view column, std::string_view name, std::string_view help) {
  return {.column = column, .use = Use::gauge, .name = name, .help = help, .groups = of_user};
}

constexpr Column users[] = {
    {.column = "name", .use = Use::label, .name = "user"},
    {.column = "pool_mode", .use = Use::label, .groups = of_user_mode},
    of_each_user("pool_size", "pgbouncer_users_pool_size", "Pool size of the user's own (1.23 and later)."),
    of_each_user("reserve_pool_size", "pgbouncer_users_reserve_pool_size",
                 "Reserve pool size of the user's own (1.24 and later)."),
    of_each_user("max_user_connections", "pgbouncer_users_max_connections",
                 "Server connections of the user at most; 0 is no limit (1.23 and later)."),
    of_each_user("current_connections", "pgbouncer_users_current_connections",
                 "Server connections of the user (1.23 and later)."),
    of_each_user("max_user_client_connections", "pgbouncer_users_max_client_connections",
                 "Clients of the user at most; 0 is no limit (1.24 and later)."),
    of_each_user("current_client_connections", "pgbouncer_users_current_client_connections",
                 "Clients of the user (1.24 and later)."),
    {.column = "pool_mode",
     .use = Use::presence,
     .name = "pgbouncer_users_info",
     .help = "Pool mode of the user's own, as a label.",
     .groups = of_user_mode},
};

constexpr Column mem[] = {
    {.column = "name", .use = Use::label, .name = "cache"},
    {"size", Use::gauge, "pgbouncer_memory_object_size_bytes", "Size of one object of the cache."},
    {"used", Use::gauge, "pgbouncer_memory_used_objects", "Objects of the cache in use."},
    {"free", Use::gauge, "pgbouncer_memory_free_objects", "Objects of the cache that are allocated and free."},
    {"memtotal", Use::gauge, "pgbouncer_memory_allocated_bytes", "Memory of the cache."},
};

constexpr Column state[] = {
    {"active", Use::gauge, "pgbouncer_active", "Whether PgBouncer serves, neither paused nor suspended."},
    {"paused", Use::gauge, "pgbouncer_paused", "Whether PgBouncer as a whole is paused."},
    {"suspended", Use::gauge, "pgbouncer_suspended", "Whether PgBouncer is suspended."},
};

constexpr Column peers[] = {
    {"peer_id", Use::label},
    {"host", Use::label},
    {"port", Use::label},
    {"pool_size", Use::gauge, "pgbouncer_peers_pool_size", "Connections to the peer at most."},
};

constexpr Column peer_pools[] = {
    {"peer_id", Use::label},
    {"cl_active_cancel_req", Use::gauge, "pgbouncer_peer_pools_client_active_cancel_connections",
     "Clients whose cancel request went to the peer."},
    {"cl_waiting_cancel_req", Use::gauge, "pgbouncer_peer_pools_client_waiting_cancel_connections",
     "Clients whose cancel request waits for a connection to the peer."},
    {"sv_active_cancel", Use::gauge, "pgbouncer_peer_pools_server_active_cancel_connections",
     "Connections to the peer that forward a cancel request."},
    {"sv_login", Use::gauge, "pgbouncer_peer_pools_server_login_connections", "Connections to the peer that log in."},
};

/// Far above what one console has; what is beyond is left out and counted.
constexpr std::size_t most_pools = 100'000;
constexpr std::size_t most_connections = 200'000;

constexpr Query show(std::string_view name, std::string_view sql, std::span<const Column> columns,
                     int from_version = v1_8) {
  return {.name = name, .from_version = from_version, .sql = sql, .columns = columns};
}

constexpr Query show_pairs(std::string_view name, std::string_view sql, std::span<const Column> columns,
                           int from_version = v1_8) {
  return {.name = name, .from_version = from_version, .sql = sql, .columns = columns, .shape = Shape::key_value};
}

constexpr Query show_many(std::string_view name, std::string_view sql, std::span<const Column> columns,
                          std::size_t max_rows) {
  return {.name = name, .from_version = v1_8, .sql = sql, .columns = columns, .max_rows = max_rows};
}

constexpr Query stats_totals_query[] = {show("stats_totals", "SHOW STATS_TOTALS", stats_totals)};
constexpr OptionalColumn since_1_24[] = {{{}, "load_balance_hosts"}};
constexpr Query with_optional(Query query, std::span<const OptionalColumn> optional) {
  query.optional = optional;
  return query;
}
constexpr Query pools_query[] = {with_optional(show_many("pools", "SHOW POOLS", pools, most_pools), since_1_24)};
constexpr Query databases_query[] = {show("databases", "SHOW DATABASES", databases)};
constexpr Query lists_query[] = {show_pairs("lists", "SHOW LISTS", lists)};
constexpr Query config_query[] = {show_pairs("config", "SHOW CONFIG", config)};
constexpr Query users_query[] = {show_many("users", "SHOW USERS", users, most_pools)};
constexpr Query mem_query[] = {show("mem", "SHOW MEM", mem)};
constexpr Query state_query[] = {show_pairs("state", "SHOW STATE", state, v1_19)};
constexpr Query peers_query[] = {show("peers", "SHOW PEERS", peers, v1_19)};
constexpr Query peer_pools_query[] = {show("peer_pools", "SHOW PEER_POOLS", peer_pools, v1_19)};
constexpr Query clients_query[] = {show_many("clients", "SHOW CLIENTS", {}, most_connections)};
constexpr Query servers_query[] = {show_many("servers", "SHOW SERVERS", {}, most_connections)};

using std::chrono::seconds;

// The first four are asked at every scrape. The others change by RELOAD or SET only, or have an answer that grows with
// the connections, which PgBouncer's one thread writes while everybody waits.
constexpr Collector commands[] = {
    {.name = "stats_totals", .queries = stats_totals_query},
    {.name = "pools", .queries = pools_query, .make_treatment = make_pools_treatment},
    {.name = "databases", .queries = databases_query},
    {.name = "lists", .queries = lists_query},
    {.name = "config", .ttl = seconds(60), .queries = config_query, .make_treatment = make_config_treatment},
    {.name = "users", .ttl = seconds(60), .queries = users_query, .make_treatment = make_users_treatment},
    {.name = "state", .ttl = seconds(5), .queries = state_query, .make_treatment = make_state_treatment},
    {.name = "mem", .ttl = seconds(60), .queries = mem_query},
    {.name = "peers", .ttl = seconds(60), .queries = peers_query},
    {.name = "peer_pools", .ttl = seconds(15), .queries = peer_pools_query},
    {.name = "clients", .ttl = seconds(15), .queries = clients_query, .make_treatment = make_clients_treatment},
    {.name = "servers", .ttl = seconds(15), .queries = servers_query, .make_treatment = make_servers_treatment},
};

}  // namespace

std::span<const Collector> pgbouncer_catalog() noexcept {
  return commands;
}

}  // namespace midst::sources
