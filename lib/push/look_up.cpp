#include "lib/push/look_up.hpp"

#include <array>
#include <functional>
#include <memory>
#include <string>

namespace midst::push::detail {
namespace {

/// 128 entries of about 100 bytes and their text, in threads that look up at all.
constexpr std::size_t entry_count = 128, longest_text = 256;

struct Entry {
  std::uint32_t client = 0, family = 0;
  std::uint64_t hash = 0;
  std::string text;  ///< The values, each followed by 0xff.
  Registry::Place place;
};

using Memory = std::array<Entry, entry_count>;

/// Set when the thread's own objects have gone, so that code that runs later still may look up.
constinit thread_local bool is_forgotten = false;
struct ThreadMemory {
  std::unique_ptr<Memory> entries;
  ThreadMemory() = default;
  ThreadMemory(const ThreadMemory&) = delete;
  ThreadMemory& operator=(const ThreadMemory&) = delete;
  ~ThreadMemory() { is_forgotten = true; }
};
thread_local ThreadMemory thread_memory;

std::uint64_t hash_of(std::uint32_t client, std::uint32_t family, std::span<const std::string_view> values) {
  std::uint64_t hash = static_cast<std::uint64_t>(client) << 32 | family;
  for (const auto value : values) hash = hash * 0x9e3779b97f4a7c15 + std::hash<std::string_view>{}(value);
  return hash ^ hash >> 32;
}

bool is_text_of(std::string_view text, std::span<const std::string_view> values) {
  for (const auto value : values) {
    if (text.size() <= value.size() || !text.starts_with(value) || text[value.size()] != '\xff') return false;
    text.remove_prefix(value.size() + 1);
  }
  return text.empty();
}

}  // namespace

Registry::Place look_up(Registry& registry, std::uint32_t client, std::uint32_t family,
                        std::span<const std::string_view> values) {
  if (is_forgotten) return registry.find(family, values);
  auto& memory = thread_memory.entries;
  if (!memory) memory = std::make_unique<Memory>();
  const auto hash = hash_of(client, family, values);
  auto& entry = (*memory)[hash % entry_count];
  if (entry.hash == hash && entry.client == client && entry.family == family && is_text_of(entry.text, values))
    return entry.place;
  const auto place = registry.find(family, values);
  std::size_t size = 0;
  for (const auto value : values) size += value.size() + 1;
  if (!place.is_own || size > longest_text) return place;
  entry.client = 0;  // in case there is no memory for the text
  entry.text.clear();
  for (const auto value : values) entry.text.append(value) += '\xff';
  entry.family = family;
  entry.hash = hash;
  entry.place = place;
  entry.client = client;
  return place;
}

}  // namespace midst::push::detail
