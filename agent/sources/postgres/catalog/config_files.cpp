// Lines of the server's configuration files that it could not take. Off by default: only a superuser, or a role that
// was granted the views and their functions, may look.
#include "agent/sources/postgres/catalog.hpp"

namespace midst::sources {
namespace {

constexpr Column settings_columns[] = {
    {"errors", Use::gauge, "pg_file_settings_errors",
     "Lines of the configuration files that cannot be applied, those that wait for a restart included."},
};
constexpr Column hba_columns[] = {
    {"errors", Use::gauge, "pg_hba_file_rules_errors", "Lines of pg_hba.conf that are not valid."},
};
constexpr Column ident_columns[] = {
    {"errors", Use::gauge, "pg_ident_file_mappings_errors", "Lines of pg_ident.conf that are not valid; 15 and later."},
};

constexpr Query queries[] = {{.name = "config_files_settings",
                              .sql = R"(
SELECT pg_catalog.count(*) AS errors FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL)",
                              .columns = settings_columns},
                             {.name = "config_files_hba",
                              .sql = R"(
SELECT pg_catalog.count(*) AS errors FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL)",
                              .columns = hba_columns},
                             {.name = "config_files_ident",
                              .from_version = 150'000,
                              .sql = R"(
SELECT pg_catalog.count(*) AS errors FROM pg_catalog.pg_ident_file_mappings WHERE error IS NOT NULL)",
                              .columns = ident_columns}};

}  // namespace

constinit const Collector config_files_collector{
    .name = "config_files", .runs = Default::off, .ttl = std::chrono::seconds(60), .queries = queries};

}  // namespace midst::sources
