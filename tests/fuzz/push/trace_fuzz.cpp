// traceparent headers: what is accepted names a trace and a span, and written out again reads the same.
#include "lib/push/trace.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool is_true) {
  if (!is_true) std::abort();
}

template <class Bytes>
std::string hex(const Bytes& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  const auto trace = midst::push::sampled_trace(header);
  if (!trace) return 0;
  require(trace->is_valid());
  require(header.substr(3, 49) == hex(trace->trace_id) + "-" + hex(trace->span_id));
  require(midst::push::sampled_trace("00-" + hex(trace->trace_id) + "-" + hex(trace->span_id) + "-01") == trace);
  return 0;
}
