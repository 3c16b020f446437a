#include "lib/push/registry.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace midst::push::detail {
namespace {

constexpr std::uint64_t unset_bits = 0x7ff8'6d69'6473'7400, removed_bits = unset_bits + 1;

bool is_name(std::string_view name, bool has_colons) noexcept {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (has_colons && c == ':');
  });
}

/// OpenMetrics wants the unit as the end of the name, but for "_total".
bool ends_in_unit(std::string_view name, std::string_view unit) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  return name.ends_with(unit) && name.size() > unit.size() && name[name.size() - unit.size() - 1] == '_';
}

bool is_valid(const wire::FamilyDefinition& family) {
  if (!is_name(family.name, true) || family.name.size() > wire::max_name_bytes) return false;
  if (family.help.size() > wire::max_help_bytes || family.label_names.size() > wire::max_labels) return false;
  if (family.bounds.size() > wire::max_bounds) return false;
  if (!family.unit.empty() && (family.unit.size() > wire::max_unit_bytes || !ends_in_unit(family.name, family.unit)))
    return false;
  for (std::size_t i = 0; i < family.bounds.size(); ++i)
    if (!std::isfinite(family.bounds[i]) || (i > 0 && family.bounds[i] <= family.bounds[i - 1])) return false;
  for (const auto& label : family.label_names)
    if (!is_name(label, false) || label.size() > wire::max_label_name_bytes || label == "le" ||
        std::count(family.label_names.begin(), family.label_names.end(), label) > 1)
      return false;
  return true;
}

bool is_same(const wire::FamilyDefinition& a, const wire::FamilyDefinition& b) {
  return a.kind == b.kind && a.merge == b.merge && a.label_names == b.label_names && a.bounds == b.bounds;
}

/// OpenMetrics' UNIT, where the name says it.
std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"seconds", "bytes", "ratio"})
    if (ends_in_unit(name, unit)) return unit;
  return {};
}

void append_key(std::string& key, std::span<const std::string_view> values) {
  key.clear();
  for (const auto value : values) {
    key.append(value.substr(0, wire::max_label_value_bytes));
    key += '\xff';  // in no UTF-8 text
  }
}

}  // namespace

double unset_gauge() noexcept {
  return std::bit_cast<double>(unset_bits);
}

bool is_unset(double gauge) noexcept {
  return std::bit_cast<std::uint64_t>(gauge) == unset_bits;
}

double removed_gauge() noexcept {
  return std::bit_cast<double>(removed_bits);
}

bool is_removed(double gauge) noexcept {
  return std::bit_cast<std::uint64_t>(gauge) == removed_bits;
}

Registry::Registry(std::shared_ptr<Shards> shards, std::size_t max_series, Report report)
    : shards_(std::move(shards)), report_(std::move(report)), own_max_series_(max_series), max_series_(max_series) {
}

std::optional<std::uint32_t> Registry::declare(wire::FamilyDefinition definition, std::vector<std::string> constants) {
  std::unique_lock lock(mutex_);
  const auto found = by_name_.find(definition.name);
  const bool is_known = found != by_name_.end();
  if (is_known && is_same(families_[found->second].definition, definition) &&
      families_[found->second].constants == constants)
    return found->second;
  if (is_known || !is_valid(definition)) {
    ++counts_.rejected;
    const bool is_news = is_reported_.size() < 100 && !std::exchange(is_reported_[definition.name], true);
    lock.unlock();
    if (is_news)
      report_(is_known ? "a family is declared twice and differently; the second counts nowhere"
                       : "a family has an invalid declaration; it counts nowhere",
              definition.name);
    return std::nullopt;
  }
  definition.id = static_cast<std::uint32_t>(families_.size());
  if (definition.unit.empty()) definition.unit = unit_of(definition.name);
  by_name_.emplace(definition.name, definition.id);
  auto& family = families_.emplace_back();
  family.definition = std::move(definition);
  describe(family.definition);
  family.constants = std::move(constants);
  family.padded_bounds = family.definition.bounds;
  const auto blocks = family.padded_bounds.size() / bounds_block + 1;
  family.padded_bounds.resize(blocks * bounds_block, std::numeric_limits<double>::infinity());
  return static_cast<std::uint32_t>(families_.size() - 1);
}

Registry::Place Registry::find(std::uint32_t family_id, std::span<const std::string_view> label_values) {
  const std::lock_guard lock(mutex_);
  auto& family = families_[family_id];
  const auto id = find_or_make(family, label_values);
  Place place;
  if (!id) {
    ++counts_.rejected;
    return place;
  }
  if (family.definition.kind == wire::MetricKind::gauge)
    place.gauge = &series_[*id].gauge;
  else
    place.cell = sent_[*id].cell;
  place.bounds = std::span(family.padded_bounds).first(family.definition.bounds.size());
  place.exemplars = &series_[*id].exemplars;
  place.is_own = family.overflow != id;
  return place;
}

std::optional<std::uint32_t> Registry::find_or_make(Family& family, std::span<const std::string_view> values) {
  if (values.size() + family.constants.size() != family.definition.label_names.size()) return std::nullopt;
  append_key(key_, values);
  if (const auto found = family.series.find(key_); found != family.series.end()) return found->second;
  if (series_.size() < max_series_) {
    const auto id = make(family, values);
    if (id) family.series.emplace(key_, *id);
    return id;
  }
  ++counts_.overflowed;
  if (!family.overflow) {
    const std::vector<std::string_view> overflow(family.definition.label_names.size(), overflow_value);
    family.overflow = make(family, overflow);
  }
  return family.overflow;
}

std::optional<std::uint32_t> Registry::make(Family& family, std::span<const std::string_view> values) {
  std::uint32_t cell = 0;
  if (family.definition.kind != wire::MetricKind::gauge) {
    const bool is_histogram = family.definition.kind == wire::MetricKind::histogram;
    const auto count = is_histogram ? static_cast<std::uint32_t>(family.definition.bounds.size()) + 2 : 2;
    const auto first = shards_->allocate(count);
    if (!first) return std::nullopt;
    cell = *first;
  }
  auto& series = series_.emplace_back(news_, static_cast<std::uint32_t>(series_.size()), family.definition);
  series.gauge.store(unset_gauge(), std::memory_order_relaxed);
  for (const auto value : values) series.label_values.emplace_back(value.substr(0, wire::max_label_value_bytes));
  if (values.size() < family.definition.label_names.size())
    series.label_values.insert(series.label_values.end(), family.constants.begin(), family.constants.end());
  sent_.push_back({cell, family.definition.kind});
  const auto id = static_cast<std::uint32_t>(series_.size() - 1);
  series.family = family.definition.id;
  describe(id);
  return id;
}

/// Gauges are not in there: they go with their client.
void Registry::describe(const wire::FamilyDefinition& family) {
  if (shards_->memory() == nullptr || family.kind == wire::MetricKind::gauge) return;
  std::string frame;
  wire::encode(frame, family);
  shards_->memory()->append(frame);
}

void Registry::describe(std::uint32_t id) {
  if (shards_->memory() == nullptr || sent_[id].kind == wire::MetricKind::gauge) return;
  auto definition = definition_of(id);
  definition.cell = sent_[id].cell;
  std::string frame;
  wire::encode(frame, definition);
  shards_->memory()->append(frame);
}

wire::SeriesDefinition Registry::definition_of(std::uint32_t id) const {
  wire::SeriesDefinition definition;
  definition.id = id;
  definition.family = series_[id].family;
  definition.label_values = series_[id].label_values;
  return definition;
}

void Registry::write_directory() {
  const std::lock_guard lock(mutex_);
  for (const auto& family : families_) describe(family.definition);
  for (std::uint32_t id = 0; id < series_.size(); ++id) describe(id);
}

void Registry::remove(std::uint32_t family_id, std::span<const std::string_view> label_values) {
  const std::lock_guard lock(mutex_);
  auto& family = families_[family_id];
  append_key(key_, label_values);
  const auto found = family.series.find(key_);
  if (found != family.series.end()) series_[found->second].gauge.store(removed_gauge(), std::memory_order_relaxed);
}

void Registry::welcome(const wire::Welcome& welcome) {
  const std::lock_guard lock(mutex_);
  const auto known = welcome.wants_full ? 0 : welcome.last_seq;
  first_undefined_family_ = first_undefined_ = 0;
  wants_exemplars_ = (welcome.features & wire::feature_exemplars) != 0;
  if (welcome.max_series > 0) max_series_ = std::min<std::size_t>(own_max_series_, welcome.max_series);
  for (auto& family : families_) {
    if (family.definition_seq <= known) continue;
    family.definition_seq = 0;
    family.is_refused = false;
  }
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (series_[i].definition_seq > known) {
      series_[i].definition_seq = 0;
      sent_[i].is_refused = false;
    }
    if (sent_[i].seq > known) sent_[i].seq = 0;
  }
}

void Registry::refuse_family(std::uint32_t family) {
  const std::lock_guard lock(mutex_);
  if (family < families_.size()) families_[family].is_refused = true;  // its series come as refused with the next ACK
}

void Registry::refuse_series(std::uint32_t series) {
  const std::lock_guard lock(mutex_);
  if (series >= sent_.size() || std::exchange(sent_[series].is_refused, true)) return;
  ++counts_.rejected;
}

void Registry::begin(wire::Snap head) {
  const std::lock_guard lock(mutex_);
  head_ = std::move(head);
  family_end_ = families_.size();
  series_end_ = series_.size();
  next_family_ = first_undefined_family_;
  next_definition_ = first_undefined_;
  next_value_ = 0;
  has_news_ = false;
  exemplars_.clear();
  next_exemplar_ = 0;
  news_.take(exemplars_);
  if (!wants_exemplars_) exemplars_.clear();
}

Registry::Progress Registry::next(std::string& out, std::size_t max_frame, bool is_forced,
                                  const wire::ClientReport& report) {
  const std::lock_guard lock(mutex_);
  const auto size_before = out.size();
  define(out, out.size() + max_frame);
  if (out.size() > size_before) has_news_ = true;
  if (next_family_ < family_end_ || next_definition_ < series_end_) return Progress::more;
  append_values(max_frame - 1024);
  if (next_value_ == series_end_) append_exemplars(max_frame - 1024);
  head_.is_last = next_value_ == series_end_ && next_exemplar_ == exemplars_.size();
  if (head_.is_last && !has_news_ && !is_forced) return Progress::nothing;
  head_.report = head_.is_last ? report : wire::ClientReport{};
  encoder_.finish(out, head_);
  return head_.is_last ? Progress::done : Progress::more;
}

void Registry::define(std::string& out, std::size_t limit) {
  for (; next_family_ < family_end_ && out.size() < limit; ++next_family_) {
    auto& family = families_[next_family_];
    if (family.definition_seq != 0) continue;
    wire::encode(out, family.definition);
    family.definition_seq = head_.seq;
  }
  if (next_family_ < family_end_) return;
  for (; next_definition_ < series_end_ && out.size() < limit; ++next_definition_) {
    auto& series = series_[next_definition_];
    if (series.definition_seq != 0) continue;
    wire::encode(out, definition_of(static_cast<std::uint32_t>(next_definition_)));
    series.definition_seq = head_.seq;
  }
  first_undefined_family_ = next_family_;
  first_undefined_ = next_definition_;
}

void Registry::append_values(std::size_t limit) {
  Shards::Reader cells(*shards_);
  const auto size_before = encoder_.size_bytes();
  for (; next_value_ < series_end_; ++next_value_) {
    auto& sent = sent_[next_value_];
    // Sixteen counters or gauges have less than 300 bytes, which next() has set aside.
    const bool must_look = next_value_ % 16 == 0 || sent.kind == wire::MetricKind::histogram;
    if (must_look && encoder_.size_bytes() >= limit) break;
    if (sent.is_refused) continue;
    const auto id = static_cast<std::uint32_t>(next_value_);
    if (sent.kind == wire::MetricKind::counter) append_counter(cells, id, sent);
    if (sent.kind == wire::MetricKind::gauge) append_gauge(id, sent);
    if (sent.kind == wire::MetricKind::histogram) append_histogram(cells, id, sent);
  }
  if (encoder_.size_bytes() > size_before) has_news_ = true;
}

inline void Registry::append_counter(Shards::Reader& cells, std::uint32_t id, Sent& sent) {
  const auto [whole, rest] = cells.pair(sent.cell);
  // Adding the shards up in another order, after a thread has ended, may be one rounding lower.
  const auto value = std::max(static_cast<double>(whole) + rest, sent.value);
  if (sent.seq != 0 && value == sent.value) return;
  if (rest == 0 && whole < wire::first_inexact)
    encoder_.add(id, whole);
  else
    encoder_.add(id, value);
  sent.value = value;
  sent.seq = head_.seq;
}

void Registry::append_gauge(std::uint32_t id, Sent& sent) {
  const auto& series = series_[id];
  auto value = series.gauge.load(std::memory_order_relaxed);
  if (is_removed(value)) {
    if (sent.seq != 0 && is_removed(sent.value)) return;
    encoder_.remove(id);
    sent.value = value;
    sent.seq = head_.seq;
    return;
  }
  if (is_unset(value)) {
    if (families_[series.family].definition.merge != static_cast<std::uint8_t>(GaugeMerge::sum)) return;
    value = 0;
  }
  if (sent.seq != 0 && std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(sent.value)) return;
  encoder_.add(id, value);
  sent.value = value;
  sent.seq = head_.seq;
}

void Registry::append_histogram(Shards::Reader& cells, std::uint32_t id, Sent& sent) {
  auto& series = series_[id];
  const auto bounds = static_cast<std::uint32_t>(families_[series.family].definition.bounds.size());
  buckets_.resize(bounds + 1);
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i <= bounds; ++i) count += buckets_[i] = cells.whole(sent.cell + i);
  // The sum is compared too: it may have been caught one observation behind its bucket last time.
  const auto sum = cells.real(sent.cell + bounds + 1);
  if (sent.seq != 0 && static_cast<double>(count) == sent.value && sum == series.sent_sum) return;
  encoder_.add(id, buckets_, sum);
  sent.value = static_cast<double>(count);
  series.sent_sum = sum;
  sent.seq = head_.seq;
}

void Registry::append_exemplars(std::size_t limit) {
  for (; next_exemplar_ < exemplars_.size() && encoder_.size_bytes() < limit; ++next_exemplar_) {
    const auto& exemplar = exemplars_[next_exemplar_];
    if (exemplar.id >= series_end_ || sent_[exemplar.id].is_refused) continue;
    encoder_.add(exemplar);
    has_news_ = true;
  }
}

Registry::Counts Registry::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Registry::start_over() noexcept {
  counts_ = {};
  max_series_ = own_max_series_;
  first_undefined_family_ = first_undefined_ = 0;
  news_.start_over();
  exemplars_.clear();
  next_exemplar_ = 0;
  for (auto& family : families_) {
    family.definition_seq = 0;
    family.is_refused = false;
  }
  for (std::size_t i = 0; i < series_.size(); ++i) {
    series_[i].definition_seq = 0;
    series_[i].exemplars.start_over();
    series_[i].gauge.store(unset_gauge(), std::memory_order_relaxed);
    sent_[i].is_refused = false;
    sent_[i].seq = 0;
    sent_[i].value = 0;
  }
}

}  // namespace midst::push::detail
