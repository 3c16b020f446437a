// RESP2 both ways: commands to bytes, bytes to replies. hiredis does it; only resp.cpp includes it.
// Used by connection.cpp. Stops at bytes: no sockets, no time.
#pragma once

#include "lib/base/deadline.hpp"
#include "lib/base/error.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/reply.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace midst::redis {

/// Appends the commands to `wire` as the server reads them, one behind the other.
/// @return Errc::config when a command is empty, Errc::internal when memory is out.
[[nodiscard]] Result<Done> append_commands(std::string& wire, std::span<const Command> commands);

/// Turns bytes, cut anywhere, into replies. After an error it must not be fed again.
class ReplyReader {
 public:
  /// @param max_bytes  how much may be fed, and how much memory the replies may take; more is Errc::limit.
  explicit ReplyReader(std::size_t max_bytes);
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  /// Takes the next bytes and parses what is complete, up to `wanted` replies in all.
  /// @return Errc::protocol or Errc::limit.
  [[nodiscard]] Result<Done> feed(std::string_view bytes, std::size_t wanted);

  /// @return complete replies so far.
  [[nodiscard]] const std::vector<Reply>& replies() const noexcept;
  /// @return the replies, which leave the reader.
  [[nodiscard]] std::vector<Reply> take();
  /// @return whether bytes are left behind the last complete reply.
  [[nodiscard]] bool has_rest() const noexcept;

 private:
  class Tree;
  struct FreeReader {
    void operator()(redisReader* reader) const noexcept;
  };

  std::unique_ptr<Tree> tree_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::size_t max_bytes_;
  std::size_t fed_bytes_ = 0;
};

}  // namespace midst::redis
