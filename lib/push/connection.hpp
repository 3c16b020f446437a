// The client's end of the socket: connects, frames, keeps what the socket did not take. Never blocks, never raises
// SIGPIPE. Owned by the flush thread.
#pragma once

#include "lib/push/wire.hpp"

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace midst::push::detail {

class Connection {
 public:
  explicit Connection(std::string path);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// @return whether somebody accepted; a Unix socket answers at once.
  [[nodiscard]] bool open() noexcept;
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return descriptor_.load(std::memory_order_relaxed) >= 0; }
  /// @return the descriptor for poll(2), or -1.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.load(std::memory_order_relaxed); }

  /// Where frames are appended that write() shall send.
  [[nodiscard]] std::string& out() noexcept { return out_; }
  [[nodiscard]] bool has_unsent() const noexcept { return sent_ < out_.size(); }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }

  /// Sends a copy of a descriptor along with the next byte.
  void pass(int descriptor) noexcept { passed_ = descriptor; }

  /// Sends what the socket takes. @return false when the connection is broken.
  [[nodiscard]] bool write() noexcept;
  /// Reads what is there. @return false when the connection is broken or ended.
  [[nodiscard]] bool read();
  enum class Incoming { frame, none, broken };
  /// Takes the next whole frame that was read; `payload` is valid until the next read().
  [[nodiscard]] Incoming next(wire::FrameHeader& header, std::string_view& payload) noexcept;

 private:
  [[nodiscard]] bool is_still_ours() const noexcept;
  [[nodiscard]] ssize_t send(std::string_view bytes) noexcept;

  const std::string path_;
  std::atomic<int> descriptor_{-1};  ///< Atomic for the fork handler, which reads it in the child.
  int passed_ = -1;                  ///< To go with the next byte.
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::string out_, in_;
  std::size_t sent_ = 0, taken_ = 0;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace midst::push::detail
