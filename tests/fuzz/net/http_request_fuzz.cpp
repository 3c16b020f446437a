// Request bytes, cut in two at a place the input chooses: the cut must not change what is read.
#include "lib/net/http_message.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t header_bytes = 2048;
constexpr std::size_t body_bytes = 4096;

struct Outcome {
  unsigned refused = 0;
  bool is_done = false;
  std::string text;
  std::size_t taken = 0;
  bool operator==(const Outcome&) const = default;
};

/// Feeds `first`, then what is left of it with `second` behind it, as a connection does.
Outcome read(std::string_view first, std::string_view second) {
  midst::net::RequestReader reader(header_bytes, body_bytes);
  Outcome outcome;
  std::string unread(first);
  for (bool has_second = false;;) {
    const auto taken = reader.feed(unread);
    if (taken > unread.size()) std::abort();
    outcome.taken += taken;
    unread.erase(0, taken);
    if (reader.refusal() || reader.is_done()) break;
    if (has_second && taken == 0) break;
    if (has_second || second.empty()) {
      if (taken == 0) break;
      continue;
    }
    unread += second;
    has_second = true;
  }
  if (reader.refusal()) {
    outcome.refused = reader.refusal()->status;
    outcome.taken = 0;  // how far a broken request was read depends on how it came
    return outcome;
  }
  outcome.is_done = reader.is_done();
  if (!outcome.is_done) return Outcome{};
  const auto request = reader.take();
  if (request.body.size() > body_bytes) std::abort();
  outcome.text = request.method + '\n' + request.path + '\n' + request.query + '\n' + request.body;
  for (const auto& [name, value] : request.headers) outcome.text += '\n' + name + ':' + value;
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = (data[0] + 256U * data[1]) % (bytes.size() + 1);
  const auto whole = read(bytes, {});
  const auto parts = read(bytes.substr(0, cut), bytes.substr(cut));
  if (whole.is_done && !(whole == parts)) std::abort();
  if (whole.refused != 0 && parts.is_done) std::abort();
  return 0;
}
