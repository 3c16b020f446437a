// The agent about itself, as a Source like any other: build, process, configuration, HTTP.
#pragma once

#include "agent/scrape/source.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace midst::app {

/// What the HTTP side has counted; read at each scrape.
struct WebCounters {
  std::uint64_t requests = 0, refused_connections = 0, bad_requests = 0;
  std::size_t open_connections = 0;
};

class SelfMetrics final : public scrape::Source {
 public:
  /// @param web  called on the loop thread at each collect.
  explicit SelfMetrics(std::function<WebCounters()> web);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  scrape::SourceId id_{"agent", ""};
  std::function<WebCounters()> web_;
  double config_loaded_at_;  ///< Unix seconds.
};

}  // namespace midst::app
