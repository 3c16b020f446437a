// What happens to every request before and after its route: id, record, limits, errors, log. The API's net::Handler.
#pragma once

#include "api/http/router.hpp"
#include "api/telemetry/metrics.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <cstddef>

namespace midst::api {

struct MiddlewareLimits {
  std::size_t body_bytes = 256 * 1024;              ///< More is answered 413.
  std::chrono::milliseconds request_timeout{5000};  ///< From the whole request to its answer.
};

class Middleware {
 public:
  /// @param router, metrics  must outlive it.
  Middleware(const Router& router, Metrics& metrics, MiddlewareLimits limits);

  /// Answers one request and counts it exactly once. Never throws.
  [[nodiscard]] asio::awaitable<net::Response> handle(net::Request request);

 private:
  [[nodiscard]] asio::awaitable<net::Response> dispatch(Match match, Call call);

  const Router& router_;
  Metrics& metrics_;
  MiddlewareLimits limits_;
};

}  // namespace midst::api
