// One Redis as a Source: which collectors ask what, in which writes, and how their replies become a page.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/redis/redis_options.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace midst::sources {

/// Keeps one connection; a collect is one write and its replies. Further writes follow in the first collect of a server
/// process, which begins with a look at what it is, and for work that goes by steps, such as scans.
class RedisSource final : public scrape::Source {
 public:
  RedisSource(asio::any_io_executor executor, RedisOptions options);
  ~RedisSource() override;

  [[nodiscard]] const scrape::SourceId& id() const noexcept override;
  [[nodiscard]] scrape::Whereabouts whereabouts() const override;
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with a collect under way.
};

}  // namespace midst::sources
