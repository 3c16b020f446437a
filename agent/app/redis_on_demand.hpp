// What is asked of a configured Redis target outside the page: /scrape?target=… with key checks of the request, and the
// nodes of its cluster. Nothing but configured targets is ever contacted.
#pragma once

#include "agent/sources/redis/redis_options.hpp"
#include "agent/web/routes.hpp"
#include "lib/metrics/snapshot.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace midst::app {

/// Loop thread only.
class RedisOnDemand {
 public:
  /// @param targets  outlive this object and every request.
  RedisOnDemand(asio::any_io_executor executor, const std::vector<sources::RedisOptions>& targets)
      : executor_(std::move(executor)), targets_(&targets) {}

  /// Collects a target once, on a connection of its own, with the request's checks on top of the configured ones.
  /// The key sampler stays out of it.
  /// @return its page, also when it is down; Errc::config when the target or a check is not to be understood.
  [[nodiscard]] asio::awaitable<Result<std::shared_ptr<const metrics::Exposition>>> scrape(web::ProbeRequest request);

  /// Asks a target for the nodes of its cluster. @param target  as above; may be empty when there is only one.
  /// @return "redis://host:port" for each; Errc::config when there is no such target or it is no cluster.
  [[nodiscard]] asio::awaitable<Result<std::vector<std::string>>> discover(std::string target, Deadline deadline);

  /// @return what is typed into redis-cli to make a user with just the rights that the target's collectors need, or
  /// why the server could not be asked what it is.
  [[nodiscard]] asio::awaitable<Result<std::string>> acl_line(std::string target, Deadline deadline);

  /// @return how many scrapes were refused, for redis_target_scrape_request_errors_total of every target.
  [[nodiscard]] std::shared_ptr<const std::uint64_t> refused() const noexcept { return refused_; }

 private:
  [[nodiscard]] asio::awaitable<Result<std::string>> ask(sources::RedisOptions options, redis::Command command,
                                                         Deadline deadline) const;
  [[nodiscard]] Result<sources::RedisOptions> find(std::string_view target) const;

  asio::any_io_executor executor_;
  const std::vector<sources::RedisOptions>* targets_;
  std::shared_ptr<std::uint64_t> refused_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace midst::app
