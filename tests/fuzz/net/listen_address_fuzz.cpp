// What parses must print to something that parses to the same.
#include "lib/net/sockets.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto address = midst::net::parse_listen_address({reinterpret_cast<const char*>(data), size});
  if (!address) return 0;
  if (address->unix_path.size() > 107) std::abort();
  const auto again = midst::net::parse_listen_address(midst::net::format_address(*address));
  if (!again || again->host != address->host || again->port != address->port || again->unix_path != address->unix_path)
    std::abort();
  return 0;
}
