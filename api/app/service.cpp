#include "api/app/service.hpp"

#include "api/cache/memory_cache.hpp"
#include "api/cache/policy.hpp"
#include "api/cache/redis_cache.hpp"
#include "api/http/middleware.hpp"
#include "api/http/router.hpp"
#include "api/http/routes/health.hpp"
#include "api/http/routes/profiles.hpp"
#include "api/repositories/database.hpp"
#include "api/repositories/migrations.hpp"
#include "api/repositories/profiles.hpp"
#include "api/telemetry/metrics.hpp"
#include "lib/base/log.hpp"
#include "lib/base/version.hpp"
#include "lib/net/http_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/core.h>

#include <exception>
#include <optional>
#include <utility>

namespace midst::api {
namespace {

/// Between readings of the pool and of the server, for gauges.
constexpr std::chrono::milliseconds sample_interval{500};
/// Between attempts to bring the schema up to date.
constexpr std::chrono::milliseconds migrate_pause{500};
/// A server that is back should be found within about a second.
constexpr std::chrono::milliseconds migrate_backoff_max{1000};

std::chrono::steady_clock::time_point steady_now() {
  return std::chrono::steady_clock::now();
}

push::ClientOptions push_options(const Config& config) {
  push::ClientOptions options;
  options.socket_path = config.push_socket;
  options.flush_interval = config.push_interval;
  options.resource = fmt::format("midst-api {}", version());
  options.on_problem = [](std::string_view what, std::string_view detail) {
    log::warn("push: something counts nowhere", {{"what", what}, {"detail", detail}});
  };
  return options;
}

net::ServerLimits server_limits(const Config& config) {
  net::ServerLimits limits;
  limits.connections = config.max_connections;
  // Room to read a body that is a little too large, so that its answer has the API's shape.
  limits.body_bytes = config.requests.body_bytes * 4;
  return limits;
}

pq::Conninfo database_conninfo(const std::string& url) {
  auto conninfo = pq::parse_conninfo(url).value();  // The configuration has parsed it once.
  conninfo.set_default("application_name", "midst-api");
  return conninfo;
}

QueryEvents query_events(Metrics& metrics) {
  QueryEvents events;
  events.on_finished = [&metrics](std::string_view operation, std::string_view table, std::chrono::nanoseconds took) {
    metrics.query_finished(operation, table, took);
  };
  events.on_failed = [&metrics](std::string_view operation, std::string_view table, std::string_view reason) {
    metrics.query_failed(operation, table, reason);
  };
  return events;
}

CacheEvents cache_events(Metrics& metrics) {
  CacheEvents events;
  events.on_hit = [&metrics](std::string_view cache_type) { metrics.cache_hit(cache_type); };
  events.on_miss = [&metrics](std::string_view cache_type) { metrics.cache_miss(cache_type); };
  events.on_failure = [&metrics](std::string_view cache_type, std::string_view reason) {
    metrics.cache_failed(cache_type, reason);
  };
  events.on_redis_operation = [&metrics](std::string_view operation, std::chrono::nanoseconds took) {
    metrics.redis_finished(operation, took);
  };
  return events;
}

void log_end(std::exception_ptr thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    log::error("a part of the service has stopped", {{"error", error.what()}});
  }
}

}  // namespace

/// Everything the service is made of, in floor order. Shared with what runs on the loop, so that nothing outlives it.
struct Service::Parts {
  Parts(asio::any_io_executor the_executor, Config the_config);

  static asio::awaitable<void> migrate_until_current(std::shared_ptr<Parts> self, std::function<void(Error)> on_fatal);
  static asio::awaitable<void> sample_gauges(std::shared_ptr<Parts> self);
  static asio::awaitable<void> forget_cached(std::shared_ptr<Parts> self);
  static asio::awaitable<net::Response> handle(std::shared_ptr<Parts> self, net::Request request);

  asio::any_io_executor executor;
  Config config;
  Metrics metrics;
  std::unique_ptr<Database> database;  // Null: profiles are in memory.
  std::unique_ptr<Profiles> profiles;
  std::unique_ptr<Cache> cache;
  std::unique_ptr<HealthRoutes> health_routes;
  std::unique_ptr<ProfileRoutes> profile_routes;
  Router router;
  std::unique_ptr<Middleware> middleware;
  std::unique_ptr<net::HttpServer> server;
  asio::steady_timer sample_timer, migrate_timer;
  bool is_stopped = false;
};

Service::Parts::Parts(asio::any_io_executor the_executor, Config the_config)
    : executor(the_executor),
      config(std::move(the_config)),
      metrics(push_options(config), version()),
      sample_timer(executor),
      migrate_timer(executor) {
  metrics.expect_cache("memory");
  const auto random = make_random_unit();
  if (config.database_url.empty()) {
    profiles = make_memory_profiles([] { return std::chrono::system_clock::now(); }, config.memory_profiles);
  } else {
    database = std::make_unique<Database>(executor, database_conninfo(config.database_url), config.database,
                                          query_events(metrics));
    profiles = make_postgres_profiles(*database);
  }
  if (config.redis_url.empty()) {
    cache = std::make_unique<MemoryCache>(config.cache.fallback, cache_events(metrics), steady_now, random);
  } else {
    metrics.expect_cache("redis");
    cache = std::make_unique<RedisCache>(executor, redis::parse_uri(config.redis_url).value(), config.cache,
                                         cache_events(metrics), steady_now, random);
  }
  health_routes = std::make_unique<HealthRoutes>(database.get(), config.redis_url.empty() ? nullptr : cache.get());
  profile_routes = std::make_unique<ProfileRoutes>(*profiles, *cache);
  health_routes->add_to(router);
  profile_routes->add_to(router);
  middleware = std::make_unique<Middleware>(router, metrics, config.requests);
}

asio::awaitable<net::Response> Service::Parts::handle(std::shared_ptr<Parts> self, net::Request request) {
  auto work = self->middleware->handle(std::move(request));
  co_return co_await std::move(work);
}

asio::awaitable<void> Service::Parts::forget_cached(std::shared_ptr<Parts> self) {
  Invalidation everything;
  everything.prefixes.emplace_back(policy::key_namespace);
  auto work = self->cache->invalidate(std::move(everything));
  co_await std::move(work);
}

/// One attempt after the other, because the database may come later than we do.
asio::awaitable<void> Service::Parts::migrate_until_current(std::shared_ptr<Parts> self,
                                                            std::function<void(Error)> on_fatal) {
  pq::ConnectionOptions options;
  options.backoff_max = migrate_backoff_max;
  pq::Connection connection(self->executor, database_conninfo(self->config.database_url), options);
  std::string last_warning;
  while (!self->is_stopped) {
    const auto applied = co_await migrate(connection, all_migrations(), steady_now() + self->config.migrate_timeout);
    if (applied) {
      self->database->set_schema_current();
      log::info("database schema is current", {{"addr", connection.conninfo().redacted()}});
      co_return;
    }
    if (applied.error().code == Errc::config) {
      on_fatal(applied.error());
      co_return;
    }
    const auto warning = describe(applied.error());
    if (warning != last_warning && !self->is_stopped)
      log::warn("the database schema cannot be brought up to date yet; trying again",
                {{"addr", connection.conninfo().redacted()}, {"error", warning}});
    last_warning = warning;
    self->migrate_timer.expires_after(migrate_pause);
    co_await self->migrate_timer.async_wait(as_result);
  }
}

asio::awaitable<void> Service::Parts::sample_gauges(std::shared_ptr<Parts> self) {
  std::uint64_t unreadable_seen = 0;
  while (!self->is_stopped) {
    if (self->database) {
      const auto pool = self->database->counters();
      self->metrics.set_db_pool(pool.idle, pool.busy, pool.waiting_callers);
    }
    const auto server = self->server->counters();
    self->metrics.set_open_connections(server.open_connections);
    self->metrics.add_unreadable_requests(server.bad_requests - unreadable_seen);
    unreadable_seen = server.bad_requests;
    self->sample_timer.expires_after(sample_interval);
    co_await self->sample_timer.async_wait(as_result);
  }
}

Service::Service(asio::io_context& io, Config config)
    : parts_(std::make_shared<Parts>(io.get_executor(), std::move(config))) {
}

Service::~Service() {
  parts_->is_stopped = true;
  parts_->sample_timer.cancel();
  parts_->migrate_timer.cancel();
  // The server's handler holds the parts; without this they would hold each other.
  parts_->server.reset();
}

Result<std::string> Service::start(std::function<void(Error)> on_fatal) {
  auto parts = parts_;
  net::Handler handler = [parts](net::Request request) { return Parts::handle(parts, std::move(request)); };
  parts->server = std::make_unique<net::HttpServer>(parts->executor, std::move(handler), server_limits(parts->config));
  auto address = parts->server->listen(parts->config.listen);
  if (!address) return address.error().with_context("http.listen");
  asio::co_spawn(parts->executor, Parts::sample_gauges(parts), log_end);
  // A store that begins empty must not be shadowed by what an earlier process has left in Redis.
  if (!parts->database) asio::co_spawn(parts->executor, Parts::forget_cached(parts), log_end);
  if (parts->database)
    asio::co_spawn(parts->executor, Parts::migrate_until_current(parts, std::move(on_fatal)), log_end);
  return address;
}

asio::awaitable<void> Service::stop() {
  const auto parts = parts_;
  if (parts->server) {
    auto draining = parts->server->drain(steady_now() + parts->config.drain_timeout);
    co_await std::move(draining);
  }
  parts->is_stopped = true;
  parts->sample_timer.cancel();
  parts->migrate_timer.cancel();
}

Metrics& Service::metrics() noexcept {
  return parts_->metrics;
}

}  // namespace midst::api
