#include "lib/metrics/instruments.hpp"

#include "lib/base/log.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cmath>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace midst::metrics {

void Counter::add(double amount) const noexcept {
  if (counter_ != nullptr && amount >= 0 && std::isfinite(amount)) counter_->Increment(amount);
}
double Counter::value() const noexcept {
  return counter_ == nullptr ? 0 : counter_->Value();
}

void Gauge::set(double value) const noexcept {
  if (gauge_ != nullptr) gauge_->Set(value);
}
void Gauge::add(double amount) const noexcept {
  if (gauge_ != nullptr) gauge_->Increment(amount);
}
double Gauge::value() const noexcept {
  return gauge_ == nullptr ? 0 : gauge_->Value();
}

void Histogram::observe(double value) const noexcept {
  // prometheus-cpp 1.0.1 puts NaN into the first bucket and its sum never recovers.
  if (histogram_ != nullptr && !std::isnan(value)) histogram_->Observe(value);
}

/// The families as prometheus-cpp holds them, beside what it cannot hold (unit) or forgets (order, bounds). Its own
/// Collect() is not used: it copies every text and yields the series in hash order.
class Instruments::Registry {
 public:
  explicit Registry(double created_unix_seconds) : created_(created_unix_seconds) {}

  template <class Kind>
  Kind* series(const MetricSpec& spec, MetricType type, std::span<const double> bounds, std::span<const Label> labels);
  void collect(SnapshotBuilder& builder) const;
  std::size_t refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  using Instrument = std::variant<prometheus::Counter*, prometheus::Gauge*, prometheus::Histogram*>;
  struct Series {
    prometheus::Labels labels;
    Instrument instrument;
  };
  struct Family {
    std::string name, unit, help;
    MetricType type;
    std::vector<double> bounds;
    std::variant<prometheus::Family<prometheus::Counter>*, prometheus::Family<prometheus::Gauge>*,
                 prometheus::Family<prometheus::Histogram>*>
        made;
    std::vector<Series> series;
    std::map<prometheus::Labels, std::size_t> by_labels;
  };

  Family& family(const MetricSpec& spec, MetricType type, std::span<const double> bounds);
  template <class Kind>
  Instrument make(Family& family, const prometheus::Labels& labels);
  void refuse(std::string_view name, std::string_view reason);

  mutable std::mutex mutex_;
  prometheus::Registry registry_;
  std::vector<std::unique_ptr<Family>> families_;
  std::map<std::string, Family*, std::less<>> by_name_;
  std::set<std::string, std::less<>> refused_names_;
  std::size_t series_count_ = 0;
  std::size_t refused_ = 0;
  double created_;
};

template <class Kind>
Kind* Instruments::Registry::series(const MetricSpec& spec, MetricType type, std::span<const double> bounds,
                                    std::span<const Label> labels) {
  const std::lock_guard lock(mutex_);
  try {
    auto& owner = family(spec, type, bounds);
    if (owner.type != type) {
      refuse(spec.name, "family has another type");
      return nullptr;
    }
    prometheus::Labels key;
    for (const auto& label : labels) key.emplace(label.name, label.value);
    if (const auto known = owner.by_labels.find(key); known != owner.by_labels.end())
      return std::get<Kind*>(owner.series[known->second].instrument);
    if (series_count_ >= max_series) {
      refuse(spec.name, "too many series");
      return nullptr;
    }
    const auto instrument = make<Kind>(owner, key);
    owner.by_labels.emplace(key, owner.series.size());
    owner.series.push_back({std::move(key), instrument});
    ++series_count_;
    return std::get<Kind*>(instrument);
  } catch (const std::exception& error) {  // names that are none
    refuse(spec.name, error.what());
    return nullptr;
  }
}

Instruments::Registry::Family& Instruments::Registry::family(const MetricSpec& spec, MetricType type,
                                                             std::span<const double> bounds) {
  if (const auto known = by_name_.find(spec.name); known != by_name_.end()) return *known->second;
  auto made = std::make_unique<Family>();
  *made = {std::string(spec.name),
           std::string(spec.unit),
           std::string(spec.help),
           type,
           {bounds.begin(), bounds.end()},
           {},
           {},
           {}};
  if (type == MetricType::counter)
    made->made = &prometheus::BuildCounter().Name(made->name).Help(made->help).Register(registry_);
  else if (type == MetricType::gauge)
    made->made = &prometheus::BuildGauge().Name(made->name).Help(made->help).Register(registry_);
  else
    made->made = &prometheus::BuildHistogram().Name(made->name).Help(made->help).Register(registry_);
  families_.push_back(std::move(made));
  by_name_.emplace(families_.back()->name, families_.back().get());
  return *families_.back();
}

template <class Kind>
Instruments::Registry::Instrument Instruments::Registry::make(Family& family, const prometheus::Labels& labels) {
  auto& made = *std::get<prometheus::Family<Kind>*>(family.made);
  if constexpr (std::is_same_v<Kind, prometheus::Histogram>)
    return &made.Add(labels, family.bounds);
  else
    return &made.Add(labels);
}

void Instruments::Registry::refuse(std::string_view name, std::string_view reason) {
  ++refused_;
  if (refused_names_.size() < max_series && refused_names_.emplace(name).second)
    log::error("metric series refused", {{"family", name}, {"reason", reason}});
}

void Instruments::Registry::collect(SnapshotBuilder& builder) const {
  const std::lock_guard lock(mutex_);
  std::vector<Label> labels;
  std::vector<std::uint64_t> cumulative;
  for (const auto& family : families_) {
    auto& out = builder.family({family->name, family->type, family->unit, family->help});
    for (const auto& series : family->series) {
      labels.clear();
      for (const auto& [name, value] : series.labels) labels.push_back({name, value});
      const auto set = builder.labels(labels);
      if (const auto* gauge = std::get_if<prometheus::Gauge*>(&series.instrument)) {
        out.add(set, (*gauge)->Value());
        continue;
      }
      if (const auto* counter = std::get_if<prometheus::Counter*>(&series.instrument)) {
        out.add(set, (*counter)->Value());
      } else {
        const auto histogram = std::get<prometheus::Histogram*>(series.instrument)->Collect().histogram;
        cumulative.clear();
        for (std::size_t i = 0; i < family->bounds.size(); ++i)
          cumulative.push_back(histogram.bucket[i].cumulative_count);
        out.add(set, {.bounds = family->bounds,
                      .cumulative = cumulative,
                      .quantile_values = {},
                      .sum = histogram.sample_sum,
                      .count = histogram.sample_count});
      }
      if (created_ > 0) out.set_created(created_);
    }
  }
}

Instruments::Instruments(double created_unix_seconds) : registry_(std::make_unique<Registry>(created_unix_seconds)) {
}
Instruments::~Instruments() = default;

Counter Instruments::counter(const MetricSpec& spec, std::span<const Label> labels) {
  return Counter(registry_->series<prometheus::Counter>(spec, MetricType::counter, {}, labels));
}
Counter Instruments::counter(const MetricSpec& spec, std::initializer_list<Label> labels) {
  return counter(spec, std::span<const Label>(labels.begin(), labels.size()));
}
Gauge Instruments::gauge(const MetricSpec& spec, std::span<const Label> labels) {
  return Gauge(registry_->series<prometheus::Gauge>(spec, MetricType::gauge, {}, labels));
}
Gauge Instruments::gauge(const MetricSpec& spec, std::initializer_list<Label> labels) {
  return gauge(spec, std::span<const Label>(labels.begin(), labels.size()));
}
Histogram Instruments::histogram(const MetricSpec& spec, std::span<const double> bounds,
                                 std::span<const Label> labels) {
  return Histogram(registry_->series<prometheus::Histogram>(spec, MetricType::histogram, bounds, labels));
}
Histogram Instruments::histogram(const MetricSpec& spec, std::initializer_list<double> bounds,
                                 std::initializer_list<Label> labels) {
  return histogram(spec, std::span<const double>(bounds.begin(), bounds.size()),
                   std::span<const Label>(labels.begin(), labels.size()));
}

void Instruments::collect(SnapshotBuilder& builder) const {
  registry_->collect(builder);
}
std::size_t Instruments::refused_series() const noexcept {
  return registry_->refused();
}

}  // namespace midst::metrics
