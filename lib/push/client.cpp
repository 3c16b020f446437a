#include "lib/push/client.hpp"

#include "lib/push/exemplars.hpp"
#include "lib/push/look_up.hpp"
#include "lib/push/parts.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace midst::push {
namespace {

using Doubles [[gnu::vector_size(16)]] = double;
using Counts [[gnu::vector_size(16)]] = long long;

/// @return the number of bounds below `value`, which is its bucket. Sixteen at a time and without a branch that depends
/// on the value, so that random values cost no mispredictions; up to 16 bounds that is one round.
/// @param bounds  followed by infinities up to a multiple of bounds_block, see Registry::Place.
[[gnu::always_inline]] inline std::uint32_t bucket_of(std::span<const double> bounds, double value) noexcept {
  constexpr std::size_t block = detail::bounds_block;
  std::size_t first = 0;
  while (first + block < bounds.size() && value > bounds[first + block - 1]) first += block;
  const Doubles wide{value, value};
  Counts even{}, odd{};
  for (std::size_t i = first; i < first + block; i += 4) {
    Doubles two, more;
    std::memcpy(&two, bounds.data() + i, sizeof two);
    std::memcpy(&more, bounds.data() + i + 2, sizeof more);
    even -= wide > two;  // true is -1
    odd -= wide > more;
  }
  const auto below = even + odd;
  return static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(below[0] + below[1]);
}

/// The first observation of a thread, or one for which it has no cells.
[[gnu::noinline]] void observe_first(std::uint32_t client, std::uint32_t cell, std::uint32_t bucket, std::uint32_t sum,
                                     double value) noexcept {
  detail::add_first(client, cell, bucket, std::uint64_t{1});
  detail::add_first(client, cell, sum, value);
}

bool is_absent(double gauge) noexcept {
  return detail::is_unset(gauge) || detail::is_removed(gauge);
}

wire::FamilyDefinition definition(const FamilyOptions& options, wire::MetricKind kind) {
  wire::FamilyDefinition family;
  family.name = options.name;
  family.help = options.help;
  family.unit = options.unit;
  family.kind = kind;
  family.label_names = options.label_names;
  for (const auto& [name, value] : options.constant_labels) family.label_names.push_back(name);
  return family;
}

std::vector<std::string> constants_of(const FamilyOptions& options) {
  std::vector<std::string> values;
  for (const auto& [name, value] : options.constant_labels)
    values.push_back(value.substr(0, wire::max_label_value_bytes));
  return values;
}

FamilyOptions options_of(std::string_view name, std::string_view help, std::vector<std::string> label_names) {
  FamilyOptions options;
  options.name = name;
  options.help = help;
  options.label_names = std::move(label_names);
  return options;
}

}  // namespace

void Gauge::set(double value) const noexcept {
  if (value_ == nullptr) return;
  value_->store(value, std::memory_order_relaxed);
  detail::start_threads_after_fork();
}

void Gauge::add(double amount) const noexcept {
  if (value_ == nullptr) return;
  double before = value_->load(std::memory_order_relaxed);
  while (!value_->compare_exchange_weak(before, (is_absent(before) ? 0 : before) + amount, std::memory_order_relaxed)) {
  }
  detail::start_threads_after_fork();
}

void Counter::add(double amount, const TraceContext& trace) const noexcept {
  add(amount);
  const bool is_counted = amount >= 0 && amount <= std::numeric_limits<double>::max();
  if (is_counted && exemplars_ != nullptr) exemplars_->offer(0, amount, trace);
}

void Histogram::observe(double value, const TraceContext& trace) const noexcept {
  observe(value);
  if (std::isfinite(value) && exemplars_ != nullptr) exemplars_->offer(bucket_of(bounds_, value), value, trace);
}

void Histogram::observe(double value) const noexcept {
  if (client_ == 0 || !std::isfinite(value)) return;
  const auto bucket = bucket_of(bounds_, value);
  const auto sum = static_cast<std::uint32_t>(bounds_.size()) + 1;
  // Its cells lie in one chunk, so finding the first is finding all.
  auto* const cells = detail::known(client_, cell_);
  if (cells == nullptr) [[unlikely]]
    return observe_first(client_, cell_, bucket, sum, value);
  detail::add(cells[bucket], std::uint64_t{1});
  detail::add(cells[sum], value);
}

void Histogram::observe_many(std::span<const double> values) const noexcept {
  auto* const cells = detail::find(client_, cell_);
  const auto sum = static_cast<std::uint32_t>(bounds_.size()) + 1;
  for (const double value : values) {
    if (cells == nullptr) {
      observe(value);
    } else if (std::isfinite(value)) {
      detail::add(cells[bucket_of(bounds_, value)], std::uint64_t{1});
      detail::add(cells[sum], value);
    }
  }
}

Timer Histogram::time() const noexcept {
  return Timer(*this);
}

Timer::Timer(Timer&& other) noexcept
    : histogram_(other.histogram_),
      start_(other.start_),
      trace_(other.trace_),
      is_running_(std::exchange(other.is_running_, false)) {
}

double Timer::stop() noexcept {
  if (!std::exchange(is_running_, false)) return 0;
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (trace_.is_valid())
    histogram_.observe(seconds, trace_);
  else
    histogram_.observe(seconds);
  return seconds;
}

template <class Series>
Series Family<Series>::with(std::span<const std::string_view> label_values) const {
  if (client_ == nullptr) return Series{};
  return client_->series(static_cast<const Series*>(nullptr), family_, label_values);
}

template <class Series>
void Family<Series>::remove_series(std::span<const std::string_view> label_values) const {
  if (client_ != nullptr) client_->remove(family_, label_values);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

Client::Client(ClientOptions options) : parts_(std::make_unique<detail::Parts>(std::move(options))) {
}

Client::~Client() = default;

template <class Series>
Family<Series> Client::family(const std::optional<std::uint32_t>& id) {
  Family<Series> made;
  if (!id) return made;
  made.client_ = this;
  made.family_ = *id;
  return made;
}

Family<Counter> Client::counter(FamilyOptions options) {
  return family<Counter>(
      parts_->registry.declare(definition(options, wire::MetricKind::counter), constants_of(options)));
}

Family<Gauge> Client::gauge(FamilyOptions options, GaugeMerge merge) {
  auto declared = definition(options, wire::MetricKind::gauge);
  declared.merge = static_cast<std::uint8_t>(merge);
  return family<Gauge>(parts_->registry.declare(std::move(declared), constants_of(options)));
}

Family<Histogram> Client::histogram(FamilyOptions options, std::vector<double> bounds) {
  auto declared = definition(options, wire::MetricKind::histogram);
  declared.bounds = std::move(bounds);
  return family<Histogram>(parts_->registry.declare(std::move(declared), constants_of(options)));
}

Family<Counter> Client::counter(std::string_view name, std::string_view help, std::vector<std::string> label_names) {
  return counter(options_of(name, help, std::move(label_names)));
}

Family<Gauge> Client::gauge(std::string_view name, std::string_view help, std::vector<std::string> label_names,
                            GaugeMerge merge) {
  return gauge(options_of(name, help, std::move(label_names)), merge);
}

Family<Histogram> Client::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                    std::vector<std::string> label_names) {
  return histogram(options_of(name, help, std::move(label_names)), std::move(bounds));
}

void Client::gauge_callback(std::string_view name, std::string_view help, std::function<double()> function,
                            GaugeMerge merge) {
  const auto value = gauge(name, help, {}, merge).with({});
  before_flush([value, function = std::move(function)] { value.set(function()); });
}

void Client::remove(std::uint32_t family, std::span<const std::string_view> label_values) {
  parts_->registry.remove(family, label_values);
}

Counter Client::series(const Counter*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Counter made;
  const auto place = detail::look_up(parts_->registry, parts_->shards->number(), family, label_values);
  if (!place.cell) return made;
  made.client_ = parts_->shards->number();
  made.cell_ = *place.cell;
  made.exemplars_ = place.exemplars;
  return made;
}

Gauge Client::series(const Gauge*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Gauge made;
  made.value_ = detail::look_up(parts_->registry, parts_->shards->number(), family, label_values).gauge;
  return made;
}

Histogram Client::series(const Histogram*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Histogram made;
  const auto place = detail::look_up(parts_->registry, parts_->shards->number(), family, label_values);
  if (!place.cell) return made;
  made.client_ = parts_->shards->number();
  made.cell_ = *place.cell;
  made.exemplars_ = place.exemplars;
  made.bounds_ = place.bounds;
  return made;
}

void Client::before_flush(std::function<void()> callback) {
  const std::lock_guard lock(parts_->requests.mutex);
  parts_->requests.before_flush.push_back(std::move(callback));
}

bool Client::flush(std::chrono::milliseconds timeout) {
  detail::start_threads_after_fork();
  auto& requests = parts_->requests;
  std::unique_lock lock(requests.mutex);
  const auto mine = ++requests.wanted;
  requests.wake();
  return requests.changed.wait_for(lock, timeout, [&] { return requests.flushed >= mine; });
}

ClientStats Client::stats() const {
  const std::lock_guard lock(parts_->requests.mutex);
  return parts_->requests.stats;
}

}  // namespace midst::push
