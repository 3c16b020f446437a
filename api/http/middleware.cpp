#include "api/http/middleware.hpp"

#include "api/http/identifiers.hpp"
#include "api/http/replies.hpp"
#include "lib/base/log.hpp"

#include <utility>

namespace midst::api {
namespace {

constexpr std::string_view api_version = "1";

std::string request_id_of(const net::Request& request) {
  const auto given = request.header("X-Request-Id");
  return is_request_id(given) ? std::string(given) : make_uuid();
}

void log_answer(const Match& match, std::string_view method, const std::string& request_id, unsigned status,
                std::chrono::nanoseconds elapsed) {
  if (!log::enabled(log::Level::debug)) return;
  const auto duration_ms = std::chrono::duration<double, std::milli>(elapsed).count();
  log::debug("request", {{"method", method},
                         {"route", match.label},
                         {"status", status},
                         {"duration_ms", duration_ms},
                         {"request_id", request_id}});
}

void log_failure(const Error& error, std::string_view route, const std::string& request_id, unsigned status) {
  if (status < 500) return;
  // 503 is a state of something else, which is logged where it changes; 500 is ours to repair.
  const auto level = status == 503 ? log::Level::debug : log::Level::error;
  log::write(level, "request failed", {{"route", route}, {"error", describe(error)}, {"request_id", request_id}});
}

/// A coroutine of its own, so that a handler that throws before its first wait is caught by no_throw() too.
asio::awaitable<Result<net::Response>> invoke(const RouteHandler* handler, Call call) {
  auto work = (*handler)(std::move(call));
  co_return co_await std::move(work);
}

}  // namespace

Middleware::Middleware(const Router& router, Metrics& metrics, MiddlewareLimits limits)
    : router_(router), metrics_(metrics), limits_(limits) {
  for (const auto& [method, route] : router.routes()) metrics.expect_route(method, route);
}

asio::awaitable<net::Response> Middleware::handle(net::Request request) {
  auto record = metrics_.begin_request(request.method);
  record.set_traceparent(request.header("traceparent"));
  auto match = router_.match(request.method, request.path);
  record.set_route(match.label);
  Call call;
  call.request_id = request_id_of(request);
  call.arguments = match.arguments;
  call.deadline = std::chrono::steady_clock::now() + limits_.request_timeout;
  call.request = std::move(request);
  const auto request_id = call.request_id;

  auto work = dispatch(match, std::move(call));
  auto response = co_await std::move(work);
  response.headers.emplace_back("X-Request-Id", request_id);
  response.headers.emplace_back("X-API-Version", api_version);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  record.set_status(response.status);
  log_answer(match, record.method(), request_id, response.status, record.elapsed());
  co_return response;
}

asio::awaitable<net::Response> Middleware::dispatch(Match match, Call call) {
  if (match.allow.empty()) co_return error_reply(404, "not_found", "there is nothing at this path");
  if (match.handler == nullptr) {
    auto refused = error_reply(405, "method_not_allowed", "this path has other methods, see Allow");
    refused.headers.emplace_back("Allow", match.allow);
    co_return refused;
  }
  if (call.request.body.size() > limits_.body_bytes)
    co_return error_reply(413, "body_too_large", "the body is larger than this API takes");
  const auto request_id = call.request_id;
  auto work = no_throw(invoke(match.handler, std::move(call)));
  auto outcome = co_await std::move(work);
  if (outcome) co_return std::move(*outcome);
  auto response = reply_for(outcome.error());
  log_failure(outcome.error(), match.label, request_id, response.status);
  co_return response;
}

}  // namespace midst::api
