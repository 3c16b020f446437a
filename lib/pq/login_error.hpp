// Why a login failed, from libpq's words: before a connection stands, libpq tells nothing but text. Pure.
#pragma once

#include "lib/base/error.hpp"

#include <string_view>

namespace midst::pq {

/// @param message  PQerrorMessage() of a failed connection attempt, taken with PQERRORS_VERBOSE, so that the server's
///                 errors carry their SQLSTATE. Of several hosts the last one's reason decides.
/// @return the kind, and the message in one line without source locations and hints.
[[nodiscard]] Error login_error(std::string_view message);

}  // namespace midst::pq
