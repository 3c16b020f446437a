#include "api/http/routes/health.hpp"

#include "api/http/replies.hpp"
#include "lib/base/log.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace midst::api {
namespace {

/// Probes of orchestrators give up after a second or a few; so does each check.
constexpr std::chrono::seconds check_timeout{1};

std::string_view state_of(const Result<Done>& outcome) noexcept {
  return outcome ? "ok" : "down";
}

}  // namespace

void HealthRoutes::add_to(Router& router) {
  router.add({"GET", "/health", [this](Call call) { return health(std::move(call)); }});
  router.add({"GET", "/ready", [this](Call call) { return ready(std::move(call)); }});
}

asio::awaitable<Result<net::Response>> HealthRoutes::health(Call) const {
  auto response = json_reply(200, R"({"status":"ok"})");
  response.headers.emplace_back("Cache-Control", "no-store");
  co_return response;
}

asio::awaitable<Result<net::Response>> HealthRoutes::ready(Call call) const {
  const Deadline deadline = std::min(call.deadline, std::chrono::steady_clock::now() + check_timeout);
  std::string checks;
  bool is_ready = true;
  if (database_ != nullptr) {
    const auto outcome = co_await database_->check(deadline);
    checks += fmt::format(R"("database":"{}")", state_of(outcome));
    is_ready = is_ready && outcome;
    if (!outcome) log::debug("not ready", {{"part", "database"}, {"error", describe(outcome.error())}});
  }
  if (redis_ != nullptr) {
    const auto outcome = co_await redis_->check();
    checks += fmt::format(R"({}"redis":"{}")", checks.empty() ? "" : ",", state_of(outcome));
    is_ready = is_ready && outcome;
    if (!outcome) log::debug("not ready", {{"part", "redis"}, {"error", describe(outcome.error())}});
  }
  auto response = json_reply(is_ready ? 200 : 503, fmt::format(R"({{"status":"{}","checks":{{{}}}}})",
                                                               is_ready ? "ready" : "degraded", checks));
  response.headers.emplace_back("Cache-Control", "no-store");
  co_return response;
}

}  // namespace midst::api
