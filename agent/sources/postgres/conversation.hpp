// The collectors of one database and how they are asked: facts once a connection, then everything that is due in one
// pipeline. Used for the connected database and for each of the others.
#pragma once

#include "agent/sources/postgres/collector_memory.hpp"
#include "agent/sources/postgres/postgres_options.hpp"
#include "lib/pq/connection.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace midst::sources {

/// @return how a connection of this target is kept.
[[nodiscard]] pq::ConnectionOptions connection_options(const PostgresOptions& options);

/// @return how often a collector is asked, with what the configuration says instead.
[[nodiscard]] Schedule schedule_of(const Collector& collector, const Pace& pace);

class Conversation {
 public:
  /// @param collectors  those that are on and belong to this database; must outlive this.
  Conversation(std::span<const Collector* const> collectors, const PostgresOptions& options);

  /// Asks whatever is due over `connection`; connects it first when it is closed. Once more on a new connection when a
  /// kept one turns out to be closed.
  /// @return the transport's failure; collectors that failed have noted it themselves.
  [[nodiscard]] asio::awaitable<Result<Done>> ask(pq::Connection& connection, Deadline deadline);

  /// Asks one collector outside of the list once, over the connection of the last ask(), whose server it is planned
  /// for.
  /// @param parameter  its $1.
  /// @return its rows; Errc::unsupported where the server has nothing to offer to it, else the transport's failure.
  [[nodiscard]] asio::awaitable<Result<pq::Rows>> ask_aside(pq::Connection& connection, const Collector& collector,
                                                            std::string parameter, Deadline deadline) const;

  /// @return whether any collector is due.
  [[nodiscard]] bool is_due(Deadline now) const noexcept;
  /// Every collector that was asked, or would be, has failed: nothing of it is shown any more.
  void fail(const Error& error, Deadline now);
  /// Makes one collector due.
  void expire(std::string_view collector) noexcept;

  /// Adds what the collectors have.
  /// @param server  the label server="host:port", for the collectors that have it.
  void add(const metrics::Label& server, metrics::SnapshotBuilder& builder) const;

  [[nodiscard]] std::span<const CollectorMemory> collectors() const noexcept { return collectors_; }
  [[nodiscard]] const ServerFacts& facts() const noexcept { return facts_; }
  /// @return the answer to instance_query() of the last ask(); none after its failure.
  [[nodiscard]] const pq::Rows* instance() const noexcept { return instance_ ? &*instance_ : nullptr; }
  /// @return how long the server's process has worked for this database since the start, by its own clock.
  [[nodiscard]] double backend_seconds() const noexcept { return backend_seconds_; }
  /// @return whether somebody stands between us and the server's process: a pooler, which gives each transaction to
  /// whichever process is free. Nothing is then set or prepared beyond a transaction, since others would inherit it.
  [[nodiscard]] bool is_pooled() const noexcept { return is_pooled_; }

 private:
  struct Asked {
    std::vector<std::size_t> collectors;  ///< Indexes, in the order of the pipeline.
    std::vector<pq::Statement> statements;
    std::size_t leading = 0;  ///< Statements in front of the collectors'; the last of them is instance_query().
  };

  [[nodiscard]] asio::awaitable<Result<Done>> ask_once(pq::Connection& connection, Deadline deadline);
  [[nodiscard]] asio::awaitable<Result<Done>> learn(pq::Connection& connection, Deadline deadline);
  [[nodiscard]] Asked choose(Deadline now, const std::vector<bool>& is_settled) const;
  void add_statements(const CollectorMemory& memory, bool joins_next, std::vector<pq::Statement>& statements) const;
  void notice_pooler(const pq::Connection& connection, const pq::Rows& instance);
  void take(const Asked& asked, std::vector<pq::Rows> rows, Deadline sent, std::vector<bool>& is_settled);
  void take_instance(pq::Rows rows, const pq::Rows& clock);
  void log_change(Change change, const CollectorMemory& memory) const;

  std::string target_;
  Edition edition_;
  Pace pace_;
  std::vector<const Collector*> catalogue_;
  std::string facts_sql_;
  std::vector<CollectorMemory> collectors_;
  ServerFacts facts_;
  std::optional<Deadline> facts_at_;
  std::optional<pq::Rows> instance_;
  double backend_seconds_ = 0;
  bool is_pooled_ = false;
  bool needs_setup_ = false;       ///< The session's settings have still to be made.
  std::uint64_t planned_for_ = 0;  ///< connect_count() of the connection the statements are planned for.
};

}  // namespace midst::sources
