// How near the pools are to what limits them: their own size, the database's and the user's limit, and the connections
// that the Postgres behind them grants. Pure: fed with the answers of SHOW POOLS, DATABASES, USERS and CONFIG.
#pragma once

#include "agent/sources/postgres/rows_to_samples.hpp"
#include "agent/sources/postgres/server_limits.hpp"
#include "lib/metrics/snapshot.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midst::sources {

/// Which Postgres the databases are on.
struct PoolsBehind {
  std::string_view postgres;               ///< Target name.
  bool is_named = false;                   ///< False: guessed, so that databases on several servers give no figure.
  std::span<const std::string> databases;  ///< Globs of the names of those on it.
};

class Saturation {
 public:
  /// @param max_pools  pools with a series of their own, zero: all; the rest has one with the highest figure.
  explicit Saturation(std::size_t max_pools, bool has_idle_pools) : max_pools_(max_pools), has_idle_(has_idle_pools) {}

  /// Takes the answer to a collector's command; those that say nothing of limits are passed over.
  void take(std::string_view collector, const TableView& rows);
  /// The collector's command failed: what it said before is no longer known.
  void forget(std::string_view collector);

  /// @return the families of the two below.
  [[nodiscard]] static std::span<const metrics::MetricSpec> specs() noexcept;
  /// Adds saturation and limit of each pool; nothing when pools or databases are not known.
  void add_pools(metrics::SnapshotBuilder& builder) const;
  /// Adds what the pools take and may take of the server's connections.
  void add_server(const PoolsBehind& behind, const ConnectionLimits& limits, metrics::SnapshotBuilder& builder) const;

 private:
  struct Pool {
    std::string database, user;
    double in_use = 0;
    bool is_idle = true;
  };
  struct Database {
    std::string host, port;
    double size = 0, reserve = 0;
    double most = 0;     ///< Server connections at most; zero: no limit.
    double current = 0;  ///< Server connections now.
  };
  struct User {
    std::optional<double> size, reserve, most;
  };

  void take_pools(const TableView& rows);
  void take_databases(const TableView& rows);
  void take_users(const TableView& rows);
  void take_config(const TableView& rows);
  [[nodiscard]] double capacity(const Pool& pool, const Database& database) const;
  [[nodiscard]] double limit_of_user(const std::string& user) const;
  [[nodiscard]] bool is_behind(const PoolsBehind& behind, const std::string& database) const;

  std::size_t max_pools_;
  bool has_idle_;
  std::vector<Pool> pools_;
  std::map<std::string, Database> databases_;
  std::map<std::string, User> users_;
  double max_user_connections_ = 0;
};

}  // namespace midst::sources
