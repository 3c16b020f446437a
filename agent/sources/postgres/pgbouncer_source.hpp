// One PgBouncer as a Source: SHOW commands on a kept console connection, one after the other, since the console knows
// neither the extended protocol nor two statements in one message.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/postgres/collector_memory.hpp"
#include "agent/sources/postgres/pgbouncer/saturation.hpp"
#include "agent/sources/postgres/pgbouncer_options.hpp"
#include "lib/pq/connection.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace midst::sources {

class PgbouncerSource final : public scrape::Source {
 public:
  PgbouncerSource(asio::any_io_executor executor, PgbouncerOptions options);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] scrape::Whereabouts whereabouts() const override {
    return {connection_.conninfo().redacted(), connection_.retry_in()};
  }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  enum class Standing { down, partial, up };

  struct Command {
    CollectorMemory memory;
    bool is_basic;           ///< Asked at every scrape; without it the target is not up.
    Deadline rests_until{};  ///< Refused before; outlives the connection, which a console may close with its refusal.

    [[nodiscard]] bool is_due(Deadline now) const noexcept { return now >= rests_until && memory.is_due(now); }
    [[nodiscard]] std::string_view name() const noexcept { return memory.collector().name; }
  };

  [[nodiscard]] asio::awaitable<Result<Done>> ask(Deadline deadline);
  [[nodiscard]] asio::awaitable<Result<Done>> connect(Deadline deadline, bool is_begin);
  [[nodiscard]] asio::awaitable<Result<Done>> ask_one(std::size_t index, Deadline deadline, bool is_begin);
  void plan_for_release(bool is_begin);
  void take(Command& command, pq::Rows rows, std::chrono::nanoseconds took, Deadline now);
  void fail(Command& command, Error error, std::chrono::nanoseconds took, Deadline now);
  void skip_the_rest(std::size_t from, Deadline now);
  void log_change(Change change, const Command& command) const;
  [[nodiscard]] Standing standing() const;
  void add_joins(metrics::SnapshotBuilder& builder, Deadline now) const;
  void add_health(Standing standing, Deadline now, metrics::SnapshotBuilder& builder) const;

  PgbouncerOptions options_;
  scrape::SourceId id_;
  pq::Connection connection_;
  std::vector<Command> commands_;  ///< In the order in which they are sent.
  Saturation saturation_;
  std::uint64_t planned_for_ = 0;  ///< connect_count() of the connection that the plan is for; 0: plan anew.
  int release_ = 0;                ///< Of that plan.
};

}  // namespace midst::sources
