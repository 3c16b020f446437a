#include "agent/sources/redis/keys/key_walk.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

/// A cursor is an unsigned 64-bit number; what is longer is none, and would grow the commands.
constexpr std::size_t max_cursor_digits = 20;

}  // namespace

bool KeyPace::begin_scrape(const Round& round) noexcept {
  const auto left = std::max(round.deadline - round.now, std::chrono::steady_clock::duration::zero());
  stop_at_ = round.now + std::min<std::chrono::steady_clock::duration>(options_.time_per_scrape, left / 2);
  return is_wanted(round.facts) && !round.facts.is_loading && has_time(round);
}

bool KeyPace::begins_pass(const Round& round) noexcept {
  if (!due_.is_due(round.now)) return false;
  due_.done(round.now);
  return true;
}

bool KeyPace::is_wanted(const ServerFacts& facts) const noexcept {
  if (facts.is_sentinel) return false;
  return options_.roles == KeyRoles::any || (options_.roles == KeyRoles::replica) == facts.is_replica;
}

redis::Command KeyWalk::command() const {
  redis::Command command{"SCAN", cursor_};
  if (!pattern_.empty()) command.insert(command.end(), {"MATCH", pattern_});
  command.insert(command.end(), {"COUNT", std::to_string(batch_size_)});
  if (!type_.empty()) command.insert(command.end(), {"TYPE", type_});
  return command;
}

Result<std::span<redis::Reply>> KeyWalk::take(redis::Reply& reply) {
  if (reply.is_error()) return reply.to_error().with_context("SCAN");
  if (!reply.is_array() || reply.elements.size() != 2 || !reply.elements[1].is_array()) return misshapen("SCAN");
  const auto cursor = reply.elements[0].as_text();
  const bool is_cursor = cursor && !cursor->empty() && cursor->size() <= max_cursor_digits &&
                         cursor->find_first_not_of("0123456789") == std::string_view::npos;
  if (!is_cursor) return misshapen("SCAN");
  cursor_ = *cursor;
  is_done_ = cursor_ == "0";
  return std::span<redis::Reply>(reply.elements[1].elements);
}

void KeyWalk::restart() {
  cursor_ = "0";
  is_done_ = false;
}

}  // namespace midst::sources::redis_info
