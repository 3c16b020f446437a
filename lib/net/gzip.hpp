// Compression of answers: what the client allows, and the bytes. Pure; used by http_server.cpp.
#pragma once

#include "lib/base/error.hpp"

#include <string>
#include <string_view>

namespace midst::net {

/// @return whether an Accept-Encoding value allows gzip and does not prefer "identity" to it (RFC 9110, 12.5.3):
/// "q=0" forbids, "*" stands for what is not listed, an empty value allows nothing.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

/// @return `bytes` as one gzip member, level 1: pages shrink to about a tenth at the lowest cost of CPU.
/// Errc::internal when zlib has no memory.
[[nodiscard]] Result<std::string> gzip(std::string_view bytes);

}  // namespace midst::net
