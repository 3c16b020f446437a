// GET /health and GET /ready.
#pragma once

#include "api/cache/cache.hpp"
#include "api/http/router.hpp"
#include "api/repositories/database.hpp"

namespace midst::api {

/// Answers for the process itself, and for what it stands on.
class HealthRoutes {
 public:
  /// @param database, redis  null when not configured; must outlive the routes.
  HealthRoutes(Database* database, Cache* redis) : database_(database), redis_(redis) {}

  void add_to(Router& router);

  /// 200 as long as the loop turns.
  [[nodiscard]] asio::awaitable<Result<net::Response>> health(Call call) const;
  /// 200 when every configured part answers within a second, else 503; the body names each part and its state.
  [[nodiscard]] asio::awaitable<Result<net::Response>> ready(Call call) const;

 private:
  Database* database_;
  Cache* redis_;
};

}  // namespace midst::api
