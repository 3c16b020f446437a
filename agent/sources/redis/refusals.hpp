// What a server has refused: a denied or unknown command is sent once, not at every scrape.
#pragma once

#include "lib/redis/connection.hpp"
#include "lib/redis/reply.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace midst::sources::redis_info {

/// @return what a command is called in ACL rules and counters: "config|get", "info"; its arguments are not in it.
[[nodiscard]] std::string command_name(const redis::Command& command);

/// The refusals of one server process. Bounded: at `limit` further ones are not remembered, only repeated.
class Refusals {
 public:
  static constexpr std::size_t limit = 512;

  /// @param retry_after  how long a refusal counts.
  explicit Refusals(std::chrono::seconds retry_after) noexcept : retry_after_(retry_after) {}

  /// @return the reply to take for granted instead of sending the command, or nullptr when it is to be sent.
  [[nodiscard]] const redis::Reply* find(const redis::Command& command,
                                         std::chrono::steady_clock::time_point now) const;

  /// Takes note of a reply to a command that was sent. A command without permission or unknown to the server is
  /// remembered by its name; one that may not touch a key, by its whole text.
  /// @return whether the command as such is refused and that was not known: worth a line in the log.
  bool note(const redis::Command& command, const redis::Reply& reply, std::chrono::steady_clock::time_point now);

  /// Remembers a command whose reply is more than may be read.
  void note_oversized(const redis::Command& command, std::chrono::steady_clock::time_point now);

  /// Another server process answers: it may allow what this one did not.
  void clear() noexcept { refused_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return refused_.size(); }

 private:
  struct Refusal {
    redis::Reply reply;
    std::chrono::steady_clock::time_point at;
  };
  bool remember(std::string key, redis::Reply reply, std::chrono::steady_clock::time_point now);

  std::chrono::seconds retry_after_;
  std::unordered_map<std::string, Refusal> refused_;
};

}  // namespace midst::sources::redis_info
