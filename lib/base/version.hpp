// What this build calls itself.
#pragma once

#include <string_view>

namespace midst {

/// @return the project's version, "0.1.0".
[[nodiscard]] std::string_view version() noexcept;

}  // namespace midst
