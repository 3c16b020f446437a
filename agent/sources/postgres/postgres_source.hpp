// One Postgres server as a Source: version → statements → one pipeline → rows → samples.
#pragma once

#include "agent/scrape/source.hpp"
#include "agent/sources/postgres/collector_memory.hpp"
#include "lib/pq/connection.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources {

/// Whose labels the page has. The names that only 0.11 has are always there, see docs/parity.md.
enum class Compat : std::uint8_t {
  none,   ///< postgres_exporter 0.20.
  v0_11,  ///< Debian 12's 0.11: a server label on every collector, pg_stat_activity by datname and state.
};

struct PostgresOptions {
  std::string name = "main";               ///< Target name, in logs and selections.
  pq::Conninfo conninfo;                   ///< Where and as whom; the connected database is the one whose tables show.
  pq::PasswordProvider password;           ///< Empty: the conninfo's own.
  metrics::OwnedLabels constant_labels;    ///< On every sample of this target.
  std::map<std::string, bool> collectors;  ///< Overrides by collector name; see postgres_collectors().
  std::chrono::milliseconds statement_timeout{2000};  ///< Of each statement, on the server.
  std::chrono::milliseconds lock_timeout{100};        ///< Of each statement, on the server.
  Compat compat = Compat::none;
};

/// @return the names `collectors` may have, in catalogue order.
[[nodiscard]] std::vector<std::string_view> postgres_collectors();

class PostgresSource final : public scrape::Source {
 public:
  PostgresSource(asio::any_io_executor executor, PostgresOptions options);

  [[nodiscard]] const scrape::SourceId& id() const noexcept override { return id_; }
  [[nodiscard]] std::vector<metrics::MetricSpec> specs() const override;
  [[nodiscard]] asio::awaitable<Result<metrics::Snapshot>> collect(Deadline deadline) override;
  [[nodiscard]] metrics::Snapshot down(const Error& error) const override;

 private:
  [[nodiscard]] asio::awaitable<Result<std::vector<pq::Rows>>> ask(Deadline deadline);
  [[nodiscard]] asio::awaitable<Result<std::vector<pq::Rows>>> ask_once(Deadline deadline);
  void prepare_for_connection();
  [[nodiscard]] std::vector<pq::Statement> choose_statements(Deadline now);
  void take_answers(std::vector<pq::Rows> rows, Deadline sent, Deadline now);
  void expire_settings_after_reload();
  void log_change(Change change, const CollectorMemory& memory) const;
  void add_collectors(metrics::SnapshotBuilder& builder);
  void add_answers(CollectorMemory& memory, metrics::SnapshotBuilder& builder);
  void add_health(bool is_up, metrics::SnapshotBuilder& builder) const;

  PostgresOptions options_;
  scrape::SourceId id_;
  std::string server_label_;
  pq::Connection connection_;
  std::vector<CollectorMemory> collectors_;  ///< The enabled ones, in catalogue order.
  std::vector<std::size_t> asked_;           ///< Indexes of the collectors in the pipeline under way.
  std::vector<pq::Rows> instance_;           ///< Answer to instance_query(); none after its failure.
  std::string conf_load_time_;               ///< Of the scrape before, as the server printed it.
  std::uint64_t prepared_for_ = 0;           ///< connect_count() of the connection the statements are chosen for.
  std::uint64_t scrapes_ = 0;
  std::chrono::nanoseconds last_duration_{0};
  Deadline sent_at_{};
};

}  // namespace midst::sources
