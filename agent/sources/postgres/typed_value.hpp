// Values that are no plain numbers in Postgres' text form: points in time and spans of time. Pure; used by the
// interpreter for the SQL of operators, who select what the catalogue's own SQL would turn into numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace midst::sources {

/// Types of columns that are read in a way of their own, by their OIDs (PostgreSQL 15, pg_type.dat).
enum class ColumnType : std::uint32_t { boolean = 16, date = 1082, timestamp = 1114, timestamptz = 1184 };

/// @return whether values of this type are points in time.
[[nodiscard]] bool is_time(std::uint32_t type) noexcept;

/// @return Unix seconds of a date or timestamp in DateStyle ISO, "2026-11-23 20:03:49.5+01" or "infinity"; without an
/// offset it is UTC. Nothing for anything else.
[[nodiscard]] std::optional<double> parse_timestamp(std::string_view text) noexcept;

/// @return seconds of an interval in IntervalStyle postgres, "1 mon -2 days 03:04:05.6", or of a duration with units,
/// "1h30m", "250ms", "0". A month has 30 days and a year 365.25, as in EXTRACT(EPOCH). Nothing for anything else.
[[nodiscard]] std::optional<double> parse_span(std::string_view text) noexcept;

}  // namespace midst::sources
