// The metrics of an HTTP server, ready made: requests, their time, their size, and how many are in flight. For the
// place in a server that sees every request begin and end. Installed with client.hpp.
#pragma once

#include "lib/push/client.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace midst::push {

struct HttpMetricsOptions {
  std::vector<double> duration_bounds{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};  ///< Seconds.
  std::vector<double> size_bounds;  ///< Bytes; empty: sizes are not measured.
  std::size_t max_routes = 500;     ///< Different routes; one more is "_OTHER". A route is a template, not a path.
  /// Counts requests in flight in place of http_requests_in_flight.
  std::optional<Gauge> in_flight;
  /// Asked at the end of a request that was not told its trace: the current span of a tracing library.
  std::function<std::optional<TraceContext>()> current_trace;
};

class HttpRequest;

/// http_requests_total{method,route,status}, http_request_duration_seconds{method,route}, http_requests_in_flight, and
/// with size_bounds http_request_size_bytes and http_response_size_bytes{method,route}. Thread-safe.
class HttpMetrics {
 public:
  /// @param client  must outlive it.
  HttpMetrics(Client& client, HttpMetricsOptions options);
  ~HttpMetrics();
  HttpMetrics(const HttpMetrics&) = delete;
  HttpMetrics& operator=(const HttpMetrics&) = delete;

  /// A request has come. @param method  any; one that is not of RFC 9110 or RFC 5789 becomes "_OTHER".
  [[nodiscard]] HttpRequest begin(std::string_view method);
  /// Makes the series of a route and status exist at zero, so that rate() sees its first request.
  void expect(std::string_view method, std::string_view route, unsigned status);

 private:
  friend class HttpRequest;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// One request in flight. Counts itself exactly once when it ends, however it ends, so that an aborted request neither
/// leaks the in-flight gauge nor is missing from the counters.
class HttpRequest {
 public:
  HttpRequest(HttpMetrics& metrics, std::string_view method);
  HttpRequest(const HttpRequest&) = delete;
  HttpRequest& operator=(const HttpRequest&) = delete;
  ~HttpRequest();

  /// The template of the matched route; must outlive the request. "unmatched" before it is set.
  void set_route(std::string_view route) noexcept { route_ = route; }
  /// The status that is sent. A request that never had one counts as 499: it ended without an answer.
  void set_status(unsigned status) noexcept { status_ = status; }
  /// Bytes of the bodies, where sizes are measured.
  void set_sizes(std::uint64_t request_bytes, std::uint64_t response_bytes) noexcept;
  /// The trace that the exemplar of its time points at; of a W3C `traceparent` header the sampled one.
  void set_trace(const TraceContext& trace) noexcept { trace_ = trace; }
  void set_traceparent(std::string_view header) noexcept;
  /// @return a literal: the method as the label has it.
  [[nodiscard]] std::string_view method() const noexcept { return method_; }
  [[nodiscard]] std::chrono::nanoseconds elapsed() const noexcept;

 private:
  void record() const;

  HttpMetrics& metrics_;
  std::string_view method_;
  std::string_view route_ = "unmatched";
  unsigned status_ = 499;  // nginx's word for "the client closed the request".
  std::optional<std::uint64_t> request_bytes_, response_bytes_;
  TraceContext trace_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// @return the method if it is one of RFC 9110 and RFC 5789, else "_OTHER"; a literal.
[[nodiscard]] std::string_view method_label(std::string_view method) noexcept;

}  // namespace midst::push
