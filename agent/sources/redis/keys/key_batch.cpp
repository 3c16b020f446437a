#include "agent/sources/redis/keys/key_batch.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

namespace midst::sources::redis_info {
namespace {

constexpr std::chrono::hours refused_for{1};
constexpr int first_version_with_no_touch = 70200;  // redis.io, CLIENT NO-TOUCH, history; Valkey has it from the start

}  // namespace

void KeyBatch::begin(const Round& round) {
  entries_.clear();
  expected_.clear();
  connection_ = round.connection;
  wants_no_touch_ = round.facts.version >= first_version_with_no_touch || round.facts.valkey_version > 0;
  wants_readonly_ = round.facts.has_cluster && round.facts.is_replica;
}

void KeyBatch::add(int database, redis::Command command, KeyTicket ticket) {
  entries_.push_back({database, std::move(command), ticket});
}

void KeyBatch::end(Batch& batch) {
  if (entries_.empty()) return;
  add_prelude(batch);
  std::vector<std::size_t> order(entries_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The own database first, which needs no SELECT.
  const auto rank = [this](std::size_t i) {
    return std::pair(entries_[i].database != own_database_, entries_[i].database);
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  int selected = own_database_;
  for (const auto i : order) {
    if (entries_[i].database != selected) {
      selected = entries_[i].database;
      add_select(selected, batch);
    }
    batch.add(std::move(entries_[i].command));
    expected_.push_back({Expected::What::entry, i, selected});
  }
  if (selected != own_database_) add_select(own_database_, batch);
}

void KeyBatch::add_prelude(Batch& batch) {
  const bool is_fresh = connection_ != prepared_connection_;
  if (is_fresh && wants_no_touch_) {
    batch.add({"CLIENT", "NO-TOUCH", "ON"});
    expected_.push_back({Expected::What::ignored, 0, 0});
  }
  if (wants_readonly_ && (is_fresh || !prepared_as_replica_)) {
    batch.add({"READONLY"});
    expected_.push_back({Expected::What::ignored, 0, 0});
  }
}

void KeyBatch::add_select(int database, Batch& batch) {
  batch.add({"SELECT", std::to_string(database)});
  expected_.push_back({Expected::What::select, 0, database});
}

std::vector<KeyAnswer> KeyBatch::take(std::vector<redis::Reply> replies, const Round& round) {
  prepared_connection_ = connection_;
  prepared_as_replica_ = wants_readonly_;
  std::vector<KeyAnswer> answers;
  std::optional<redis::Reply> select_error;
  for (std::size_t i = 0; i < replies.size() && i < expected_.size(); ++i) {
    const auto& expected = expected_[i];
    if (expected.what == Expected::What::select) {
      select_error.reset();
      if (!replies[i].is_error()) continue;
      auto error = replies[i].to_error().with_context(fmt::format("SELECT {}", expected.database));
      if (error.code != Errc::loading && expected.database != own_database_)
        refused_.insert_or_assign(expected.database, Refusal{std::move(error), round.now});
      select_error = std::move(replies[i]);
    } else if (expected.what == Expected::What::entry) {
      answers.push_back({entries_[expected.entry].ticket, select_error ? *select_error : std::move(replies[i])});
    }
  }
  entries_.clear();
  expected_.clear();
  return answers;
}

const Error* KeyBatch::refusal(int database, std::chrono::steady_clock::time_point now) const {
  const auto found = refused_.find(database);
  return found != refused_.end() && now - found->second.at < refused_for ? &found->second.error : nullptr;
}

}  // namespace midst::sources::redis_info
