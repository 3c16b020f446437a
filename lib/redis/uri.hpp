// Where a Redis is and how to log in: parsing and redaction of redis:// URLs.
#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace midst::redis {

/// A parsed URL. `username` and `password` come from the URL or are set by the caller from the configuration.
struct Uri {
  std::string host = "localhost";  ///< Name or address; IPv6 without brackets. Unused when unix_path is set.
  std::uint16_t port = 6379;
  std::string unix_path;           ///< Non-empty: a Unix socket.
  bool has_tls = false;            ///< rediss:// or valkeys://
  std::string username, password;  ///< Empty password: no AUTH is sent.
  int database = 0;                ///< SELECTed after connecting when not 0.

  /// @return "redis://host:port/0" without user and password; for logs and error messages.
  [[nodiscard]] std::string redacted() const;
};

/// Accepts redis:// rediss:// valkey:// valkeys:// tcp:// unix:///path and bare host:port or /path.
/// @return Errc::config with a message that never repeats the password.
[[nodiscard]] Result<Uri> parse_uri(std::string_view text);

}  // namespace midst::redis
