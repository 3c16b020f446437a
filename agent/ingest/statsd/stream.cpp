#include "agent/ingest/statsd/stream.hpp"

#include <algorithm>
#include <utility>

namespace midst::ingest::statsd {
namespace {

constexpr std::size_t length_bytes = 4;

std::uint32_t length_of(std::string_view head) noexcept {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i)
    length |= static_cast<std::uint32_t>(static_cast<unsigned char>(head[i])) << (8 * i);
  return length;
}

}  // namespace

bool StreamCutter::feed(std::string_view bytes, SteadyTime now) {
  if (framing_ == Framing::unknown) {
    const auto size = std::min(length_bytes - head_.size(), bytes.size());
    head_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (head_.size() < length_bytes) return true;
    const auto head = std::exchange(head_, {});
    framing_ = length_of(head) <= max_frame ? Framing::lengths : Framing::newlines;
    if (!feed(head, now)) return false;
  }
  if (framing_ == Framing::lengths) return take_frames(bytes, now);
  take_lines(bytes, now);
  return true;
}

bool StreamCutter::take_frames(std::string_view bytes, SteadyTime now) {
  while (!bytes.empty()) {
    if (frame_left_ == 0) {
      const auto size = std::min(length_bytes - head_.size(), bytes.size());
      head_.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      if (head_.size() < length_bytes) return true;
      frame_left_ = length_of(std::exchange(head_, {}));
      if (frame_left_ > max_frame) return false;
      continue;
    }
    const auto part = bytes.substr(0, frame_left_);
    bytes.remove_prefix(part.size());
    frame_left_ -= static_cast<std::uint32_t>(part.size());
    take_lines(part, now);
    if (frame_left_ == 0) end_line(now);
  }
  return true;
}

void StreamCutter::take_lines(std::string_view bytes, SteadyTime now) {
  if (!line_.empty() || is_passing_) {
    const auto newline = bytes.find('\n');
    keep(bytes.substr(0, newline));
    if (newline == std::string_view::npos) return;
    end_line(now);
    bytes.remove_prefix(newline + 1);
  }
  const auto last = bytes.rfind('\n');
  if (last != std::string_view::npos) {
    statsd_.feed(bytes.substr(0, last), Protocol::stream, now);
    bytes.remove_prefix(last + 1);
  }
  keep(bytes);
}

void StreamCutter::keep(std::string_view bytes) {
  if (is_passing_) return;
  if (line_.size() + bytes.size() > max_line) {
    is_passing_ = true;
    line_ = {};
    statsd_.counters().count(Fault::too_long);
    return;
  }
  line_.append(bytes);
}

void StreamCutter::end_line(SteadyTime now) {
  if (!line_.empty()) statsd_.feed(line_, Protocol::stream, now);
  line_.clear();
  is_passing_ = false;
}

void StreamCutter::finish(SteadyTime now) {
  if (framing_ == Framing::unknown) line_ = std::exchange(head_, {});
  if (framing_ != Framing::lengths) end_line(now);
}

}  // namespace midst::ingest::statsd
