// A byte stream of StatsD lines cut into lines: frames with a length before them, as DogStatsD's clients write, or
// lines that newlines end, as all others do. Which of the two shows in the first four bytes. No sockets.
#pragma once

#include "agent/ingest/statsd/statsd.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace midst::ingest::statsd {

class StreamCutter {
 public:
  /// Text as a length would be more than 500 MB, so what is not above this is a length (bytes).
  static constexpr std::uint32_t max_frame = 1024 * 1024;
  /// A line that is longer is passed over and counted.
  static constexpr std::size_t max_line = 64 * 1024;

  explicit StreamCutter(Statsd& statsd) : statsd_(statsd) {}

  /// Gives every whole line to the Statsd and keeps the beginning of the next.
  /// @return false when the stream cannot be understood any more: a frame is too long.
  [[nodiscard]] bool feed(std::string_view bytes, SteadyTime now);
  /// The stream has ended: its last line counts without a newline, unless its frame is cut off.
  void finish(SteadyTime now);

 private:
  enum class Framing : std::uint8_t { unknown, lengths, newlines };

  [[nodiscard]] bool take_frames(std::string_view bytes, SteadyTime now);
  void take_lines(std::string_view bytes, SteadyTime now);
  void end_line(SteadyTime now);
  void keep(std::string_view bytes);

  Statsd& statsd_;
  Framing framing_ = Framing::unknown;
  std::string head_;              ///< Of fewer than four bytes: a length that has not come whole.
  std::string line_;              ///< The beginning of a line.
  std::uint32_t frame_left_ = 0;  ///< Bytes of the frame under way that have not come.
  bool is_passing_ = false;       ///< The line under way is too long.
};

}  // namespace midst::ingest::statsd
