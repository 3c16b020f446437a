#include "lib/metrics/label_text.hpp"

#include "lib/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <forward_list>
#include <span>

namespace midst::metrics {
namespace {

enum NameChar : std::uint8_t { in_label = 1, in_family = 2 };

constexpr std::array<std::uint8_t, 256> name_chars = [] {
  std::array<std::uint8_t, 256> table{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))
    table[static_cast<unsigned char>(c)] = in_label | in_family;
  table[':'] = in_family;
  return table;
}();

bool is_in(char c, NameChar kind) noexcept {
  return (name_chars[static_cast<unsigned char>(c)] & kind) != 0;
}

bool starts_badly(std::string_view name) noexcept {
  return name.empty() || (name.front() >= '0' && name.front() <= '9');
}

bool is_name(std::string_view name, NameChar kind) noexcept {
  for (const char c : name)
    if (!is_in(c, kind)) return false;
  return !starts_badly(name);
}

std::string mended(std::string_view name, NameChar kind) {
  std::string out(starts_badly(name) ? 1 : 0, '_');
  for (const char c : name) out += is_in(c, kind) ? c : '_';
  return out;
}

/// The label under which Prometheus stores the family's name: a second one would refuse the whole page.
constexpr std::string_view name_label = "__name__";

/// Whether a value is ASCII without anything to escape, eight bytes at a time: nearly every one is, and labels are the
/// dearest part of a sample.
bool is_plain(std::string_view value) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101, highs = ones << 7U;
  const auto has_zero = [](std::uint64_t word) { return (word - ones) & ~word & highs; };
  const auto has = [&](std::uint64_t word, char c) { return has_zero(word ^ (ones * static_cast<unsigned char>(c))); };
  std::uint64_t found = 0;
  for (; value.size() >= sizeof found; value.remove_prefix(sizeof found)) {
    std::uint64_t word{};
    std::memcpy(&word, value.data(), sizeof word);
    found |= (word & highs) | has(word, '\\') | has(word, '"') | has(word, '\n');
  }
  if (found != 0) return false;
  for (const char c : value)
    if (static_cast<unsigned char>(c) >= 0x80 || c == '\\' || c == '"' || c == '\n') return false;
  return true;
}

/// The escapes of text 0.0.4 and OpenMetrics 1.0, which agree inside label values.
void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"' || c == '\n') out += '\\';
    out += c == '\n' ? 'n' : c;
  }
}

void append_value(std::string& out, std::string_view value) {
  if (is_plain(value))
    out.append(value);
  else if (text::is_utf8(value))
    append_escaped(out, value);
  else
    append_escaped(out, text::to_utf8(value));
}

/// Stable. std::stable_sort asks the heap for a buffer, which is more work than sorting the usual four labels.
void sort_by_name(std::vector<Label>& labels) {
  constexpr std::size_t few = 16;
  const auto is_before = [](const Label& a, const Label& b) { return a.name < b.name; };
  if (labels.size() > few) return std::stable_sort(labels.begin(), labels.end(), is_before);
  for (std::size_t i = 1; i < labels.size(); ++i)
    for (std::size_t j = i; j > 0 && is_before(labels[j], labels[j - 1]); --j) std::swap(labels[j], labels[j - 1]);
}

}  // namespace

bool is_family_name(std::string_view name) noexcept {
  return is_name(name, in_family);
}

std::string mended_family_name(std::string_view name) {
  return mended(name, in_family);
}

std::string exported(std::string_view name) {
  return std::string("exported_").append(name);
}

void append_label_text(std::string& out, std::vector<Label>& labels) {
  std::forward_list<std::string> names;
  for (auto& label : labels) {
    if (!is_name(label.name, in_label)) label.name = names.emplace_front(mended(label.name, in_label));
    if (label.name == name_label) label.name = names.emplace_front(exported(label.name));
  }
  sort_by_name(labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0 && labels[i].name == labels[i - 1].name) continue;
    if (!out.empty()) out += ',';
    out.append(labels[i].name) += "=\"";
    append_value(out, labels[i].value);
    out += '"';
  }
}

std::size_t character_count(LabelSet labels) {
  std::size_t count = 0;
  const auto add = [&](std::string_view text) {
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  };
  std::string value;
  for_each_label(labels, [&](std::string_view name, std::string_view escaped) {
    value.clear();
    append_unescaped(value, escaped);
    add(name);
    add(value);
  });
  return count;
}

std::string label_text(std::span<const Label> labels) {
  std::vector<Label> sorted(labels.begin(), labels.end());
  std::string out;
  append_label_text(out, sorted);
  return out;
}

void append_without(std::string& out, LabelSet labels, std::span<const std::string> names) {
  const auto begin = out.size();
  for_each_label(labels, [&](std::string_view name, std::string_view escaped) {
    if (std::find(names.begin(), names.end(), name) != names.end()) return;
    if (out.size() > begin) out += ',';
    out.append(name).append("=\"").append(escaped) += '"';
  });
}

std::vector<std::pair<std::string, std::string>> decode(LabelSet labels) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for_each_label(labels, [&](std::string_view name, std::string_view escaped) {
    append_unescaped(pairs.emplace_back(std::string(name), std::string()).second, escaped);
  });
  return pairs;
}

}  // namespace midst::metrics
