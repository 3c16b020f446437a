// Query strings and the two header values that are lists: Accept-Encoding and its weights.
#include "lib/net/gzip.hpp"
#include "lib/net/http_server.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  midst::net::Request request;
  request.query = bytes;
  for (const auto& value : request.parameters("a"))
    if (value.size() > size) std::abort();
  (void)request.parameters("collect[]");
  (void)midst::net::accepts_gzip(bytes);
  return 0;
}
