// Any Accept header: an answer always, the same one for the same header, and never a format that was not named.
#include "lib/base/text.hpp"
#include "lib/metrics/encode.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using midst::metrics::Format;
  const std::string accept(reinterpret_cast<const char*>(data), size);
  const auto format = midst::metrics::negotiate(accept);
  if (format != midst::metrics::negotiate(accept)) std::abort();
  std::string lower = accept;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto names = [&](std::string_view word) { return lower.find(word) != std::string::npos; };
  if (format == Format::openmetrics && !names("application/openmetrics-text")) std::abort();
  if (format == Format::protobuf && !(names("application/vnd.google.protobuf") && names("delimited"))) std::abort();
  if (midst::metrics::content_type(format).empty()) std::abort();
  return 0;
}
