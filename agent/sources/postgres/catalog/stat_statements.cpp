// pg_stat_statements without its texts: the server would read the whole file of them. Which columns there are depends
// on the version of the extension, which can be older than the server, so all that vary are looked up.
#include "agent/sources/postgres/catalog.hpp"
#include "agent/sources/postgres/top/top_statements.hpp"

namespace midst::sources {
namespace {

constexpr std::string_view relation = "pg_stat_statements", info = "pg_stat_statements_info";

constexpr Column counted(std::string_view column, std::string_view name, std::string_view help, double scale = 1) {
  return {.column = column, .use = Use::counter, .name = name, .help = help, .scale = scale, .null = NullAs::zero};
}

constexpr double milliseconds = 0.001;

/// Neither label nor metric: when the counts began and who sees them. See TopStatements.
constexpr Column info_columns[] = {
    counted("dealloc", "pg_stat_statements_dealloc_total",
            "Times the server dropped its least executed statements because there were more than "
            "pg_stat_statements.max."),
    {"stats_reset", Use::gauge, "pg_stat_statements_stats_reset_timestamp_seconds",
     "When all statements were last reset, in Unix time."},
    {"max_entries", Use::gauge, "pg_stat_statements_max_entries", "Statements that the server keeps at most."},
};

constexpr OptionalColumn info_optional[] = {
    {info, "dealloc", "(SELECT i.dealloc FROM {schema}.pg_stat_statements_info i) AS dealloc"},
    {info, "stats_reset",
     "(SELECT EXTRACT(EPOCH FROM i.stats_reset) FROM {schema}.pg_stat_statements_info i) AS stats_reset"},
};

constexpr Column columns[] = {
    {"user", Use::label},
    {"datname", Use::label},
    {"queryid", Use::label},
    counted("calls", "pg_stat_statements_calls_total", "Executions of the statement."),
    counted("exec_time", "pg_stat_statements_seconds_total", "Time spent executing the statement.", milliseconds),
    counted("rows", "pg_stat_statements_rows_total", "Rows the statement returned or changed."),
    counted("read_time", "pg_stat_statements_block_read_seconds_total",
            "Time the statement spent reading blocks; needs track_io_timing.", milliseconds),
    counted("write_time", "pg_stat_statements_block_write_seconds_total",
            "Time the statement spent writing blocks; needs track_io_timing.", milliseconds),
    counted("temp_read_bytes", "pg_stat_statements_temp_read_bytes_total",
            "Bytes the statement read from temporary files."),
    counted("temp_written_bytes", "pg_stat_statements_temp_written_bytes_total",
            "Bytes the statement wrote to temporary files."),
    counted("wal_bytes", "pg_stat_statements_wal_bytes_total", "WAL the statement generated."),
    counted("plans", "pg_stat_statements_plans_total",
            "Times the statement was planned; needs pg_stat_statements.track_planning."),
    counted("plan_time", "pg_stat_statements_plan_seconds_total",
            "Time spent planning the statement; needs pg_stat_statements.track_planning.", milliseconds),
    counted("jit_time", "pg_stat_statements_jit_seconds_total", "Time spent on just-in-time compilation.",
            milliseconds),
};

constexpr OptionalColumn optional[] = {
    {relation, "total_time", "s.total_time AS exec_time"},            // Until 1.7.
    {relation, "total_exec_time", "s.total_exec_time AS exec_time"},  // Since 1.8, with plans and WAL.
    {relation, "total_plan_time", "s.total_plan_time AS plan_time"},
    {relation, "plans", "s.plans"},
    {relation, "wal_bytes", "s.wal_bytes"},
    {relation, "toplevel", "s.toplevel"},                         // Since 1.9.
    {relation, "blk_read_time", "s.blk_read_time AS read_time"},  // Until 1.10.
    {relation, "blk_write_time", "s.blk_write_time AS write_time"},
    {relation, "shared_blk_read_time", "s.shared_blk_read_time AS read_time"},  // Since 1.11.
    {relation, "shared_blk_write_time", "s.shared_blk_write_time AS write_time"},
    {relation, "stats_since", "EXTRACT(EPOCH FROM s.stats_since) AS stats_since"},
    {relation, "jit_generation_time",  // Since 1.10, all four.
     "s.jit_generation_time + s.jit_inlining_time + s.jit_optimization_time + s.jit_emission_time AS jit_time"},
};

constexpr Query queries[] = {{.name = "stat_statements_info",
                              .from_version = 90'600,
                              .sql = R"(
SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) AS server_time,
       EXTRACT(EPOCH FROM pg_catalog.pg_postmaster_start_time()) AS started,
       (SELECT pg_catalog.pg_has_role(r.oid, 'USAGE')
          FROM pg_catalog.pg_roles r
         WHERE r.rolname = 'pg_read_all_stats') AS sees_all,
       pg_catalog.current_setting('pg_stat_statements.max', true)::bigint AS max_entries{optional})",
                              .columns = info_columns,
                              .optional = info_optional},
                             {.name = "stat_statements",
                              .from_version = 90'600,
                              .sql = R"(
SELECT s.userid, s.dbid, pg_catalog.pg_get_userbyid(s.userid) AS "user", d.datname, s.queryid, s.calls, s.rows,
       s.temp_blks_read * b.size AS temp_read_bytes, s.temp_blks_written * b.size AS temp_written_bytes{optional}
  FROM {schema}.pg_stat_statements(false) s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid
 CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS b)",
                              .columns = columns,
                              .max_rows = 50'000,
                              .optional = optional}};

}  // namespace

constinit const Collector stat_statements_collector{.name = "stat_statements",
                                                    .runs = Default::off,
                                                    .ttl = std::chrono::seconds(30),
                                                    .queries = queries,
                                                    .timeout = std::chrono::seconds(5),
                                                    .extension = "pg_stat_statements",
                                                    .make_treatment = make_top_statements};

}  // namespace midst::sources
