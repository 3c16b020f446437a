// The agent about itself, as a Source like any other: build, process, configuration, HTTP.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/web/status.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace midst::app {

/// What the HTTP side has counted; read at each scrape.
struct WebCounters {
  std::uint64_t requests = 0, refused_connections = 0, bad_requests = 0;
  std::size_t open_connections = 0;
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
