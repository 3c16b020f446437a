#include "agent/sources/redis/refusals.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace midst::sources::redis_info {
namespace {

/// Commands whose first argument is a subcommand with a right of its own.
constexpr std::string_view containers[] = {"acl",    "client", "cluster",  "command", "commandlog", "config", "latency",
                                           "memory", "module", "sentinel", "server",  "slowlog",    "xinfo"};

std::string whole_text(const redis::Command& command) {
  std::string text;
  for (const auto& word : command) {
    text += word;
    text += '\0';  // "a" "bc" is not "ab" "c"
  }
  return text;
}

/// "NOPERM No permissions to access a key": the command as such is allowed.
bool is_about_a_key(std::string_view error) noexcept {
  return error.find(" key") != std::string_view::npos || error.find(" channel") != std::string_view::npos;
}

}  // namespace

std::string command_name(const redis::Command& command) {
  if (command.empty()) return {};
  auto name = text::lower(command.front());
  const bool has_subcommand =
      command.size() > 1 && std::find(std::begin(containers), std::end(containers), name) != std::end(containers);
  if (has_subcommand) name += '|' + text::lower(command[1]);
  return name;
}

const redis::Reply* Refusals::find(const redis::Command& command, std::chrono::steady_clock::time_point now) const {
  if (refused_.empty()) return nullptr;
  for (const auto& key : {command_name(command), whole_text(command)}) {
    const auto found = refused_.find(key);
    if (found != refused_.end() && now - found->second.at < retry_after_) return &found->second.reply;
  }
  return nullptr;
}

bool Refusals::note(const redis::Command& command, const redis::Reply& reply,
                    std::chrono::steady_clock::time_point now) {
  if (!reply.is_error()) {
    if (!refused_.empty()) {
      refused_.erase(command_name(command));
      refused_.erase(whole_text(command));
    }
    return false;
  }
  const auto code = redis::classify(reply.text);
  if (code == Errc::noperm && is_about_a_key(reply.text)) {
    remember(whole_text(command), reply, now);
    return false;
  }
  if (code == Errc::noperm || code == Errc::unsupported) return remember(command_name(command), reply, now);
  return false;
}

void Refusals::note_oversized(const redis::Command& command, std::chrono::steady_clock::time_point now) {
  redis::Reply reply;
  reply.type = redis::Reply::Type::error;
  reply.text = "ERR the reply is larger than limits.max_reply_bytes";
  remember(command_name(command), std::move(reply), now);
}

bool Refusals::remember(std::string key, redis::Reply reply, std::chrono::steady_clock::time_point now) {
  const bool is_known = refused_.contains(key);
  if (refused_.size() >= limit && !is_known) return false;
  refused_.insert_or_assign(std::move(key), Refusal{std::move(reply), now});
  return !is_known;
}

}  // namespace midst::sources::redis_info
