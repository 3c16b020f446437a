#include "agent/sources/postgres/setting.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace midst::sources {
namespace {

struct Case {
  std::string_view name, setting, unit, vartype;
  std::string_view metric;  ///< Empty: refused.
  double value = 0;
};

constexpr double mib = 1024.0 * 1024;

constexpr Case cases[] = {
    // Plain numbers in each unit of a row.
    {"checkpoint_timeout", "300", "s", "integer", "pg_settings_checkpoint_timeout_seconds", 300},
    {"authentication_timeout", "1", "min", "integer", "pg_settings_authentication_timeout_seconds", 60},
    {"bgwriter_delay", "200", "ms", "integer", "pg_settings_bgwriter_delay_seconds", 0.2},
    {"x", "2", "h", "integer", "pg_settings_x_seconds", 7200},
    {"x", "2", "d", "integer", "pg_settings_x_seconds", 172800},
    {"x", "5", "us", "integer", "pg_settings_x_seconds", 5e-6},
    {"track_activity_query_size", "1024", "B", "integer", "pg_settings_track_activity_query_size_bytes", 1024},
    {"work_mem", "4096", "kB", "integer", "pg_settings_work_mem_bytes", 4 * mib},
    {"wal_segment_size", "16", "MB", "integer", "pg_settings_wal_segment_size_bytes", 16 * mib},
    {"x", "1", "GB", "integer", "pg_settings_x_bytes", 1024 * mib},
    {"x", "1", "TB", "integer", "pg_settings_x_bytes", 1024 * 1024 * mib},
    {"shared_buffers", "16384", "8kB", "integer", "pg_settings_shared_buffers_bytes", 128 * mib},
    {"x", "3", "16MB", "integer", "pg_settings_x_bytes", 48 * mib},
    {"x", "3", "64kB", "integer", "pg_settings_x_bytes", 196608},
    {"autovacuum_vacuum_cost_delay", "2", "ms", "real", "pg_settings_autovacuum_vacuum_cost_delay_seconds", 0.002},
    // No unit.
    {"random_page_cost", "4", "", "real", "pg_settings_random_page_cost", 4},
    {"log_file_mode", "0600", "", "integer", "pg_settings_log_file_mode", 600},
    {"autovacuum_vacuum_scale_factor", "0.2", "", "real", "pg_settings_autovacuum_vacuum_scale_factor", 0.2},
    // −1 means "off" or "automatic" and is no quantity.
    {"temp_file_limit", "-1", "kB", "integer", "pg_settings_temp_file_limit_bytes", -1},
    {"log_min_duration_statement", "-1", "ms", "integer", "pg_settings_log_min_duration_statement_seconds", -1},
    // A unit inside the value, as managed services print it, wins over the row's.
    {"shared_buffers", "88413056kB", "8kB", "integer", "pg_settings_shared_buffers_bytes", 90534969344.0},
    {"x", "16MB", "MB", "integer", "pg_settings_x_bytes", 16 * mib},
    {"x", "10ms", "ms", "integer", "pg_settings_x_seconds", 0.01},
    {"x", "5s", "ms", "integer", "pg_settings_x_seconds", 5},
    {"x", "1min", "s", "integer", "pg_settings_x_seconds", 60},
    {"x", "1.5 GB", "kB", "real", "pg_settings_x_bytes", 1536 * mib},
    {"x", "-1ms", "ms", "integer", "pg_settings_x_seconds", -1},
    // Booleans.
    {"autovacuum", "on", "", "bool", "pg_settings_autovacuum", 1},
    {"jit", "off", "", "bool", "pg_settings_jit", 0},
    {"x", "yes", "", "bool", "pg_settings_x", 1},
    {"x", "TRUE", "", "bool", "pg_settings_x", 1},
    {"x", "false", "", "bool", "pg_settings_x", 0},
    // Names of extensions.
    {"pg_stat_statements.max", "5000", "", "integer", "pg_settings_pg_stat_statements_max", 5000},
    {"google-columnar.x", "1", "", "integer", "pg_settings_google_columnar_x", 1},
    // Refused.
    {"x", "-1:100", "", "integer", "", 0},
    {"x", "0.000 (Normal)", "", "real", "", 0},
    {"x", "12", "parsecs", "integer", "", 0},
    {"x", "12", "8", "integer", "", 0},
    {"x", "12 parsecs", "s", "integer", "", 0},
    {"x", "12kB", "s", "integer", "", 0},
    {"x", "kB", "kB", "integer", "", 0},
    {"x", "", "", "integer", "", 0},
    {"x", "maybe", "", "bool", "", 0},
    {"x", "text", "", "string", "", 0},
    {"", "1", "", "integer", "", 0},
};

TEST(Setting, EachUnitBecomesSecondsOrBytesAndOddValuesAreRefused) {
  for (const auto& [name, setting, unit, vartype, metric, value] : cases) {
    const auto described = describe_setting(name, setting, unit, vartype);
    const auto what = std::string(name) + " = '" + std::string(setting) + "' " + std::string(unit);
    ASSERT_EQ(described.has_value(), !metric.empty()) << what;
    if (!described) {
      EXPECT_EQ(described.error().code, Errc::protocol) << what;
      continue;
    }
    EXPECT_EQ(described->metric, metric) << what;
    EXPECT_DOUBLE_EQ(described->value, value) << what;
    EXPECT_EQ(described->unit.empty(),
              !described->metric.ends_with("_seconds") && !described->metric.ends_with("_bytes"))
        << what;
  }
}

TEST(Setting, TheHelpSaysWhichSettingAndUnit) {
  EXPECT_EQ(describe_setting("work_mem", "1", "kB", "integer")->help, "Server setting work_mem, in bytes.");
  EXPECT_EQ(describe_setting("jit", "on", "", "bool")->help, "Server setting jit.");
}

}  // namespace
}  // namespace midst::sources
