#include "agent/sources/redis/sampler/big_keys.hpp"

#include "agent/sources/redis/sampler/key_fanout.hpp"
#include "lib/base/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace midst::sources::redis_info {
namespace {

constexpr std::size_t longest_label = 128;

/// @return a length of at most `limit` that does not end within a character.
std::size_t whole_characters(std::string_view utf8, std::size_t limit) noexcept {
  auto size = std::min(utf8.size(), limit);
  while (size > 0 && size < utf8.size() && (static_cast<unsigned char>(utf8[size]) & 0xc0U) == 0x80) --size;
  return size;
}

bool is_printable(std::string_view name) noexcept {
  return text::is_utf8(name) &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

bool BigKeys::wants(int database, std::string_view name, std::uint64_t size) const noexcept {
  if (capacity_ == 0) return false;
  if (keys_.size() < capacity_ || size > keys_.back().size) return true;
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const BigKey& key) { return key.database == database && key.name == name; });
}

void BigKeys::offer(BigKey key) {
  if (!wants(key.database, key.name, key.size)) return;
  erase(key.database, key.name);
  const auto place = std::lower_bound(keys_.begin(), keys_.end(), key, [](const BigKey& a, const BigKey& b) {
    return std::tie(b.size, a.database, a.name) < std::tie(a.size, b.database, b.name);
  });
  keys_.insert(place, std::move(key));
  if (keys_.size() > capacity_) keys_.pop_back();
}

void BigKeys::erase(int database, std::string_view name) {
  std::erase_if(keys_, [&](const BigKey& key) { return key.database == database && key.name == name; });
}

std::string key_label(std::string_view name, KeyNames names) {
  const auto mark = fmt::format("#{:012x}", stable_hash(name) & 0xffffffffffffU);
  if (names == KeyNames::hashed) return mark;
  const bool is_whole = name.size() <= longest_label && is_printable(name);
  if (is_whole) return std::string(name);
  auto label = text::to_utf8(name.substr(0, longest_label));
  for (char& c : label)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  label.resize(whole_characters(label, longest_label - mark.size()));
  return label + mark;
}

}  // namespace midst::sources::redis_info
