#include "agent/sources/postgres/pgbouncer/saturation.hpp"

#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <set>

namespace midst::sources {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;
using metrics::SnapshotBuilder;

constexpr MetricSpec saturation{
    "midst_pgbouncer_pool_saturation_ratio", MetricType::gauge, "",
    "Servers in use by what limits them, as the nearest limit has it: the pool's size with its reserve, the database's "
    "connections or the user's.",
    "database,user"};
constexpr MetricSpec pool_limit{"midst_pgbouncer_pool_limit_connections", MetricType::gauge, "",
                                "Servers that the pool may have at most by all of its limits.", "database,user"};
constexpr MetricSpec server_connections{
    "midst_pgbouncer_postgres_connections_ratio", MetricType::gauge, "",
    "Server connections of the pools by the connections that the Postgres target grants to everybody.", "postgres"};
constexpr MetricSpec server_demand{
    "midst_pgbouncer_postgres_demand_ratio", MetricType::gauge, "",
    "Server connections that the pools there are may open at most by those that the Postgres target grants to "
    "everybody; above 1 the pools together can exhaust it.",
    "postgres"};
constexpr MetricSpec all_specs[] = {saturation, pool_limit, server_connections, server_demand};

/// PgBouncer's own database: the console. It has no servers.
constexpr std::string_view console = "pgbouncer";

double ratio(double used, double limit) noexcept {
  return limit > 0 ? used / limit : 0;
}

double least_of_limits(double limit, double further) noexcept {
  return further > 0 ? std::min(limit, further) : limit;
}

}  // namespace

std::span<const MetricSpec> Saturation::specs() noexcept {
  return all_specs;
}

void Saturation::take(std::string_view collector, const TableView& rows) {
  forget(collector);
  if (collector == "pools") take_pools(rows);
  if (collector == "databases") take_databases(rows);
  if (collector == "users") take_users(rows);
  if (collector == "config") take_config(rows);
}

void Saturation::forget(std::string_view collector) {
  if (collector == "pools") pools_.clear();
  if (collector == "databases") databases_.clear();
  if (collector == "users") users_.clear();
  if (collector == "config") max_user_connections_ = 0;
}

/// Servers that are idle or used can serve another client at once, or are closed in favour of another pool; the rest is
/// in use. Connections that forward a cancel request do not count towards the limits (PgBouncer 1.18, objects.c).
void Saturation::take_pools(const TableView& rows) {
  const auto database = place_of(rows, "database"), user = place_of(rows, "user");
  if (!database || !user) return;
  const auto places = [&](std::initializer_list<std::string_view> columns) {
    std::vector<std::optional<std::size_t>> found;
    for (const auto column : columns) found.push_back(place_of(rows, column));
    return found;
  };
  const auto sum = [&](std::size_t row, const std::vector<std::optional<std::size_t>>& columns) {
    double total = 0;
    for (const auto column : columns) total += number_at(rows, row, column).value_or(0);
    return total;
  };
  const auto in_use = places({"sv_active", "sv_tested", "sv_login", "sv_being_canceled"}),
             free = places({"sv_idle", "sv_used"}), clients = places({"cl_active", "cl_waiting"});
  for (std::size_t row = 0; row < rows.row_count; ++row) {
    Pool pool{std::string(text_at(rows, row, database)), std::string(text_at(rows, row, user))};
    if (pool.database == console) continue;
    pool.in_use = sum(row, in_use);
    pool.is_idle = pool.in_use + sum(row, free) + sum(row, clients) <= 0;
    pools_.push_back(std::move(pool));
  }
}

void Saturation::take_databases(const TableView& rows) {
  const auto name = place_of(rows, "name");
  if (!name) return;
  const auto reserve = place_of(rows, "reserve_pool_size") ? "reserve_pool_size" : "reserve_pool";
  const auto number = [&](std::size_t row, std::string_view column) {
    return number_at(rows, row, place_of(rows, column)).value_or(0);
  };
  for (std::size_t row = 0; row < rows.row_count; ++row) {
    if (text_at(rows, row, name) == console) continue;
    auto& of = databases_[std::string(text_at(rows, row, name))];
    of.host = text_at(rows, row, place_of(rows, "host"));
    of.port = text_at(rows, row, place_of(rows, "port"));
    of.size = number(row, "pool_size");
    of.reserve = number(row, reserve);
    of.most = number(row, "max_connections");
    of.current = number(row, "current_connections");
  }
}

void Saturation::take_users(const TableView& rows) {
  const auto name = place_of(rows, "name");
  for (std::size_t row = 0; name && row < rows.row_count; ++row)
    users_[std::string(text_at(rows, row, name))] = {number_at(rows, row, place_of(rows, "pool_size")),
                                                     number_at(rows, row, place_of(rows, "reserve_pool_size")),
                                                     number_at(rows, row, place_of(rows, "max_user_connections"))};
}

void Saturation::take_config(const TableView& rows) {
  for (std::size_t row = 0; rows.columns.size() >= 2 && row < rows.row_count; ++row)
    if (text_at(rows, row, 0) == "max_user_connections") max_user_connections_ = number_at(rows, row, 1).value_or(0);
}

/// A user's own size goes before the database's (PgBouncer 1.23, objects.c).
double Saturation::capacity(const Pool& pool, const Database& database) const {
  const auto user = users_.find(pool.user);
  if (user == users_.end()) return database.size + database.reserve;
  return user->second.size.value_or(database.size) + user->second.reserve.value_or(database.reserve);
}

double Saturation::limit_of_user(const std::string& user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? max_user_connections_ : found->second.most.value_or(max_user_connections_);
}

void Saturation::add_pools(SnapshotBuilder& builder) const {
  std::map<std::string, double> of_database, of_user;
  for (const auto& pool : pools_) {
    of_database[pool.database] += pool.in_use;
    of_user[pool.user] += pool.in_use;
  }
  struct Shown {
    const Pool* pool;
    double ratio, limit;
  };
  std::vector<Shown> shown;
  for (const auto& pool : pools_) {
    const auto database = databases_.find(pool.database);
    if (database == databases_.end() || (pool.is_idle && !has_idle_)) continue;
    const double own = capacity(pool, database->second), user_limit = limit_of_user(pool.user);
    const double limit = least_of_limits(least_of_limits(own, database->second.most), user_limit);
    if (limit <= 0) continue;
    const double nearest = std::max({ratio(pool.in_use, own), ratio(of_database[pool.database], database->second.most),
                                     ratio(of_user[pool.user], user_limit)});
    shown.push_back({&pool, nearest, limit});
  }
  std::stable_sort(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) { return a.ratio > b.ratio; });
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (max_pools_ > 0 && i == max_pools_) {
      builder.add(saturation, {{"database", the_others}, {"user", the_others}}, shown[i].ratio);
      break;
    }
    const auto labels = builder.labels({{"database", shown[i].pool->database}, {"user", shown[i].pool->user}});
    builder.family(saturation).add(labels, shown[i].ratio);
    builder.family(pool_limit).add(labels, shown[i].limit);
  }
}

bool Saturation::is_behind(const PoolsBehind& behind, const std::string& database) const {
  return std::any_of(behind.databases.begin(), behind.databases.end(),
                     [&](const std::string& glob) { return text::matches_glob(glob, database); });
}

void Saturation::add_server(const PoolsBehind& behind, const ConnectionLimits& limits, SnapshotBuilder& builder) const {
  if (databases_.empty() || limits.available() <= 0) return;
  std::set<std::pair<std::string, std::string>> servers;
  double current = 0;
  for (const auto& [name, database] : databases_) {
    if (!is_behind(behind, name)) continue;
    servers.emplace(database.host, database.port);
    current += database.current;
  }
  if (servers.empty() || (!behind.is_named && servers.size() > 1)) return;
  std::map<std::string, double> by_database, by_user;
  for (const auto& pool : pools_) {
    const auto database = databases_.find(pool.database);
    if (database == databases_.end() || !is_behind(behind, pool.database)) continue;
    const double most = capacity(pool, database->second);
    by_database[pool.database] += most;
    by_user[pool.user] += most;
  }
  double over_databases = 0, over_users = 0;
  for (const auto& [name, most] : by_database) over_databases += least_of_limits(most, databases_.at(name).most);
  for (const auto& [name, most] : by_user) over_users += least_of_limits(most, limit_of_user(name));
  const auto labels = builder.labels({{"postgres", behind.postgres}});
  builder.family(server_connections).add(labels, current / limits.available());
  builder.family(server_demand).add(labels, std::min(over_databases, over_users) / limits.available());
}

}  // namespace midst::sources
