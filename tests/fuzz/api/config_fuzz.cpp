// Any text as configs/midst-api.toml: it is taken or refused with a place, never more.
#include "api/app/config.hpp"

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto nothing = [](const char*) -> std::optional<std::string> { return std::nullopt; };
  const auto loaded = midst::api::parse_config(text, "f", nothing);
  for (const auto& error : loaded.errors)
    if (!error.starts_with("f:") && !error.starts_with("JWT_SECRET: ")) std::abort();
  return 0;
}
