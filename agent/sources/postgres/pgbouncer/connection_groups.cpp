// SHOW CLIENTS and SHOW SERVERS: a row for each connection, of which only counts are kept.
#include "agent/sources/postgres/pgbouncer/kept_rows.hpp"
#include "agent/sources/postgres/pgbouncer/treatments.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace midst::sources {
namespace {

using metrics::Label;
using metrics::MetricSpec;
using metrics::MetricType;

/// The families of one of the two commands.
struct Families {
  MetricSpec connections, prepared, tls, replication, closing;
  bool has_closing;  ///< Only servers are closed when they are free again.
};

constexpr Families clients{
    {"pgbouncer_client_connections", MetricType::gauge, "",
     "Client connections by database, user, application name and state.", "application_name,database,state,user"},
    {"pgbouncer_client_prepared_statements", MetricType::gauge, "",
     "Prepared statements that clients hold (1.21 and later).", "database,user"},
    {"pgbouncer_client_tls_connections", MetricType::gauge, "", "Client connections over TLS.", "database,user"},
    {"pgbouncer_client_replication_connections", MetricType::gauge, "",
     "Client connections that replicate (1.23 and later).", "database,user"},
    {},
    false};
constexpr Families servers{
    {"pgbouncer_server_connections", MetricType::gauge, "",
     "Server connections by database, user, application name of the linked client and state.",
     "application_name,database,state,user"},
    {"pgbouncer_server_prepared_statements", MetricType::gauge, "",
     "Prepared statements on server connections (1.21 and later).", "database,user"},
    {"pgbouncer_server_tls_connections", MetricType::gauge, "", "Server connections over TLS.", "database,user"},
    {"pgbouncer_server_replication_connections", MetricType::gauge, "",
     "Server connections that replicate (1.23 and later).", "database,user"},
    {"pgbouncer_server_closing_connections", MetricType::gauge, "",
     "Server connections that are closed as soon as they are free (1.9 and later).", "database,user"},
    true};

/// (database, user, application_name, state), and (database, user).
using Group = std::array<std::string, 4>;
using Pool = std::array<std::string, 2>;

struct Sums {
  double connections = 0, prepared = 0, tls = 0, replication = 0, closing = 0;
};

/// What a text that has to be an address in a map costs at the most, whatever a client calls itself.
constexpr std::size_t longest_name = 256;

std::string name_of(std::string_view text) {
  return std::string(text.substr(0, longest_name));
}

template <class Key>
std::string joined(const Key& key) {
  std::string text;
  for (const auto& part : key) text.append(part).push_back('\0');
  return text;
}

/// Keeps the chosen entries and adds the others up under the key that `other` makes of theirs.
template <class Key, class Value, class Size, class Other, class Add>
void fold(std::map<Key, Value>& entries, StableChoice& choice, Deadline now, Size size, Other other, Add add) {
  std::vector<StableChoice::Candidate> candidates;
  for (const auto& [key, value] : entries) candidates.push_back({joined(key), false, size(value)});
  const auto is_chosen = choice.choose(candidates, now);
  std::map<Key, Value> kept;
  std::size_t index = 0;
  for (const auto& [key, value] : entries) add(kept[is_chosen[index++] ? key : other(key)], value);
  entries = std::move(kept);
}

class ConnectionGroups final : public Treatment {
 public:
  ConnectionGroups(const Families& families, const Limits& limits)
      : families_(families),
        choice_of_groups_(limits.pool_clients, limits.hold),
        choice_of_pools_(limits.pool_clients, limits.hold) {}

  Interpretation take(std::span<const Query* const> queries, std::span<const TableView> answers,
                      Deadline now) override {
    const auto& rows = answers.front();
    groups_.clear();
    pools_.clear();
    const auto count = std::min(rows.row_count, queries.front()->max_rows);
    read(rows, count);
    const std::string others(the_others);
    fold(
        groups_, choice_of_groups_, now, [](double number) { return number; },
        [&](const Group& group) {
          return Group{others, others, others, group[3]};
        },
        [](double& sum, double number) { sum += number; });
    fold(
        pools_, choice_of_pools_, now, [](const Sums& of) { return of.connections; },
        [&](const Pool&) {
          return Pool{others, others};
        },
        [](Sums& sum, const Sums& of) {
          sum.prepared += of.prepared;
          sum.tls += of.tls;
          sum.replication += of.replication;
          sum.closing += of.closing;
        });
    return {.rows_over_limit = rows.row_count - count};
  }

  void add(std::span<const Label> extra, metrics::SnapshotBuilder& builder) const override {
    std::vector<Label> labels;
    const auto set = [&](std::initializer_list<Label> own) {
      labels.assign(extra.begin(), extra.end());
      labels.insert(labels.end(), own);
      return builder.labels(labels);
    };
    for (const auto& [group, number] : groups_)
      builder.family(families_.connections)
          .add(set({{"database", group[0]}, {"user", group[1]}, {"application_name", group[2]}, {"state", group[3]}}),
               number);
    for (const auto& [pool, sums] : pools_) {
      const auto of = set({{"database", pool[0]}, {"user", pool[1]}});
      if (has_prepared_) builder.family(families_.prepared).add(of, sums.prepared);
      builder.family(families_.tls).add(of, sums.tls);
      if (has_replication_) builder.family(families_.replication).add(of, sums.replication);
      if (families_.has_closing && has_closing_) builder.family(families_.closing).add(of, sums.closing);
    }
  }

  [[nodiscard]] std::vector<MetricSpec> specs() const override {
    std::vector<MetricSpec> specs{families_.connections, families_.prepared, families_.tls, families_.replication};
    if (families_.has_closing) specs.push_back(families_.closing);
    return specs;
  }

 private:
  void read(const TableView& rows, std::size_t count) {
    const auto database = place_of(rows, "database"), user = place_of(rows, "user"),
               application = place_of(rows, "application_name"), state = place_of(rows, "state"),
               prepared = place_of(rows, "prepared_statements"), tls = place_of(rows, "tls"),
               replication = place_of(rows, "replication"), closing = place_of(rows, "close_needed");
    has_prepared_ = prepared.has_value();
    has_replication_ = replication.has_value();
    has_closing_ = closing.has_value();
    for (std::size_t row = 0; row < count; ++row) {
      const auto of = name_of(text_at(rows, row, database)), by = name_of(text_at(rows, row, user));
      groups_[{of, by, name_of(text_at(rows, row, application)), name_of(text_at(rows, row, state))}] += 1;
      auto& sums = pools_[{of, by}];
      sums.connections += 1;
      sums.prepared += number_at(rows, row, prepared).value_or(0);
      sums.tls += text_at(rows, row, tls).empty() ? 0 : 1;
      const auto kind = text_at(rows, row, replication);
      sums.replication += kind.empty() || kind == "none" ? 0 : 1;
      sums.closing += number_at(rows, row, closing).value_or(0);
    }
  }

  const Families& families_;
  StableChoice choice_of_groups_, choice_of_pools_;
  std::map<Group, double> groups_;
  std::map<Pool, Sums> pools_;
  bool has_prepared_ = false, has_replication_ = false, has_closing_ = false;
};

}  // namespace

std::unique_ptr<Treatment> make_clients_treatment(const Limits& limits) {
  return std::make_unique<ConnectionGroups>(clients, limits);
}

std::unique_ptr<Treatment> make_servers_treatment(const Limits& limits) {
  return std::make_unique<ConnectionGroups>(servers, limits);
}

}  // namespace midst::sources
