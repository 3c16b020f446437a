#include "lib/push/http_metrics.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace midst::push {
namespace {

constexpr std::string_view other = "_OTHER";
constexpr std::array<std::string_view, 9> known_methods{"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                                        "DELETE", "OPTIONS", "CONNECT", "TRACE"};

/// The digits of a status; a label of its own for each, but what is no status is one.
class StatusText {
 public:
  explicit StatusText(unsigned status) noexcept {
    if (status < 100 || status > 599) return;
    std::to_chars(digits_, digits_ + 3, status);
    text_ = {digits_, 3};
  }
  StatusText(const StatusText&) = delete;
  StatusText& operator=(const StatusText&) = delete;
  [[nodiscard]] std::string_view text() const noexcept { return text_; }

 private:
  char digits_[3]{};
  std::string_view text_ = other;
};

/// The routes seen, at most so many. Without a lock, which a fork could catch held for ever.
class Routes {
 public:
  explicit Routes(std::size_t max) : max_(max), slots_(std::bit_ceil(2 * max + 2)) {}
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;
  ~Routes() {
    for (auto& slot : slots_) delete slot.load();
  }

  /// @return the route, or "_OTHER" when it would be one too many.
  [[nodiscard]] std::string_view bounded(std::string_view route);

 private:
  const std::size_t max_;
  std::vector<std::atomic<const std::string*>> slots_;
  std::atomic<std::size_t> count_{0};
};

std::string_view Routes::bounded(std::string_view route) {
  for (auto place = std::hash<std::string_view>{}(route);; ++place) {
    auto& slot = slots_[place & (slots_.size() - 1)];
    const auto* known = slot.load(std::memory_order_acquire);
    if (known == nullptr) {
      if (count_.fetch_add(1) >= max_) {
        --count_;
        return other;
      }
      auto made = std::make_unique<const std::string>(route);
      if (slot.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) {
        static_cast<void>(made.release());
        return route;
      }
      --count_;  // another thread was faster; `known` is its route
    }
    if (*known == route) return route;
  }
}

}  // namespace

struct HttpMetrics::Parts {
  Parts(Client& client, HttpMetricsOptions wished);

  const HttpMetricsOptions options;
  Family<Counter> requests;
  Family<Histogram> durations, request_sizes, response_sizes;
  Gauge in_flight;
  Routes routes;
};

HttpMetrics::Parts::Parts(Client& client, HttpMetricsOptions wished)
    : options(std::move(wished)),
      requests(client.counter("http_requests_total", "HTTP requests answered, by route template.",
                              {"method", "route", "status"})),
      durations(client.histogram("http_request_duration_seconds",
                                 "Time from a request's last byte to its answer being ready.", options.duration_bounds,
                                 {"method", "route"})),
      routes(options.max_routes) {
  if (!options.size_bounds.empty()) {
    request_sizes = client.histogram("http_request_size_bytes", "Size of request bodies.", options.size_bounds,
                                     {"method", "route"});
    response_sizes = client.histogram("http_response_size_bytes", "Size of response bodies.", options.size_bounds,
                                      {"method", "route"});
  }
  in_flight = options.in_flight ? *options.in_flight
                                : client.gauge("http_requests_in_flight", "HTTP requests being answered.").with({});
  in_flight.set(0);
}

HttpMetrics::HttpMetrics(Client& client, HttpMetricsOptions options)
    : parts_(std::make_unique<Parts>(client, std::move(options))) {
}

HttpMetrics::~HttpMetrics() = default;

HttpRequest HttpMetrics::begin(std::string_view method) {
  return HttpRequest(*this, method);
}

void HttpMetrics::expect(std::string_view method, std::string_view route, unsigned status) {
  const StatusText text(status);
  parts_->requests.with({method_label(method), parts_->routes.bounded(route), text.text()}).add(0);
}

HttpRequest::HttpRequest(HttpMetrics& metrics, std::string_view method)
    : metrics_(metrics), method_(method_label(method)) {
  metrics_.parts_->in_flight.add(1);
}

HttpRequest::~HttpRequest() {
  metrics_.parts_->in_flight.add(-1);
  try {
    record();
  } catch (...) {  // no memory for a new series: this request is not counted
    return;
  }
}

void HttpRequest::record() const {
  auto& parts = *metrics_.parts_;
  const auto route = parts.routes.bounded(route_);
  const StatusText status(status_);
  parts.requests.with({method_, route, status.text()}).add();
  const auto duration = parts.durations.with({method_, route});
  const auto seconds = std::chrono::duration<double>(elapsed()).count();
  auto trace = trace_;
  if (!trace.is_valid() && parts.options.current_trace) trace = parts.options.current_trace().value_or(TraceContext{});
  if (trace.is_valid())
    duration.observe(seconds, trace);
  else
    duration.observe(seconds);
  if (request_bytes_) parts.request_sizes.with({method_, route}).observe(static_cast<double>(*request_bytes_));
  if (response_bytes_) parts.response_sizes.with({method_, route}).observe(static_cast<double>(*response_bytes_));
}

void HttpRequest::set_sizes(std::uint64_t request_bytes, std::uint64_t response_bytes) noexcept {
  request_bytes_ = request_bytes;
  response_bytes_ = response_bytes;
}

void HttpRequest::set_traceparent(std::string_view header) noexcept {
  if (const auto trace = sampled_trace(header)) trace_ = *trace;
}

std::chrono::nanoseconds HttpRequest::elapsed() const noexcept {
  return std::chrono::steady_clock::now() - start_;
}

std::string_view method_label(std::string_view method) noexcept {
  const auto* const known = std::find(known_methods.begin(), known_methods.end(), method);
  return known == known_methods.end() ? other : *known;
}

}  // namespace midst::push
