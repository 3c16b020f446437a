#include "agent/sources/redis/sampler/key_fanout.hpp"

#include <algorithm>

namespace midst::sources::redis_info {

std::uint64_t stable_hash(std::string_view bytes) noexcept {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

std::string folded_pattern(std::string_view pattern, std::string_view prefix, std::string_view separators) {
  if (pattern.size() <= prefix.size() || !pattern.starts_with(prefix)) return {};
  const auto end = std::min(pattern.find_first_of(separators, prefix.size()), pattern.size());
  if (end == prefix.size() || pattern.substr(prefix.size(), end - prefix.size()) == "*") return {};
  std::string folded(prefix);
  folded += '*';
  folded += pattern.substr(end);
  return folded;
}

KeyFanout::KeyFanout(std::size_t max_names, std::size_t max_prefixes)
    : max_names_(std::max<std::size_t>(max_names, 1)), max_prefixes_(std::max<std::size_t>(max_prefixes, 1)) {
}

std::string_view KeyFanout::apply(std::string_view text, const KeyPattern& pattern) {
  new_wide_.clear();
  const auto parts = pattern.parts();
  const bool has_names = parts.size() > 1 && std::any_of(parts.begin() + 1, parts.end(), [](const auto& part) {
                           return part.is_literal && part.size > 0;
                         });
  if (!has_names) return text;
  out_.clear();
  std::size_t copied = 0;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto& part = parts[i];
    if (!part.is_literal || part.size == 0) continue;
    out_ += text.substr(copied, part.begin - copied);
    const auto name = text.substr(part.begin, part.size);
    out_ += is_wide_after(out_, name) ? std::string_view("*") : name;
    copied = part.begin + part.size;
  }
  out_ += text.substr(copied);
  return out_;
}

bool KeyFanout::is_wide_after(std::string_view prefix, std::string_view name) {
  const auto hash = stable_hash(prefix);
  auto found = prefixes_.find(hash);
  if (found == prefixes_.end()) {
    if (prefixes_.size() >= max_prefixes_) return false;
    found = prefixes_.try_emplace(hash).first;
  }
  auto& names = found->second;
  if (names.is_wide) return true;
  const auto name_hash = static_cast<std::uint32_t>(stable_hash(name));
  if (std::find(names.hashes.begin(), names.hashes.end(), name_hash) != names.hashes.end()) return false;
  if (names.hashes.size() < max_names_) {
    names.hashes.push_back(name_hash);
    return false;
  }
  names.is_wide = true;
  names.hashes = {};
  new_wide_.emplace_back(prefix);
  return true;
}

void KeyFanout::end_cycle() {
  if (prefixes_.size() < max_prefixes_) return;
  std::erase_if(prefixes_, [](const auto& each) { return !each.second.is_wide; });
  // All of them wide: which still matter cannot be told, so all are learned again.
  if (prefixes_.size() >= max_prefixes_) prefixes_.clear();
}

void KeyFanout::clear() {
  prefixes_.clear();
}

}  // namespace midst::sources::redis_info
