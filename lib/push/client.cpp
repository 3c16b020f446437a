#include "lib/push/client.hpp"

#include "lib/push/exemplars.hpp"
#include "lib/push/parts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace midst::push {
namespace {

/// @return the number of bounds below `value`, which is its bucket. Without branches that depend on the value, so
/// that random values cost no mispredictions.
std::uint32_t bucket_of(std::span<const double> bounds, double value) noexcept {
  constexpr std::size_t block = 8;
  std::size_t first = 0;
  while (first + block < bounds.size() && value > bounds[first + block - 1]) first += block;
  std::uint32_t below = 0;
  for (const double bound : bounds.subspan(first, std::min(block, bounds.size() - first)))
    below += static_cast<std::uint32_t>(value > bound);
  return static_cast<std::uint32_t>(first) + below;
}

wire::FamilyDefinition definition(std::string_view name, std::string_view help, wire::MetricKind kind,
                                  std::vector<std::string> label_names) {
  wire::FamilyDefinition family;
  family.name = name;
  family.help = help;
  family.kind = kind;
  family.label_names = std::move(label_names);
  return family;
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
  while (!value_->compare_exchange_weak(before, (detail::is_unset(before) ? 0 : before) + amount,
                                        std::memory_order_relaxed)) {
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
  if (!std::isfinite(value)) return;
  const auto bucket = bucket_of(bounds_, value);
  const auto sum = static_cast<std::uint32_t>(bounds_.size()) + 1;
  // Its cells lie in one chunk, so finding the first is finding all.
  if (auto* cells = detail::find(client_, cell_)) {
    detail::add(cells[bucket], std::uint64_t{1});
    detail::add(cells[sum], value);
    return;
  }
  detail::add_locked(client_, cell_ + bucket, std::uint64_t{1});
  detail::add_locked(client_, cell_ + sum, value);
}

template <class Series>
Series Family<Series>::with(std::initializer_list<std::string_view> label_values) const {
  if (client_ == nullptr) return Series{};
  return client_->series(static_cast<const Series*>(nullptr), family_,
                         std::span<const std::string_view>(label_values.begin(), label_values.size()));
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

Family<Counter> Client::counter(std::string_view name, std::string_view help, std::vector<std::string> label_names) {
  return family<Counter>(
      parts_->registry.declare(definition(name, help, wire::MetricKind::counter, std::move(label_names))));
}

Family<Gauge> Client::gauge(std::string_view name, std::string_view help, std::vector<std::string> label_names,
                            GaugeMerge merge) {
  auto declared = definition(name, help, wire::MetricKind::gauge, std::move(label_names));
  declared.merge = static_cast<std::uint8_t>(merge);
  return family<Gauge>(parts_->registry.declare(std::move(declared)));
}

Family<Histogram> Client::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                    std::vector<std::string> label_names) {
  auto declared = definition(name, help, wire::MetricKind::histogram, std::move(label_names));
  declared.bounds = std::move(bounds);
  return family<Histogram>(parts_->registry.declare(std::move(declared)));
}

Counter Client::series(const Counter*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Counter made;
  const auto place = parts_->registry.find(family, label_values);
  if (!place.cell) return made;
  made.client_ = parts_->shards->number();
  made.cell_ = *place.cell;
  made.exemplars_ = place.exemplars;
  return made;
}

Gauge Client::series(const Gauge*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Gauge made;
  made.value_ = parts_->registry.find(family, label_values).gauge;
  return made;
}

Histogram Client::series(const Histogram*, std::uint32_t family, std::span<const std::string_view> label_values) {
  Histogram made;
  const auto place = parts_->registry.find(family, label_values);
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
