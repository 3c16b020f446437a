// Every decoder of MPP/1 on any bytes; the first byte says which. What a decoder accepts, its encoder writes so that
// the decoder accepts it again.
#include "lib/push/wire.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace wire = midst::push::wire;

namespace {

void require(bool is_true) {
  if (!is_true) std::abort();
}

template <class Decode>
void round_trip(std::string_view payload, Decode decode) {
  const auto message = decode(payload);
  if (!message) return;
  std::string out;
  wire::encode(out, *message);
  require(decode(std::string_view(out).substr(wire::header_bytes)).has_value());
}

void walk(const wire::Snap& snap) {
  auto ids = snap.integer_ids, values = snap.integer_values;
  std::uint32_t id = 0;
  std::uint64_t whole = 0;
  double value = 0;
  while (wire::take_id(ids, id) && wire::take_varint(values, whole)) continue;
  ids = snap.double_ids;
  values = snap.double_values;
  while (wire::take_id(ids, id) && wire::take_double(values, value)) continue;
  for (const auto point : snap.histograms) static_cast<void>(wire::decode_histogram(point));
  for (const auto bytes : snap.exemplars) {
    const auto exemplar = wire::decode_exemplar(bytes);
    if (!exemplar) continue;
    wire::SnapEncoder encoder;
    encoder.add(*exemplar);
    std::string out;
    encoder.finish(out, snap);
    const auto again = wire::decode_snap(std::string_view(out).substr(wire::header_bytes));
    require(again && again->exemplars.size() == 1 &&
            wire::decode_exemplar(again->exemplars[0])->trace == exemplar->trace);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      round_trip(payload, wire::decode_hello);
      break;
    case 1:
      round_trip(payload, wire::decode_welcome);
      break;
    case 2:
      round_trip(payload, wire::decode_family);
      break;
    case 3:
      round_trip(payload, wire::decode_series);
      break;
    case 4:
      round_trip(payload, wire::decode_ack);
      break;
    case 5:
      round_trip(payload, wire::decode_err);
      break;
    default:
      if (const auto snap = wire::decode_snap(payload)) walk(*snap);
  }
  return 0;
}
