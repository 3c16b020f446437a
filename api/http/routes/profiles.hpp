// GET and POST /v1/profiles, GET /v1/profiles/:id.
#pragma once

#include "api/cache/cache.hpp"
#include "api/http/router.hpp"
#include "api/repositories/profiles.hpp"

#include <cstdint>

namespace midst::api {

/// Profiles over HTTP, answers kept in a cache under the policy of cache/policy.hpp.
class ProfileRoutes {
 public:
  /// @param profiles, cache  must outlive the routes.
  ProfileRoutes(Profiles& profiles, Cache& cache) : profiles_(profiles), cache_(cache) {}

  void add_to(Router& router);

  /// ?offset (0 …, default 0) and ?limit (1 … 100, default 20): {ok, offset, limit, data, total}, newest first.
  [[nodiscard]] asio::awaitable<Result<net::Response>> list(Call call);
  /// {ok, data}; 400 when the id is no UUID; 404.
  [[nodiscard]] asio::awaitable<Result<net::Response>> get(Call call);
  /// 201 {ok, data} with Location; 400, 409, 415. id and identityId are made when they are not given; createdAt and
  /// updatedAt are the server's.
  [[nodiscard]] asio::awaitable<Result<net::Response>> create(Call call);

 private:
  Profiles& profiles_;
  Cache& cache_;
  // Writes so far. An answer that was read before a write must not enter the cache after it.
  std::uint64_t write_count_ = 0;
};

}  // namespace midst::api
