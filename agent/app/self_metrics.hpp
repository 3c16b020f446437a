// The agent about itself, as a Source like any other: build, process, configuration, HTTP.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/web/guard.hpp"
#include "agent/web/status.hpp"
#include "lib/net/http_server.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace midst::app {

/// What the HTTP side has counted; read at each scrape.
struct WebCounters {
  net::ServerCounters server;
  web::GuardCounters denied;
  std::uint64_t failed_tls_reloads = 0;
  std::optional<std::chrono::system_clock::time_point> certificate_expiry;
};

struct SelfFacts {
  WebCounters web;
  web::ReloadState reload;
};

class SelfMetrics final : public scrape::Source {
 public:
  /// @param facts  called on the loop thread at each collect.
  explicit SelfMetrics(std::function<SelfFacts()> facts);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  scrape::SourceId id_{"agent", ""};
  std::function<SelfFacts()> facts_;
};

}  // namespace midst::app
