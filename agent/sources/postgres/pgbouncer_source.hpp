// One PgBouncer as a Source: SHOW commands on a kept console connection, one after the other, since the console knows
// neither the extended protocol nor two statements in one message.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/postgres/collector_memory.hpp"
#include "lib/pq/connection.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <string>
#include <utility>
#include <vector>

namespace midst::sources {

struct PgbouncerOptions {
  std::string name = "main";  ///< Target name, in logs and selections.
  pq::Conninfo conninfo;      ///< dbname is "pgbouncer" unless given; the user is one of stats_users or admin_users.
  pq::PasswordProvider password;         ///< Empty: the conninfo's own.
  metrics::OwnedLabels constant_labels;  ///< On every sample of this target.
};

class PgbouncerSource final : public scrape::Source {
 public:
  PgbouncerSource(asio::any_io_executor executor, PgbouncerOptions options);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  [[nodiscard]] asio::awaitable<Result<Done>> ask(Deadline deadline);
  [[nodiscard]] asio::awaitable<Result<Done>> ask_once(Deadline deadline);
  void log_change(Change change, const CollectorMemory& memory) const;
  void add_health(bool is_up, metrics::SnapshotBuilder& builder) const;

  PgbouncerOptions options_;
  scrape::SourceId id_;
  pq::Connection connection_;
  std::vector<CollectorMemory> commands_;  ///< In the order in which they are sent.
  std::uint64_t prepared_for_ = 0;         ///< connect_count() of the connection the answers are from.
};

}  // namespace midst::sources
