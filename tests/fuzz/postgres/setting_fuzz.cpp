// pg_settings rows of any content: four fields separated by NUL.
#include "agent/sources/postgres/setting.hpp"
#include "lib/base/text.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto name = midst::text::take_until(rest, '\0');
  const auto setting = midst::text::take_until(rest, '\0');
  const auto unit = midst::text::take_until(rest, '\0');
  const auto described = midst::sources::describe_setting(name, setting, unit, rest);
  if (!described) return 0;
  if (!described->metric.starts_with("pg_settings_")) std::abort();
  const bool has_unit = described->metric.ends_with("_seconds") || described->metric.ends_with("_bytes");
  if (!described->unit.empty() && !has_unit) std::abort();
  return 0;
}
