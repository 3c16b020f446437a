// The totals of a Table as bytes and back: what must not begin anew when the agent does.
#include "agent/ingest/statsd/table.hpp"
#include "lib/base/text.hpp"
#include "lib/push/packed.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace midst::ingest::statsd {
namespace {

using push::wire::append_fixed64;
using push::wire::append_varint;
using push::wire::take_double;
using push::wire::take_varint;

/// The last character is the version.
constexpr std::string_view magic = "midst statsd 1";
constexpr std::size_t longest_name = 256, longest_text = 64 * 1024, most_bounds = 256;

void append_text(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out.append(text);
}

bool take_text(std::string_view& rest, std::string_view& text, std::size_t longest) {
  std::uint64_t size = 0;
  if (!take_varint(rest, size) || size > longest || size > rest.size()) return false;
  text = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_name(std::string_view name) noexcept {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  for (const char c : name)
    if (!is_word(c)) return false;
  return true;
}

/// Cuts name="value" off the front. @return its name, empty when it is not of that form.
std::string_view take_label(std::string_view& text) noexcept {
  const auto name = text.substr(0, text.find('='));
  if (!is_name(name) || text.size() < name.size() + 3 || text[name.size() + 1] != '"') return {};
  auto at = name.size() + 2;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\n') return {};
    if (text[at] != '\\') continue;
    if (++at == text.size() || (text[at] != '\\' && text[at] != '"' && text[at] != 'n')) return {};
  }
  if (at == text.size()) return {};
  text.remove_prefix(at + 1);
  return name;
}

/// Whether a text is one that metrics::label_text() could have made.
bool is_label_text(std::string_view text) noexcept {
  if (!text::is_utf8(text)) return false;
  std::string_view last;
  while (!text.empty()) {
    const auto name = take_label(text);
    if (name.empty() || name <= last) return false;
    last = name;
    if (text.empty()) return true;
    if (text.front() != ',' || text.size() == 1) return false;
    text.remove_prefix(1);
  }
  return true;
}

Error malformed(std::string_view what) {
  return Error{Errc::protocol, std::string("state of StatsD series: ").append(what)};
}

bool take_bounds(std::string_view& rest, std::vector<double>& bounds) {
  std::uint64_t count = 0;
  if (!take_varint(rest, count) || count > most_bounds) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    double bound = 0;
    if (!take_double(rest, bound) || !std::isfinite(bound) || (i > 0 && bound <= bounds.back())) return false;
    bounds.push_back(bound);
  }
  return true;
}

}  // namespace

std::string Table::state() const {
  std::string out(magic);
  const auto has_totals = [](const Family& family) {
    return family.kind == Kind::counter || family.kind == Kind::histogram;
  };
  for (const auto& family : families_) {
    if (!has_totals(family) || family.members.empty()) continue;
    append_text(out, family.name);
    append_text(out, family.help);
    out += static_cast<char>(family.kind);
    append_varint(out, family.bounds.size());
    for (const double bound : family.bounds) append_fixed64(out, std::bit_cast<std::uint64_t>(bound));
    append_varint(out, family.members.size());
    for (const auto number : family.members) {
      const auto& series = series_[number];
      append_text(out, labels_of(series));
      out += static_cast<char>(number == family.overflow ? 1 : 0);
      append_fixed64(out, std::bit_cast<std::uint64_t>(series.value));
      if (family.kind != Kind::histogram) continue;
      for (const auto count : buckets(series)) append_varint(out, count);
    }
  }
  return out;
}

Result<Done> Table::restore(std::string_view state) {
  if (!state.empty() && !state.starts_with(magic)) return malformed("of another form or version");
  state.remove_prefix(std::min(state.size(), magic.size()));
  Table made(limits_, is_taken_);
  while (!state.empty())
    if (const auto done = made.restore_family(state); !done) return done.error();
  families_ = std::move(made.families_);
  by_name_ = std::move(made.by_name_);
  series_ = std::move(made.series_);
  cells_ = std::move(made.cells_);
  sets_.clear();
  free_.clear();
  free_sets_.clear();
  index_ = std::move(made.index_);
  bytes_ = made.bytes_;
  ++generation_;
  return Done{};
}

Result<Done> Table::restore_family(std::string_view& rest) {
  std::string_view name, help;
  if (!take_text(rest, name, longest_name) || !take_text(rest, help, longest_text) || rest.empty())
    return malformed("a family is cut off");
  const auto kind = static_cast<Kind>(rest.front());
  rest.remove_prefix(1);
  if (!is_name(name) || by_name_.contains(std::string(name)) || !text::is_utf8(help) ||
      (kind != Kind::counter && kind != Kind::histogram))
    return malformed("a family is malformed");
  if (families_.size() >= limits_.max_families) return Error{Errc::limit, "state of StatsD series: too many families"};
  const auto index = static_cast<std::uint32_t>(families_.size());
  auto& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.kind = kind;
  family.is_restored = true;
  by_name_.emplace(name, index);
  std::uint64_t count = 0;
  if (!take_bounds(rest, family.bounds) || (kind == Kind::counter && !family.bounds.empty()) ||
      !take_varint(rest, count))
    return malformed("the bounds of a family are malformed");
  for (std::uint64_t i = 0; i < count; ++i)
    if (const auto done = restore_series(rest, index); !done) return done;
  return Done{};
}

Result<Done> Table::restore_series(std::string_view& rest, std::uint32_t family_index) {
  const auto& family = families_[family_index];
  std::string_view labels;
  double value = 0;
  if (!take_text(rest, labels, longest_text) || rest.empty()) return malformed("a series is cut off");
  const bool is_overflow = rest.front() == 1;
  rest.remove_prefix(1);
  if (!take_double(rest, value) || !std::isfinite(value)) return malformed("a total is not a number");
  if (family.kind == Kind::counter && value < 0) return malformed("a counter is negative");
  if (!is_label_text(labels)) return malformed("the labels of a series are malformed");
  const auto known = find_series(family_index, labels, hash_of(family_index, labels));
  if (known != none && known != family.overflow) return malformed("a series comes twice");
  const auto number = place_for(family_index, labels, is_overflow);
  auto& series = series_[number];
  if (!std::isfinite(series.value + value)) return malformed("a total is too large");
  series.value += value;
  series.has_value = true;
  if (family.kind != Kind::histogram) return Done{};
  std::uint64_t count = 0;
  for (auto& bucket : buckets(series)) {
    if (!take_varint(rest, count)) return malformed("a bucket is cut off");
    bucket += count;
  }
  return Done{};
}

/// @return the series to add to: a new one, or the overflow series where that is meant or there is no room.
std::uint32_t Table::place_for(std::uint32_t family_index, std::string_view labels, bool is_overflow) {
  auto& family = families_[family_index];
  if (is_overflow && family.overflow == none) return family.overflow = make(family_index, labels, 0, 0);
  if (is_overflow) return family.overflow;
  if (labels.empty() || room_for(family, labels) == Overflow::none) return make(family_index, labels, 0, 0);
  const auto pairs = metrics::decode(metrics::LabelSet{labels});
  std::vector<metrics::Label> views;
  for (const auto& [name, text] : pairs) views.push_back({name, text});
  return overflow_of(family_index, views, 0);
}

}  // namespace midst::ingest::statsd
