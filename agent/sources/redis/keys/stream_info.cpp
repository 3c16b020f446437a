#include "agent/sources/redis/keys/stream_info.hpp"

#include "agent/sources/redis/collector.hpp"
#include "lib/base/text.hpp"

#include <algorithm>

namespace midst::sources::redis_info {
namespace {

using redis::Reply;

/// Calls `take(name, value)` for each pair of a flat reply.
template <class Take>
Result<Done> for_each_field(const Reply& reply, std::string_view command, Take take) {
  if (auto array = expect_array(reply, command); !array) return array;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2)
    if (const auto name = reply.elements[i].as_text()) take(*name, reply.elements[i + 1]);
  return Done{};
}

std::optional<double> number(const Reply& reply) {
  const auto value = reply.as_integer();
  return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

std::optional<double> id(const Reply& reply) {
  const auto text = reply.as_text();
  return text ? stream_id_milliseconds(*text) : std::nullopt;
}

/// An entry is its id and its fields; where there is none the server says nil.
std::optional<double> entry_id(const Reply& reply) {
  if (reply.type == Reply::Type::nil) return 0;
  return reply.is_array() && !reply.elements.empty() ? id(reply.elements.front()) : std::nullopt;
}

template <class T>
struct Field {
  std::string_view name;
  std::optional<double> T::*member;
  std::optional<double> (*read)(const Reply&);
};

constexpr Field<StreamFacts> stream_fields[] = {
    {"length", &StreamFacts::length, number},
    {"radix-tree-keys", &StreamFacts::radix_tree_keys, number},
    {"radix-tree-nodes", &StreamFacts::radix_tree_nodes, number},
    {"groups", &StreamFacts::groups, number},
    {"entries-added", &StreamFacts::entries_added, number},
    {"last-generated-id", &StreamFacts::last_generated_id, id},
    {"max-deleted-entry-id", &StreamFacts::max_deleted_entry_id, id},
    {"first-entry", &StreamFacts::first_entry_id, entry_id},
    {"last-entry", &StreamFacts::last_entry_id, entry_id},
};
constexpr Field<StreamGroup> group_fields[] = {
    {"consumers", &StreamGroup::consumers, number},
    {"pending", &StreamGroup::pending, number},
    {"last-delivered-id", &StreamGroup::last_delivered_id, id},
    {"entries-read", &StreamGroup::entries_read, number},
    {"lag", &StreamGroup::lag, number},
};
constexpr Field<StreamConsumer> consumer_fields[] = {
    {"pending", &StreamConsumer::pending, number},
    {"idle", &StreamConsumer::idle_seconds, number},  // milliseconds; divided by read_stream_consumers()
};

template <class T, std::size_t N>
void take_field(const Field<T> (&fields)[N], std::string_view name, const Reply& value, T& into) {
  for (const auto& field : fields)
    if (field.name == name) into.*field.member = field.read(value);
}

template <class T, std::size_t N>
Result<std::vector<T>> read_named(const Reply& reply, std::string_view command, const Field<T> (&fields)[N],
                                  std::size_t limit) {
  if (auto array = expect_array(reply, command); !array) return array.error();
  std::vector<T> all;
  for (const auto& element : reply.elements) {
    if (all.size() >= limit) break;
    T one;
    bool has_name = false;
    const auto read = for_each_field(element, command, [&](std::string_view name, const Reply& value) {
      const auto text = value.as_text();
      if (name == "name" && text) {
        one.name = *text;
        has_name = true;
      } else {
        take_field(fields, name, value, one);
      }
    });
    if (read && has_name) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::optional<double> stream_id_milliseconds(std::string_view id) noexcept {
  const auto part = text::take_until(id, '-');
  if (part.empty() || part.size() > 20 || part.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  return text::parse_number(part).value();
}

Result<StreamFacts> read_stream(const Reply& reply) {
  StreamFacts facts;
  const auto read = for_each_field(reply, "XINFO STREAM", [&](std::string_view name, const Reply& value) {
    take_field(stream_fields, name, value, facts);
  });
  if (!read) return read.error();
  return facts;
}

Result<std::vector<StreamGroup>> read_stream_groups(const Reply& reply, std::size_t limit) {
  return read_named(reply, "XINFO GROUPS", group_fields, limit);
}

Result<std::vector<StreamConsumer>> read_stream_consumers(const Reply& reply, std::size_t limit) {
  auto consumers = read_named(reply, "XINFO CONSUMERS", consumer_fields, limit);
  if (!consumers) return consumers;
  for (auto& consumer : *consumers)
    if (consumer.idle_seconds) *consumer.idle_seconds /= 1000;
  return consumers;
}

}  // namespace midst::sources::redis_info
