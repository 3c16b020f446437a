#include "agent/sources/redis/keys/key_size.hpp"

#include "lib/base/text.hpp"

#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec specs[] = {
    {"redis_key_size", MetricType::gauge, "", "Length of a string, elements of a collection, entries of a stream, or what a HyperLogLog estimates.", "db,key"},
    {"redis_key_value", MetricType::gauge, "", "Value of a string that is a number.", "db,key"},
    {"redis_key_value_as_string", MetricType::gauge, "", "Value of a string that is no number, as label val. Always 1.", "db,key,val"},
    {"redis_key_memory_usage_bytes", MetricType::gauge, "bytes", "Memory that the key and its value take, as the server estimates it.", "db,key"},
};
// clang-format on
enum Family : std::uint8_t { size_family, value_family, text_family, memory_family };

struct TypeRow {
  std::string_view type;
  KeyKind kind;
  const char* size_command;
};
constexpr TypeRow types[] = {
    {"string", KeyKind::string, "STRLEN"}, {"list", KeyKind::list, "LLEN"}, {"set", KeyKind::set, "SCARD"},
    {"zset", KeyKind::zset, "ZCARD"},      {"hash", KeyKind::hash, "HLEN"}, {"stream", KeyKind::stream, "XLEN"},
    {"array", KeyKind::array, "ARCOUNT"},  // Redis 8.8
};

const char* size_command(KeyKind kind) noexcept {
  if (kind == KeyKind::hyperloglog) return "PFCOUNT";
  for (const auto& row : types)
    if (row.kind == kind) return row.size_command;
  return "STRLEN";
}

/// A HyperLogLog is a string with a header of 16 bytes that begins so (redis/src/hyperloglog.c, struct hllhdr).
constexpr std::string_view hyperloglog_start = "HYLL";
constexpr std::int64_t hyperloglog_min_bytes = 16;
/// What is read of a string to tell how long it is when its value is not wanted: most are shorter.
constexpr std::size_t first_text_bytes = 63;
/// plain_length_ of a string of which nothing is known, and of one whose beginning alone has been seen.
constexpr std::int64_t never_seen = -1, start_seen = -2;
/// A key that is another node's, or denied, is asked for again after so many looks: each costs an error reply.
constexpr int looks_skipped = 60;

}  // namespace

KeyKind kind_of_type(std::string_view type) noexcept {
  if (type == "none") return KeyKind::unknown;
  for (const auto& row : types)
    if (row.type == type) return row.kind;
  return KeyKind::other;
}

std::span<const MetricSpec> key_size_specs() noexcept {
  return specs;
}

std::size_t KeySizeLook::text_bytes() const noexcept {
  return options_.has_values ? options_.max_value_bytes : first_text_bytes;
}

void KeySizeLook::begin() {
  fresh_ = {};
  error_.reset();
  was_retyped_ = false;
  next_ = 0;
  if (skipped_looks_ > 0) {
    --skipped_looks_;
    return;
  }
  if (kind_ == KeyKind::unknown) {
    next_ = origin_ == KeyOrigin::named ? memory : type | memory;
    return;
  }
  ask_size();
  next_ |= memory;
}

void KeySizeLook::ask_size() {
  const bool reads_text = (options_.has_values && !is_long_) || plain_length_ == never_seen;
  if (kind_ == KeyKind::string)
    next_ |= reads_text ? text : length;
  else if (kind_ != KeyKind::other && kind_ != KeyKind::unknown)
    next_ |= size;
}

std::vector<redis::Command> KeySizeLook::ask(const std::string& key) {
  asked_ = std::exchange(next_, std::uint8_t{0});
  std::vector<redis::Command> commands;
  if (asked_ & type) commands.push_back({"TYPE", key});
  if (asked_ & memory) commands.push_back({"MEMORY", "USAGE", key});
  if (asked_ & text) commands.push_back({"GETRANGE", key, "0", std::to_string(text_bytes())});
  if (asked_ & length) commands.push_back({"STRLEN", key});
  if (asked_ & start) commands.push_back({"GETRANGE", key, "0", std::to_string(hyperloglog_start.size() - 1)});
  if (asked_ & size) commands.push_back({size_command(kind_), key});
  return commands;
}

Result<Done> KeySizeLook::take(std::vector<redis::Reply> replies) {
  auto reply = replies.begin();
  for (const auto question : {type, memory, text, length, start, size}) {
    if ((asked_ & question) == 0 || reply == replies.end()) continue;
    auto& taken = *reply++;
    if (fresh_.is_missing || fresh_.is_elsewhere) continue;
    if (taken.is_error())
      take_error(question, taken);
    else
      take_one(question, taken);
  }
  // Of a key that may exist MEMORY USAGE was asked alone. Where it is not to be had, TYPE has to tell.
  const bool may_exist = !error_ || error_->code == Errc::noperm || error_->code == Errc::unsupported;
  const bool was_first = asked_ == memory && kind_ == KeyKind::unknown;
  if (was_first && may_exist && !fresh_.is_missing && !fresh_.is_elsewhere) next_ = type;
  if (next_ == 0) shown_ = std::move(fresh_);
  if (error_) return *error_;
  return Done{};
}

void KeySizeLook::take_error(Question question, const redis::Reply& reply) {
  const std::string_view said(reply.text);
  if (said.starts_with("MOVED ") || said.starts_with("ASK ")) {
    fresh_ = {};
    fresh_.is_elsewhere = true;
    skipped_looks_ = looks_skipped;
    next_ = 0;
  } else if (said.starts_with("WRONGTYPE") && question != type && question != memory) {
    is_no_hyperloglog_ = kind_ == KeyKind::hyperloglog;
    ask_type_again();
  } else {
    if (!error_) error_ = reply.to_error();
    // "No permissions to access a key": the command may still be allowed for others.
    if (error_->code == Errc::noperm && said.find(" key") != std::string_view::npos) skipped_looks_ = looks_skipped;
  }
}

void KeySizeLook::take_one(Question question, redis::Reply& reply) {
  switch (question) {
    case type:
      return take_type(reply);
    case memory:
      if (reply.type == redis::Reply::Type::nil) return set_missing();
      if (const auto bytes = reply.as_integer()) fresh_.memory = static_cast<double>(*bytes);
      return;
    case text:
      return take_text(reply);
    case length:
      return take_length(reply);
    case start:
      return take_start(reply);
    case size:
      if (const auto count = reply.as_integer()) set_size(static_cast<double>(*count));
      return;
  }
}

void KeySizeLook::take_type(const redis::Reply& reply) {
  const auto name = reply.as_text();
  kind_ = name ? kind_of_type(*name) : KeyKind::other;
  if (kind_ == KeyKind::unknown) return set_missing();
  plain_length_ = never_seen;
  if (kind_ != KeyKind::string) is_no_hyperloglog_ = false;
  ask_size();
}

void KeySizeLook::take_text(redis::Reply& reply) {
  const auto read = reply.as_text();
  if (!read) return;
  const auto bytes = static_cast<std::int64_t>(read->size());
  const bool begins_like_one = bytes >= hyperloglog_min_bytes && read->starts_with(hyperloglog_start);
  if (begins_like_one && !is_no_hyperloglog_) {
    kind_ = KeyKind::hyperloglog;
    next_ |= size;
    return;
  }
  if (!begins_like_one) is_no_hyperloglog_ = false;
  is_long_ = read->size() > text_bytes();
  plain_length_ = is_long_ ? start_seen : bytes;
  if (is_long_) {
    next_ |= length;
    return;
  }
  set_size(static_cast<double>(bytes));
  if (options_.has_values) fresh_.value = std::move(reply.text);
}

void KeySizeLook::take_length(const redis::Reply& reply) {
  const auto count = reply.as_integer();
  if (!count) return;
  if (options_.has_values && plain_length_ != start_seen && static_cast<std::size_t>(*count) <= text_bytes()) {
    next_ |= text;  // it has become short enough to be read
    return;
  }
  set_size(static_cast<double>(*count));
  // A string that was replaced by another may be a HyperLogLog now; every one has another length than most strings.
  const bool is_seen = plain_length_ == start_seen || plain_length_ == *count || *count < hyperloglog_min_bytes;
  plain_length_ = *count;
  if (!is_seen && next_ == 0) next_ = start;
}

void KeySizeLook::take_start(const redis::Reply& reply) {
  const auto read = reply.as_text();
  if (!read) return;
  if (*read != hyperloglog_start) {
    is_no_hyperloglog_ = false;
  } else if (!is_no_hyperloglog_) {
    kind_ = KeyKind::hyperloglog;
    next_ |= size;
  }
}

/// Where MEMORY USAGE is refused, a size of nothing may mean that the key is gone: empty collections do not exist.
void KeySizeLook::set_size(double count) {
  fresh_.size = count;
  if (count == 0 && !fresh_.memory) ask_type_again();
}

void KeySizeLook::set_missing() {
  kind_ = KeyKind::unknown;
  plain_length_ = never_seen;
  is_long_ = is_no_hyperloglog_ = false;
  fresh_ = {};
  fresh_.is_missing = true;
  next_ = 0;
}

void KeySizeLook::ask_type_again() {
  if (was_retyped_) return;
  was_retyped_ = true;
  kind_ = KeyKind::unknown;
  fresh_.size.reset();
  next_ = type;
}

void KeySizeLook::add(std::string_view database, std::string_view key, metrics::SnapshotBuilder& builder) const {
  const bool shows_zero = shown_.is_missing && origin_ == KeyOrigin::named && options_.has_zero_for_missing;
  if (!shown_.size && !shown_.memory && !shows_zero) return;
  const auto labels = builder.labels({{"db", database}, {"key", key}});
  if (shown_.size || shows_zero) builder.family(specs[size_family]).add(labels, shown_.size.value_or(0));
  if (shown_.memory) builder.family(specs[memory_family]).add(labels, *shown_.memory);
  if (!shown_.value) return;
  if (const auto number = text::parse_number(*shown_.value))
    builder.family(specs[value_family]).add(labels, *number);
  else
    builder.add(specs[text_family], {{"db", database}, {"key", key}, {"val", *shown_.value}}, 1);
}

}  // namespace midst::sources::redis_info
