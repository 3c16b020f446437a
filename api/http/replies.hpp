// The shapes of answers: one for success, one for every failure. Pure.
#pragma once

#include "lib/base/error.hpp"
#include "lib/net/http_server.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace midst::api {

/// A field of a request that cannot be accepted.
struct FieldError {
  std::string field;    ///< Path from the top: "settings.visibility", "externalIds[2].value".
  std::string message;  ///< "must be …"; free of the client's bytes.
};
using FieldErrors = std::vector<FieldError>;

/// @param body  JSON text.
[[nodiscard]] net::Response json_reply(unsigned status, std::string body);

/// @return {"ok":false,"error":code,"message":message}. `code` is a stable word for programs, `message` a sentence for
/// people; neither ever holds what a store or a library said.
[[nodiscard]] net::Response error_reply(unsigned status, std::string_view code, std::string_view message);

/// @return 400 "validation_failed" with "fields": {"path": "message"}.
[[nodiscard]] net::Response validation_reply(const FieldErrors& errors);

/// @return the answer to a failure below the routes: 404 and 409 as they are, 503 with Retry-After for what passes by
/// itself (unreachable, late, full), 500 for the rest.
[[nodiscard]] net::Response reply_for(const Error& error);

}  // namespace midst::api
