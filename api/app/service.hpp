// The API put together: stores, cache, routes, server, metrics. Built in floor order, stopped in reverse.
#pragma once

#include "api/app/config.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace midst::api {

class Metrics;

class Service {
 public:
  /// @param io  the loop; must outlive the service and must not run in its constructor.
  /// @param config  without errors.
  Service(asio::io_context& io, Config config);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Listens, and begins to bring the schema up to date; /ready says when it is. Requests that need the database before
  /// that are answered 503.
  /// @param on_fatal  called at most once, later, when the service cannot go on: the schema contradicts the program.
  /// @return the bound address, or why not.
  [[nodiscard]] Result<std::string> start(std::function<void(Error)> on_fatal);

  /// Stops accepting and waits for answers under way, at most drain_timeout. Metrics are sent by the destructor.
  [[nodiscard]] asio::awaitable<void> stop();

  [[nodiscard]] Metrics& metrics() noexcept;

 private:
  struct Parts;
  std::shared_ptr<Parts> parts_;
};

/// Runs the service until SIGTERM or SIGINT, with systemd told about it. @return the process's exit code.
[[nodiscard]] int run_service(const Config& config);

}  // namespace midst::api
