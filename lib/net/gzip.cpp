#include "lib/net/gzip.hpp"

#include "lib/base/text.hpp"

#include <zlib.h>

#include <limits>
#include <optional>

namespace midst::net {
namespace {

/// The weight of one list element, "gzip;q=0.5" → 0.5; 1 when none is given, 0 when it makes no sense.
double weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto parameter = text::trim(text::take_until(parameters, ';'));
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    const auto weight = text::parse_number(parameter.substr(2));
    return weight && *weight >= 0 && *weight <= 1 ? *weight : 0;
  }
  return 1;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<double> gzip, identity, any;
  while (!accept_encoding.empty()) {
    auto element = text::take_until(accept_encoding, ',');
    const auto coding = text::trim(text::take_until(element, ';'));
    const double weight = weight_of(element);
    if (text::equal_ignoring_case(coding, "gzip") || text::equal_ignoring_case(coding, "x-gzip"))
      gzip = weight;
    else if (text::equal_ignoring_case(coding, "identity"))
      identity = weight;
    else if (coding == "*")
      any = weight;
  }
  const double wish = gzip.value_or(any.value_or(0));
  return wish > 0 && wish >= identity.value_or(0);
}

Result<std::string> gzip(std::string_view bytes) {
  constexpr int window_bits_gzip = 15 + 16;  // zlib.h, deflateInit2: 16 more asks for the gzip wrapper
  constexpr int memory_level = 8;
  if (bytes.size() > std::numeric_limits<uInt>::max()) return Error{Errc::limit, "gzip: more than 4 GiB"};
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, window_bits_gzip, memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
    return Error{Errc::internal, "gzip: no memory"};
  std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib reads it only
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) return Error{Errc::internal, "gzip: deflate did not finish"};
  return out;
}

}  // namespace midst::net
