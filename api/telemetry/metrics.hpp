// The product's instruments: every metric the API pushes is declared here and recorded through these verbs.
// Requests, queries and cache work are reported by the floors above; this folder knows none of them.
#pragma once

#include "lib/push/client.hpp"
#include "lib/push/http_metrics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace midst::api {

/// The instruments and the push client that sends them. Verbs are called on the loop thread.
class Metrics {
 public:
  /// Declares all families and starts the push client; works without an agent.
  /// @param version  of the program, for api_build_info.
  Metrics(push::ClientOptions options, std::string_view version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// A request has come; it counts itself when it ends.
  [[nodiscard]] push::HttpRequest begin_request(std::string_view method);
  /// Makes the server-error series of a route exist at zero, so that the first failure is seen by rate().
  void expect_route(std::string_view method, std::string_view route);
  /// Makes the hit and miss series of a cache exist at zero.
  void expect_cache(std::string_view cache_type);

  /// One statement that the database has answered, refused or kept too long.
  void query_finished(std::string_view operation, std::string_view table, std::chrono::nanoseconds duration);
  /// A query that yielded no rows because of `reason`, an Errc word.
  void query_failed(std::string_view operation, std::string_view table, std::string_view reason);
  /// One command that Redis has answered, or kept too long.
  void redis_finished(std::string_view operation, std::chrono::nanoseconds duration);
  /// One lookup in a cache of that type ("memory", "redis").
  void cache_hit(std::string_view cache_type);
  void cache_miss(std::string_view cache_type);
  /// Cache work that came to nothing because of `reason`, a bounded word.
  void cache_failed(std::string_view cache_type, std::string_view reason);

  /// Sampled by the owner of the pool and of the server.
  void set_db_pool(std::size_t idle, std::size_t busy, std::size_t waiting);
  void set_open_connections(std::size_t count);
  /// Requests that the server refused before there was a request to route, since the last call.
  void add_unreadable_requests(std::uint64_t count);

  /// Sends a snapshot now. @return whether the agent acknowledged it within `timeout`. Blocks; for tests and exits.
  bool flush(std::chrono::milliseconds timeout);
  [[nodiscard]] push::ClientStats stats() const;

 private:
  struct Instruments;
  class ProcessSampler;

  std::unique_ptr<Instruments> instruments_;
  std::unique_ptr<ProcessSampler> process_;
  std::unique_ptr<push::Client> client_;  // Last: its thread uses the others and ends first.
};

}  // namespace midst::api
