#include "agent/sources/redis/sampler/sampler_cycle.hpp"

#include "agent/sources/redis/sampler/sampler_check.hpp"

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using redis::Command;
using redis::Reply;

constexpr std::size_t max_databases = 64;
constexpr std::size_t max_watched_prefixes = 1024;
/// A longer key is counted, but neither looked at nor remembered.
constexpr std::size_t longest_key = 8 * 1024;
/// No element of any collection takes less: 2 bytes in a set of small integers.
constexpr std::uint64_t least_bytes_per_element = 2;

PrefixTableOptions table_options(const SamplerOptions& options) {
  PrefixTableOptions result;
  result.max_prefixes = options.max_prefixes;
  result.separators = options.separators;
  return result;
}

KeyPatternOptions pattern_options(const SamplerOptions& options) {
  KeyPatternOptions result;
  result.separators = options.separators;
  result.max_depth = options.max_depth;
  return result;
}

/// @return the command that tells how many elements a collection has, or nothing.
std::string_view size_command(KeyType type) noexcept {
  switch (type) {
    case KeyType::list:
      return "LLEN";
    case KeyType::set:
      return "SCARD";
    case KeyType::zset:
      return "ZCARD";
    case KeyType::hash:
      return "HLEN";
    case KeyType::stream:
      return "XLEN";
    case KeyType::string:
    case KeyType::other:
      break;
  }
  return {};
}

}  // namespace

/// Hands out the replies of a step in order.
class SamplerCycle::Replies {
 public:
  explicit Replies(const std::vector<Reply>& replies) : replies_(replies) {}
  [[nodiscard]] const Reply& next() { return replies_[at_++]; }

 private:
  const std::vector<Reply>& replies_;
  std::size_t at_ = 0;
};

SamplerCycle::SamplerCycle(const SamplerOptions& options, int connected_database, std::uint32_t seed)
    : options_(options),
      connected_database_(connected_database),
      pattern_(pattern_options(options)),
      fanout_(options.max_names, max_watched_prefixes),
      table_(table_options(options)),
      by_memory_(options.max_big_keys),
      by_elements_(options.max_big_keys),
      random_(seed) {
}

void SamplerCycle::begin(std::vector<CycleDatabase> databases) {
  table_.restart();
  walks_.clear();
  waiting_ = {};
  left_out_ = 0;
  std::sort(databases.begin(), databases.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  for (const auto& database : databases) {
    if (database.keys == 0) continue;
    if (walks_.size() == max_databases)
      ++left_out_;
    else
      walks_.push_back({database, 0, "0", false});
  }
  at_ = 0;
  is_running_ = true;
  if (walks_.empty())
    finish_step();
  else
    enter_database();
}

void SamplerCycle::update(const std::vector<CycleDatabase>& databases) {
  for (auto& each : walks_) {
    const auto found = std::find_if(databases.begin(), databases.end(),
                                    [&](const auto& database) { return database.number == each.database.number; });
    each.database.expires = found == databases.end() ? 0 : found->expires;
  }
}

std::vector<Command> SamplerCycle::next(int count) {
  std::vector<Command> commands;
  const auto number = walk().database.number;
  auto& step = under_way_ = std::exchange(waiting_, {});
  is_elsewhere_ = is_elsewhere_ || number != connected_database_;
  step.has_select = is_elsewhere_;
  step.has_clock = !is_refused_[clock];
  step.has_scan = !walk().is_done;
  step.has_memory = !is_refused_[memory];
  step.has_type = !is_refused_[type];
  step.has_no_expires = walk().database.expires == 0;
  step.has_ttl = !is_refused_[ttl] && !step.has_no_expires;
  if (step.has_clock) commands.push_back({"TIME"});
  if (step.has_select) commands.push_back({"SELECT", std::to_string(number)});
  if (step.has_scan) commands.push_back({"SCAN", walk().cursor, "COUNT", std::to_string(count)});
  for (const auto& look : step.looks) {
    if (step.has_memory) commands.push_back({"MEMORY", "USAGE", look.key, "SAMPLES", "5"});
    if (step.has_type) commands.push_back({"TYPE", look.key});
    if (step.has_ttl) commands.push_back({"PTTL", look.key});
    counts_.lookups += (step.has_type ? 1 : 0) + (step.has_ttl ? 1 : 0);
  }
  for (const auto& each : step.measures) commands.push_back({std::string(size_command(each.type)), each.name});
  counts_.lookups += step.measures.size();
  if (step.has_clock) commands.push_back({"TIME"});
  return commands;
}

Result<Done> SamplerCycle::take(const std::vector<Reply>& all) {
  errors_.clear();
  auto step = std::exchange(under_way_, {});
  Replies replies(all);
  server_time_.reset();
  if (step.has_clock) {
    server_time_ = time_between(replies.next(), all.back());
    if (all.front().is_error()) note_refusal(clock, all.front());
  }
  if (step.has_select)
    if (const auto& reply = replies.next(); reply.is_error()) {
      give_up();
      return reply.to_error().with_context("SELECT");
    }
  const Reply* scan = step.has_scan ? &replies.next() : nullptr;
  if (scan != nullptr && scan->is_error()) {
    give_up();
    return scan->to_error().with_context("SCAN");
  }
  for (const auto& look : step.looks) take_look(look, step, replies);
  for (auto& measure : step.measures) take_measure(std::move(measure), replies.next());
  if (scan != nullptr)
    if (auto taken = take_scan(*scan); !taken) {
      give_up();
      return taken;
    }
  finish_step();
  return Done{};
}

void SamplerCycle::lost(Looks looks) {
  waiting_ = std::exchange(under_way_, {});
  if (looks == Looks::again) return;
  waiting_.looks.clear();
  waiting_.measures.clear();
}

void SamplerCycle::give_up() {
  is_running_ = false;
  waiting_ = under_way_ = {};
  walks_.clear();
  table_.restart();
}

void SamplerCycle::forget() {
  is_running_ = has_complete_ = is_elsewhere_ = false;
  walks_.clear();
  waiting_ = under_way_ = {};
  is_refused_ = {};
  fanout_.clear();
  table_.clear();
  by_memory_.clear();
  by_elements_.clear();
}

Result<Done> SamplerCycle::take_scan(const Reply& reply) {
  const bool is_pair = reply.is_array() && reply.elements.size() == 2 && reply.elements[1].is_array();
  if (!is_pair) return Error{Errc::protocol, "SCAN: not a cursor and a list of keys"};
  const auto cursor = reply.elements[0].as_text();
  if (!cursor) return cursor.error().with_context("SCAN");
  walk().cursor = *cursor;
  walk().is_done = *cursor == "0";
  for (const auto& key : reply.elements[1].elements) take_key(key.text);
  return Done{};
}

void SamplerCycle::take_key(const std::string& key) {
  ++counts_.scanned;
  ++walk().scanned;
  const auto pattern = pattern_of(key);
  auto& totals = table_.count({walk().database.number, pattern});
  const bool is_chosen = totals.asked < options_.min_samples || chance_(random_) < options_.sample_ratio;
  if (!is_chosen || key.size() > longest_key) return;
  ++totals.asked;
  waiting_.looks.push_back({key, Why::sample});
}

void SamplerCycle::take_look(const Look& look, const Step& step, Replies& replies) {
  const auto seen = read_look(step, replies);
  const auto number = walk().database.number;
  if (!seen) {
    counts_.vanished += look.why == Why::sample ? 1 : 0;
    by_memory_.erase(number, look.key);
    by_elements_.erase(number, look.key);
    return;
  }
  ++counts_.looked;
  if (look.why == Why::sample) table_.find({number, pattern_of(look.key)}).add(*seen);
  take_big(look, *seen);
}

std::optional<KeyLook> SamplerCycle::read_look(const Step& step, Replies& replies) {
  KeyLook seen;
  bool is_gone = false;
  if (step.has_memory) {
    const auto& reply = replies.next();
    if (reply.is_error()) note_refusal(memory, reply);
    if (reply.type == Reply::Type::integer && reply.number >= 0)
      seen.memory_bytes = static_cast<std::uint64_t>(reply.number);
    is_gone = reply.type == Reply::Type::nil;
  }
  if (step.has_type) {
    const auto& reply = replies.next();
    if (reply.is_error()) note_refusal(type, reply);
    if (reply.type == Reply::Type::status) seen.type = key_type(reply.text);
    is_gone = is_gone || (reply.type == Reply::Type::status && reply.text == "none");
  }
  if (step.has_ttl) {
    const auto& reply = replies.next();
    if (reply.is_error()) note_refusal(ttl, reply);
    if (reply.type == Reply::Type::integer && reply.number >= -1) seen.ttl_ms = reply.number;
    is_gone = is_gone || (reply.type == Reply::Type::integer && reply.number == -2);
  } else if (step.has_no_expires) {
    seen.ttl_ms = -1;
  }
  if (is_gone) return std::nullopt;
  return seen;
}

void SamplerCycle::take_big(const Look& look, const KeyLook& seen) {
  const auto number = walk().database.number;
  if (!seen.memory_bytes || *seen.memory_bytes < options_.big_key_min_bytes) {
    if (!seen.memory_bytes) return;
    by_memory_.erase(number, look.key);
    by_elements_.erase(number, look.key);
    return;
  }
  const auto most_elements = *seen.memory_bytes / least_bytes_per_element;
  const bool is_collection = seen.type && !size_command(*seen.type).empty() && !is_refused_[elements];
  const bool has_many = is_collection && by_elements_.wants(number, look.key, most_elements);
  if (!has_many && !by_memory_.wants(number, look.key, *seen.memory_bytes)) return;
  BigKey key{number, look.key, std::string(pattern_of(look.key)), seen.type.value_or(KeyType::other),
             *seen.memory_bytes};
  if (has_many) waiting_.measures.push_back(key);
  by_memory_.offer(std::move(key));
}

void SamplerCycle::take_measure(BigKey measure, const Reply& reply) {
  if (reply.is_error()) note_refusal(elements, reply);
  // 0: it has gone since its type was asked for.
  if (reply.type != Reply::Type::integer || reply.number <= 0) {
    by_elements_.erase(measure.database, measure.name);
    return;
  }
  measure.size = static_cast<std::uint64_t>(reply.number);
  by_elements_.offer(std::move(measure));
}

void SamplerCycle::note_refusal(Single single, const Reply& reply) {
  const auto code = reply.to_error().code;
  errors_.push_back(code);
  if (code == Errc::noperm || code == Errc::unsupported) is_refused_[single] = true;
}

std::string_view SamplerCycle::pattern_of(std::string_view key) {
  const auto pattern = fanout_.apply(pattern_.of(key), pattern_);
  for (const auto& prefix : fanout_.new_wide()) table_.fold(prefix);
  return pattern;
}

void SamplerCycle::enter_database() {
  const auto number = walk().database.number;
  for (const auto* keys : {&by_memory_, &by_elements_})
    for (const auto& key : keys->keys()) {
      const bool is_there = std::any_of(waiting_.looks.begin(), waiting_.looks.end(),
                                        [&](const Look& look) { return look.key == key.name; });
      if (key.database == number && !is_there) waiting_.looks.push_back({key.name, Why::recheck});
    }
}

void SamplerCycle::finish_step() {
  while (at_ < walks_.size() && walk().is_done && waiting_.looks.empty() && waiting_.measures.empty()) {
    if (++at_ < walks_.size()) enter_database();
  }
  if (at_ < walks_.size()) return;
  is_running_ = false;
  ++counts_.cycles;
  has_complete_ = true;
  table_.end_cycle();
  fanout_.end_cycle();
}

std::vector<SamplerCycle::Row> SamplerCycle::rows() const {
  std::vector<Row> rows;
  if (has_complete_) {
    for (const auto& row : table_.published()) rows.push_back({row, 1});
    return rows;
  }
  for (auto& row : table_.current()) {
    double scale = 1;
    for (const auto& each : walks_)
      if (each.database.number == row.id.database && !each.is_done && each.scanned > 0)
        scale = std::max(1.0, static_cast<double>(each.database.keys) / static_cast<double>(each.scanned));
    rows.push_back({std::move(row), scale});
  }
  return rows;
}

double SamplerCycle::progress() const noexcept {
  if (!is_running_) return has_complete_ ? 1 : 0;
  double done = 0, all = 0;
  for (const auto& each : walks_) {
    const auto keys = static_cast<double>(each.database.keys);
    all += keys;
    done += each.is_done ? keys : std::min(static_cast<double>(each.scanned), keys);
  }
  return all > 0 ? done / all : 0;
}

}  // namespace midst::sources::redis_info
