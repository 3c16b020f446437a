#include "agent/ingest/session.hpp"

#include "agent/ingest/shared_cells.hpp"
#include "lib/base/log.hpp"
#include "lib/push/shared_layout.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace midst::ingest {
namespace {

/// Told in one ACK at most; the rest shows in the metrics alone. Keeps an ACK below one frame.
constexpr std::size_t max_rejected_told = 1024;

/// A client whose snapshots come faster is asked to wait: no page needs them so often.
constexpr std::chrono::milliseconds shortest_interval{100};

using namespace std::chrono_literals;

}  // namespace

Session::Session(Store& store, Peer peer, std::size_t max_frame)
    : store_(store), peer_(peer), max_frame_(std::clamp(max_frame, wire::smallest_max_frame, wire::largest_max_frame)) {
}

Session::~Session() {
  end(last_seen_);
}

void Session::end(SteadyTime now) {
  if (key_ != 0) store_.detach(std::exchange(key_, 0), now);
}

std::optional<Disconnect> Session::feed(std::string_view bytes, SteadyTime now, std::string& replies) {
  last_seen_ = now;
  store_.counters().bytes += bytes.size();
  if (!partial_.empty()) {
    partial_.append(bytes);
    bytes = partial_;
  }
  while (bytes.size() >= wire::header_bytes) {
    const auto header = wire::decode_header(bytes.data());
    if (header.length > max_frame_)
      return refuse(wire::ErrorCode::protocol,
                    fmt::format("a frame of {} bytes; {} are allowed", header.length, max_frame_), replies);
    if (bytes.size() < wire::header_bytes + header.length) break;
    const auto ended = handle(header, bytes.substr(wire::header_bytes, header.length), now, replies);
    if (ended) return ended;
    bytes.remove_prefix(wire::header_bytes + header.length);
  }
  partial_ = std::string(bytes);  // a new string: an idle connection keeps no buffer
  return std::nullopt;
}

std::optional<Disconnect> Session::handle(wire::FrameHeader header, std::string_view payload, SteadyTime now,
                                          std::string& replies) {
  auto& frames = store_.counters().frames;
  if (header.type >= wire::first_ignorable_type) {
    ++frames[0];
    return std::nullopt;
  }
  const auto type = static_cast<wire::Type>(header.type);
  if (header.type < frames.size()) ++frames[header.type];
  if (!is_greeted() && type != wire::Type::hello)
    return refuse(wire::ErrorCode::protocol, "the first frame is not HELLO", replies);
  if (is_greeted() && !store_.is_attached(key_)) return Disconnect::superseded;
  switch (type) {
    case wire::Type::hello:
      return handle_hello(payload, now, replies);
    case wire::Type::family:
      return handle_family(payload, replies);
    case wire::Type::series:
      return handle_series(payload, replies);
    case wire::Type::snap:
      return handle_snap(payload, replies);
    case wire::Type::bye:
      store_.retire(std::exchange(key_, 0));
      return Disconnect::bye;
    default:
      return refuse(wire::ErrorCode::protocol, fmt::format("unknown frame type {}", header.type), replies);
  }
}

std::optional<Disconnect> Session::handle_hello(std::string_view payload, SteadyTime now, std::string& replies) {
  if (is_greeted()) return refuse(wire::ErrorCode::protocol, "a second HELLO", replies);
  const auto hello = wire::decode_hello(payload);
  if (!hello) return refuse(wire::ErrorCode::protocol, hello.error().message, replies);
  if (hello->major != wire::major_version)
    return refuse(wire::ErrorCode::version,
                  fmt::format("protocol {}.{} is not spoken here; {}.{} is", hello->major, hello->minor,
                              wire::major_version, wire::minor_version),
                  replies);
  auto attachment = store_.attach(*hello, peer_, now);
  key_ = attachment.key;
  attachment.welcome.features = hello->features & wire::feature_exemplars;
  attachment.welcome.max_frame = static_cast<std::uint32_t>(max_frame_);
  if (const auto memory = std::exchange(memory_, {}); (hello->features & push::shared::feature) != 0) {
    auto cells = SharedCells::open(memory);
    if (cells) attachment.welcome.features |= push::shared::feature;
    store_.counters().count_memory(cells.has_value());
    if (cells)
      store_.share(key_, std::move(*cells));
    else
      log::debug("push client's memory not used", {{"resource", hello->resource}, {"error", cells.error().message}});
  }
  wire::encode(replies, attachment.welcome);
  log::debug("push client attached", {{"resource", hello->resource},
                                      {"library", hello->library},
                                      {"pid", peer_.pid},
                                      {"uid", peer_.uid},
                                      {"full", attachment.welcome.wants_full}});
  return std::nullopt;
}

std::optional<Disconnect> Session::handle_family(std::string_view payload, std::string& replies) {
  const auto definition = wire::decode_family(payload);
  if (!definition) return refuse(wire::ErrorCode::protocol, definition.error().message, replies);
  const auto reason = store_.define(key_, *definition);
  if (reason == Refusal::none) return std::nullopt;
  wire::Err err;
  err.code = wire::ErrorCode::family_refused;
  err.text = fmt::format("family {} refused: {}", definition->name, wire::word(reason));
  err.text.resize(std::min(err.text.size(), wire::max_text_bytes));
  err.family = definition->id;
  err.reason = reason;
  wire::encode(replies, err);
  log::debug("push family refused",
             {{"family", definition->name}, {"reason", wire::word(reason)}, {"pid", peer_.pid}, {"uid", peer_.uid}});
  return std::nullopt;
}

std::optional<Disconnect> Session::handle_series(std::string_view payload, std::string& replies) {
  const auto definition = wire::decode_series(payload);
  if (!definition) return refuse(wire::ErrorCode::protocol, definition.error().message, replies);
  const auto reason = store_.define(key_, *definition);
  // One in an overflow series goes on being sent, so that the sum stays right; only the others are told to stop.
  const bool counts_nowhere =
      reason == Refusal::invalid || reason == Refusal::unknown_family || reason == Refusal::redefined;
  if (counts_nowhere && rejected_.size() < max_rejected_told) rejected_.push_back({definition->id, reason});
  return std::nullopt;
}

std::optional<Disconnect> Session::handle_snap(std::string_view payload, std::string& replies) {
  const auto snap = wire::decode_snap(payload);
  if (!snap) return refuse(wire::ErrorCode::protocol, snap.error().message, replies);
  if (const auto applied = store_.apply(key_, *snap); !applied)
    return refuse(wire::ErrorCode::protocol, applied.error().message, replies);
  if (!snap->is_last) return std::nullopt;
  wire::Ack ack;
  ack.seq = snap->seq;
  ack.rejected = std::exchange(rejected_, {});
  const auto since = last_seen_ - std::exchange(last_snapshot_, last_seen_);
  if (since < shortest_interval) ack.pause_ms = static_cast<std::uint32_t>((shortest_interval - since) / 1ms);
  wire::encode(replies, ack);
  return std::nullopt;
}

Disconnect Session::refuse(wire::ErrorCode code, std::string_view text, std::string& replies) {
  wire::Err err;
  err.code = code;
  err.is_fatal = true;
  err.text = text.substr(0, wire::max_text_bytes);
  wire::encode(replies, err);
  return Disconnect::protocol_error;
}

}  // namespace midst::ingest
