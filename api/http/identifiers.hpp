// Identifiers that come from outside or go there: UUIDs and request ids. Pure but for the random source.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace midst::api {

/// @return the UUID in lower case, or nothing if the text is none: 8-4-4-4-12 hex digits, any version (RFC 9562).
[[nodiscard]] std::optional<std::string> parse_uuid(std::string_view text);

/// @return a new random UUID (version 4) from the system's random source.
[[nodiscard]] std::string make_uuid();

/// @return whether a client's X-Request-Id may travel on into logs and answers: 1 to 64 of A-Z a-z 0-9 . _ -
[[nodiscard]] bool is_request_id(std::string_view text) noexcept;

}  // namespace midst::api
