// Any text as a Redis URL: what is accepted is well-formed, and its redacted form leads to the same place.
#include "lib/redis/uri.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto uri = midst::redis::parse_uri({reinterpret_cast<const char*>(bytes), size});
  if (!uri) {
    if (uri.error().code != midst::Errc::config) std::abort();
    return 0;
  }
  if (uri->port == 0 || uri->database < 0 || uri->unix_path.size() > 107 || uri->host.empty()) std::abort();
  if (!uri->unix_path.empty() || uri->host.find_first_of("[]@/?#") != std::string::npos) return 0;
  const auto again = midst::redis::parse_uri(uri->redacted());
  if (!again || again->host != uri->host || again->port != uri->port || again->has_tls != uri->has_tls ||
      again->database != uri->database)
    std::abort();
  return 0;
}
