// Whole conversations of several clients with one small Store: bytes are frames without their header (type, length,
// payload), so that the fuzzer need not guess lengths. Limits hold and counters never fall, whatever comes.
#include "agent/ingest/session.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace ingest = midst::ingest;
namespace wire = midst::push::wire;

namespace {

ingest::StoreLimits small_limits() {
  ingest::StoreLimits limits;
  limits.max_series = 8;
  limits.max_series_per_client = 4;
  limits.max_series_per_family = 3;
  limits.max_families = 4;
  limits.max_families_per_client = 3;
  limits.max_instances = 3;
  limits.max_client_values = 40;
  limits.max_exemplars = 3;
  return limits;
}

void require(bool is_true) {
  if (!is_true) std::abort();
}

/// Reads one byte off the front, 0 at the end.
std::uint8_t take(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  return first;
}

std::string hello(std::uint8_t instance, std::uint64_t epoch) {
  wire::Hello message;
  message.instance.fill(instance);
  message.agent_epoch = epoch;
  std::string out;
  wire::encode(out, message);
  return out;
}

class World {
 public:
  void step(std::string_view& bytes) {
    const auto what = take(bytes);
    now_ += std::chrono::seconds(what >> 5);
    const auto who = static_cast<std::uint8_t>(what & 3);
    auto& session = sessions_[who];
    if (!session || (what & 0x1c) == 0x1c) {
      session = std::make_unique<ingest::Session>(store_, ingest::Peer{}, wire::smallest_max_frame);
      feed(who, hello(take(bytes) % 5, (what & 4) != 0 ? store_.epoch() : 0));
      return;
    }
    const auto type = take(bytes);
    const auto payload = bytes.substr(0, take(bytes));
    bytes.remove_prefix(std::min(bytes.size(), payload.size()));
    std::string frame(wire::header_bytes, '\0');
    frame[0] = static_cast<char>(payload.size());
    frame[4] = static_cast<char>(type % 9);
    feed(who, frame.append(payload));
  }

  void check() {
    const auto levels = store_.levels();
    const auto limits = small_limits();
    // One overflow series a family comes on top.
    require(levels.series <= limits.max_series + limits.max_families);
    require(levels.families <= limits.max_families);
    require(levels.attached + levels.detached <= limits.max_instances + sessions_.size());
    static_cast<void>(store_.snapshot(now_));
  }

 private:
  void feed(std::uint8_t who, const std::string& frame) {
    std::string replies;
    const auto ended = sessions_[who]->feed(frame, now_, replies);
    for (std::string_view rest = replies; !rest.empty();) {
      const auto header = wire::decode_header(rest.data());
      require(header.length + wire::header_bytes <= rest.size());
      rest.remove_prefix(header.length + wire::header_bytes);
    }
    if (ended) sessions_[who].reset();
  }

  ingest::Store store_{small_limits()};
  std::map<std::uint8_t, std::unique_ptr<ingest::Session>> sessions_;
  ingest::SteadyTime now_{std::chrono::hours(1)};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  World world;
  while (!bytes.empty()) world.step(bytes);
  world.check();
  return 0;
}
