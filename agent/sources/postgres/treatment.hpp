// What a collector keeps between answers when its samples are more than a picture of the last rows: accumulators, a
// stable choice of the busiest, a rest under "_other". The seam between the catalogue and such collectors.
#pragma once

#include "agent/sources/postgres/query.hpp"
#include "agent/sources/postgres/rows_to_samples.hpp"
#include "lib/base/deadline.hpp"
#include "lib/metrics/snapshot.hpp"

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

namespace midst::sources {

/// How many series a target may have of what a server can have any number of. Zero: no limit.
struct Limits {
  std::size_t tables = 300;                 ///< Tables of a database with series of their own.
  std::size_t indexes = 500;                ///< Indexes of a database.
  std::size_t statements = 50;              ///< Statements of pg_stat_statements.
  std::chrono::milliseconds hold{600'000};  ///< How long one that was chosen stays at least.
  std::size_t waits = 100;                  ///< Pairs of database and wait event of the wait sampler.
  bool has_exact_sizes = false;             ///< The collector table_sizes runs: others leave sizes to it.
  std::size_t pools = 1000;                 ///< Pools of a PgBouncer.
  std::size_t pool_users = 200;             ///< Users of a PgBouncer.
  std::size_t pool_clients = 200;           ///< Groups of a PgBouncer's clients, and of its servers.
  bool has_idle_pools = true;               ///< Pools without clients and servers are shown, too.
};

/// One for each collector and database; fed on the loop thread.
class Treatment {
 public:
  Treatment() = default;
  Treatment(const Treatment&) = delete;
  Treatment& operator=(const Treatment&) = delete;
  virtual ~Treatment() = default;

  /// Takes the fresh answers to the planned statements, in their order. The views live as long as the call.
  /// @return what of them could not be used.
  virtual Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers,
                              Deadline now) = 0;

  /// Adds the samples of what was taken so far.
  /// @param extra  labels that every one of these samples carries besides its own.
  virtual void add(std::span<const metrics::Label> extra, metrics::SnapshotBuilder& builder) const = 0;

  /// @return the families that add() can make besides those of the collector's columns.
  [[nodiscard]] virtual std::vector<metrics::MetricSpec> specs() const { return {}; }
};

}  // namespace midst::sources
