// One row of pg_settings → one metric. Postgres prints a setting in the unit of its row ("8kB", "min", …); some managed
// services print the unit inside the value. Pure.
#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace midst::sources {

/// A setting in base units.
struct Setting {
  std::string metric;     ///< pg_settings_<name>[_seconds|_bytes]
  std::string_view unit;  ///< "seconds", "bytes" or empty.
  std::string help;
  double value = 0;  ///< −1 ("off", "automatic") stays −1 whatever the unit.
};

/// @param name     "shared_buffers", "plpgsql.extra_warnings".
/// @param setting  "16384", "on", "-1"; also with a unit of its own, "128MB", which then wins over `unit`.
/// @param unit     "8kB", "min", "" …: an optional count and one of us ms s min h d B kB MB GB TB.
/// @param vartype  "bool", "integer" or "real"; others have no number.
/// @return Errc::protocol for a value that is no number of that type, or for a unit that is not known.
[[nodiscard]] Result<Setting> describe_setting(std::string_view name, std::string_view setting, std::string_view unit,
                                               std::string_view vartype);

}  // namespace midst::sources
