#include "agent/sources/redis/keys/stream_look.hpp"

#include <algorithm>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec specs[] = {
    {"redis_stream_length", MetricType::gauge, "", "Entries of the stream.", "db,stream"},
    {"redis_stream_radix_tree_keys", MetricType::gauge, "", "Keys of the tree that holds the stream.", "db,stream"},
    {"redis_stream_radix_tree_nodes", MetricType::gauge, "", "Nodes of the tree that holds the stream.", "db,stream"},
    {"redis_stream_groups", MetricType::gauge, "", "Consumer groups of the stream.", "db,stream"},
    {"redis_stream_last_generated_id", MetricType::gauge, "", "Millisecond part of the newest id that was given out.", "db,stream"},
    {"redis_stream_max_deleted_entry_id", MetricType::gauge, "", "Millisecond part of the highest id that was deleted.", "db,stream"},
    {"redis_stream_first_entry_id", MetricType::gauge, "", "Millisecond part of the id of the oldest entry; 0 in an empty stream.", "db,stream"},
    {"redis_stream_last_entry_id", MetricType::gauge, "", "Millisecond part of the id of the newest entry; 0 in an empty stream.", "db,stream"},
    {"redis_stream_entries_added_total", MetricType::counter, "", "Entries ever added to the stream, deleted ones too.", "db,stream"},
    {"redis_stream_group_consumers", MetricType::gauge, "", "Consumers of the group.", "db,group,stream"},
    {"redis_stream_group_messages_pending", MetricType::gauge, "", "Entries delivered to the group and not acknowledged yet.", "db,group,stream"},
    {"redis_stream_group_last_delivered_id", MetricType::gauge, "", "Millisecond part of the id delivered to the group last.", "db,group,stream"},
    {"redis_stream_group_entries_read", MetricType::gauge, "", "Entries the group has read; no series where the server does not know.", "db,group,stream"},
    {"redis_stream_group_lag", MetricType::gauge, "", "Entries not delivered to the group yet; no series where the server does not know.", "db,group,stream"},
    {"redis_stream_group_consumer_messages_pending", MetricType::gauge, "", "Entries delivered to the consumer and not acknowledged yet.", "consumer,db,group,stream"},
    {"redis_stream_group_consumer_idle_seconds", MetricType::gauge, "seconds", "Time since the consumer last tried to read or claim.", "consumer,db,group,stream"},
};
// clang-format on
enum Family : std::uint8_t {
  stream_length,
  radix_tree_keys,
  radix_tree_nodes,
  stream_groups,
  last_generated_id,
  max_deleted_entry_id,
  first_entry_id,
  last_entry_id,
  entries_added,
  group_consumers,
  group_pending,
  last_delivered_id,
  entries_read,
  group_lag,
  consumer_pending,
  consumer_idle,
};

/// A key that was another node's is asked for again every so many looks: each costs an error reply.
constexpr int looks_skipped_elsewhere = 60;

struct StreamRow {
  Family family;
  std::optional<double> StreamFacts::*member;
};
constexpr StreamRow stream_rows[] = {{stream_length, &StreamFacts::length},
                                     {radix_tree_keys, &StreamFacts::radix_tree_keys},
                                     {radix_tree_nodes, &StreamFacts::radix_tree_nodes},
                                     {stream_groups, &StreamFacts::groups},
                                     {last_generated_id, &StreamFacts::last_generated_id},
                                     {max_deleted_entry_id, &StreamFacts::max_deleted_entry_id},
                                     {first_entry_id, &StreamFacts::first_entry_id},
                                     {last_entry_id, &StreamFacts::last_entry_id},
                                     {entries_added, &StreamFacts::entries_added}};
struct GroupRow {
  Family family;
  std::optional<double> StreamGroup::*member;
};
constexpr GroupRow group_rows[] = {{group_consumers, &StreamGroup::consumers},
                                   {group_pending, &StreamGroup::pending},
                                   {last_delivered_id, &StreamGroup::last_delivered_id},
                                   {entries_read, &StreamGroup::entries_read},
                                   {group_lag, &StreamGroup::lag}};

void add_set(Family family, metrics::LabelSet labels, std::optional<double> value, metrics::SnapshotBuilder& builder) {
  if (value) builder.family(specs[family]).add(labels, *value);
}

}  // namespace

std::span<const MetricSpec> stream_specs() noexcept {
  return specs;
}

void StreamFolds::add(metrics::SnapshotBuilder& builder) const {
  add_folded(specs[group_pending], groups, builder);
  add_folded(specs[consumer_pending], consumers, builder);
}

void StreamLook::begin() {
  fresh_ = {};
  was_retyped_ = false;
  step_ = is_stream_ ? Step::stream : Step::type;
  if (skipped_looks_ == 0) return;
  --skipped_looks_;
  step_ = Step::done;
}

std::vector<redis::Command> StreamLook::ask(const std::string& key) {
  if (step_ == Step::type) return {{"TYPE", key}};
  std::vector<redis::Command> commands;
  if (step_ == Step::stream) {
    commands = {{"XINFO", "STREAM", key}, {"XINFO", "GROUPS", key}};
    asked_groups_.clear();
    for (const auto& group : shown_.groups) asked_groups_.push_back(group.facts.name);
    if (!options_.has_consumers) asked_groups_.clear();
  }
  for (const auto& group : asked_groups_) commands.push_back({"XINFO", "CONSUMERS", key, group});
  return commands;
}

Result<Done> StreamLook::take(std::vector<redis::Reply> replies) {
  if (replies.empty()) return Error{Errc::internal, "no reply"};
  is_elsewhere_ = false;
  for (const auto& reply : replies)
    if (reply.is_error() && is_about_the_key(reply)) return Done{};
  const std::span<const redis::Reply> all(replies);
  if (step_ == Step::type) {
    if (replies.front().is_error()) {
      end(Step::done);
      return replies.front().to_error().with_context("TYPE");
    }
    take_type(replies.front());
    return Done{};
  }
  return step_ == Step::stream ? take_stream(all) : take_consumers(all);
}

bool StreamLook::is_about_the_key(const redis::Reply& error) {
  const std::string_view said(error.text);
  if (said.starts_with("MOVED ") || said.starts_with("ASK ")) {
    fresh_ = {};
    is_elsewhere_ = true;
    skipped_looks_ = looks_skipped_elsewhere;
    end(Step::done);
    return true;
  }
  // XINFO says "ERR no such key" of a key that is gone.
  if (!said.starts_with("WRONGTYPE") && !said.starts_with("ERR no such key")) return false;
  fresh_ = {};
  is_stream_ = false;
  end(was_retyped_ ? Step::done : Step::type);
  was_retyped_ = true;
  return true;
}

void StreamLook::take_type(const redis::Reply& reply) {
  const auto type = reply.as_text();
  is_stream_ = type && *type == "stream";
  end(is_stream_ ? Step::stream : Step::done);
}

Result<Done> StreamLook::take_stream(std::span<const redis::Reply> replies) {
  auto stream = read_stream(replies[0]);
  auto groups = replies.size() > 1 ? read_stream_groups(replies[1], options_.max_groups)
                                   : Result<std::vector<StreamGroup>>(misshapen("XINFO GROUPS"));
  if (stream) fresh_.stream = *stream;
  if (groups) {
    fresh_.group_count = replies[1].elements.size();
    for (auto& group : *groups) fresh_.groups.push_back({std::move(group), {}, 0, false});
  }
  auto consumers = take_consumers(replies.subspan(std::min<std::size_t>(replies.size(), 2)));
  if (!stream) return stream.error();
  if (!groups) return groups.error();
  return consumers;
}

Result<Done> StreamLook::take_consumers(std::span<const redis::Reply> replies) {
  Result<Done> first = Done{};
  for (std::size_t i = 0; i < replies.size() && i < asked_groups_.size(); ++i) {
    const auto group = std::find_if(fresh_.groups.begin(), fresh_.groups.end(),
                                    [&](const Group& each) { return each.facts.name == asked_groups_[i]; });
    if (group == fresh_.groups.end()) continue;  // it is gone, and the server said so
    group->has_consumers = true;
    auto consumers = read_stream_consumers(replies[i], options_.max_consumers);
    if (consumers) {
      group->consumers = std::move(*consumers);
      group->consumer_count = replies[i].elements.size();
    } else if (first && !replies[i].text.starts_with("NOGROUP")) {
      first = consumers.error();
    }
  }
  asked_groups_.clear();
  if (options_.has_consumers)
    for (const auto& group : fresh_.groups)
      if (!group.has_consumers) asked_groups_.push_back(group.facts.name);
  end(asked_groups_.empty() ? Step::done : Step::consumers);
  return first;
}

void StreamLook::end(Step next) {
  step_ = next;
  if (next == Step::done) shown_ = std::move(fresh_);
}

void StreamLook::add(std::string_view database, std::string_view key, metrics::SnapshotBuilder& builder) const {
  if (shown_.stream) {
    const auto labels = builder.labels({{"db", database}, {"stream", key}});
    for (const auto& row : stream_rows) add_set(row.family, labels, (*shown_.stream).*row.member, builder);
  }
  for (const auto& group : shown_.groups) {
    const auto& name = group.facts.name;
    const auto labels = builder.labels({{"db", database}, {"stream", key}, {"group", name}});
    for (const auto& row : group_rows) add_set(row.family, labels, group.facts.*row.member, builder);
    for (const auto& consumer : group.consumers) {
      const auto each =
          builder.labels({{"db", database}, {"stream", key}, {"group", name}, {"consumer", consumer.name}});
      add_set(consumer_pending, each, consumer.pending, builder);
      add_set(consumer_idle, each, consumer.idle_seconds, builder);
    }
    folds_.consumers += group.consumer_count - std::min(group.consumer_count, group.consumers.size());
  }
  folds_.groups += shown_.group_count - std::min(shown_.group_count, shown_.groups.size());
}

}  // namespace midst::sources::redis_info
