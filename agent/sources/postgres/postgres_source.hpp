// One Postgres server as a Source: what is due goes out in one pipeline to the connected database, visits to the others
// run beside it, and the page is made of what all of them have brought.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/postgres/conversation.hpp"
#include "agent/sources/postgres/databases.hpp"
#include "agent/sources/postgres/postgres_options.hpp"
#include "agent/sources/postgres/wait_sampler.hpp"
#include "lib/pq/connection.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace midst::sources {

class CustomCollector;

class PostgresSource final : public scrape::Source {
 public:
  PostgresSource(asio::any_io_executor executor, PostgresOptions options);
  ~PostgresSource() override;

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] scrape::Whereabouts whereabouts() const override {
    return {connection_->conninfo().redacted(), connection_->retry_in()};
  }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;
  [[nodiscard]] std::string explain() const override;

 private:
  [[nodiscard]] asio::awaitable<Result<Done>> ask(Deadline deadline);
  [[nodiscard]] asio::awaitable<void> ask_for_texts(Deadline deadline);
  void take_instance();
  void take_database_names();
  void tell_limits(Deadline now) const;
  void recycle_backend(double bytes);
  void say_privileges(std::string_view is_granted);
  void expire_settings_after_reload(std::string_view loaded);
  void add_collectors(metrics::SnapshotBuilder& builder, Deadline now) const;
  void add_health(bool is_up, metrics::SnapshotBuilder& builder) const;

  PostgresOptions options_;
  scrape::SourceId id_;
  std::string server_label_;
  std::vector<std::unique_ptr<CustomCollector>> custom_;
  std::vector<const Collector*> catalogue_;     ///< The enabled ones of all databases, in catalogue order.
  std::shared_ptr<pq::Connection> connection_;  ///< To the connected database; shared with the sampler's loop.
  Conversation main_;                           ///< Over it.
  WaitSampler sampler_;                         ///< Over it as well, between the scrapes.
  std::unique_ptr<Databases> databases_;
  std::string connected_;       ///< Name of the connected database, as the server says it.
  std::string conf_load_time_;  ///< Of the scrape before, as the server printed it.
  std::string privilege_;       ///< "t" or "f" of the scrape before.
  std::optional<Deadline> recycled_at_;
  std::uint64_t scrapes_ = 0;
  std::chrono::nanoseconds last_duration_{0};
};

}  // namespace midst::sources
