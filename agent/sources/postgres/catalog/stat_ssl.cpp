// pg_stat_ssl: connections by TLS version. Compression left the view with 14, where nothing is compressed any more.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column columns[] = {
    {"version", Use::label},
    {"connections", Use::gauge, "pg_stat_ssl_connections",
     "Connections of clients by TLS version; the version is empty without TLS."},
};

constexpr Column compression_columns[] = {
    {"compression", Use::gauge, "pg_stat_ssl_compression", "Connections with TLS compression; up to 13."},
};

constexpr Query queries[] = {{.name = "stat_ssl",
                              .sql = R"(
SELECT coalesce(version, '') AS version, pg_catalog.count(*) AS connections
  FROM pg_catalog.pg_stat_ssl WHERE ssl IS NOT NULL
 GROUP BY 1)",
                              .columns = columns},
                             {.name = "stat_ssl_compression",
                              .before_version = 140'000,
                              .sql = R"(
SELECT pg_catalog.count(*) AS compression FROM pg_catalog.pg_stat_ssl WHERE compression)",
                              .columns = compression_columns}};

}  // namespace

constinit const Collector stat_ssl_collector{.name = "stat_ssl", .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
