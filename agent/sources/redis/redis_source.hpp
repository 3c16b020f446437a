// One Redis as a Source: which commands go into the scrape's one pipeline, and which parser reads each reply.
#pragma once

#include "agent/scrape/source.hpp"
#include "lib/redis/connection.hpp"
#include "lib/redis/uri.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace midst::sources {

/// One [[redis]] of the configuration.
struct RedisOptions {
  std::string name = "main";  ///< The target's name.
  redis::Uri uri;
  redis::LoginProvider login;                ///< Asked at each connect; unset: the login of the URI.
  metrics::OwnedLabels constant_labels;      ///< On every sample of this target.
  std::string client_name = "midst-agent";   ///< What CLIENT LIST shows; empty: none is set.
  std::string config_command = "CONFIG";     ///< Its name where it was renamed; "-": never sent.
  std::chrono::seconds config_interval{60};  ///< Settings younger than this are not asked for again.
  bool has_latency = true;                   ///< Whether LATENCY LATEST and LATENCY HISTOGRAM are sent.
  bool has_slowlog = true;                   ///< Whether SLOWLOG LEN and SLOWLOG GET 1 are sent.
  bool zero_databases = true;                ///< Whether empty databases appear with 0 keys.
  std::size_t max_error_labels = 64;         ///< Kinds of errors with a series of their own; the rest is "other".
  /// A command that the server refused (NOPERM) or does not know is sent again after this time, or when another
  /// server process answers.
  std::chrono::seconds retry_refused_after{3600};
};

/// Keeps one connection; a collect is one write and its replies. The first collect of a server process may need a
/// second one, for what only INFO tells: a cluster, or a version whose CONFIG GET takes one name at a time.
class RedisSource final : public scrape::Source {
 public:
  RedisSource(asio::any_io_executor executor, RedisOptions options);
  ~RedisSource() override;

  [[nodiscard]] const scrape::SourceId& id() const noexcept override;
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  ///< Shared with a collect under way.
};

}  // namespace midst::sources
