#include "agent/sources/redis/info/info_replication.hpp"

#include "agent/sources/redis/families.hpp"
#include "agent/sources/redis/info/info_lines.hpp"
#include "lib/base/text.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace midst::sources::redis_info {
namespace {

using metrics::MetricSpec;
using metrics::MetricType;

// clang-format off
constexpr MetricSpec own_specs[] = {
    {"redis_connected_slave_lag_bytes", MetricType::gauge, "bytes", "Bytes of the replication stream that an online replica has not acknowledged.", "slave_index?,slave_ip,slave_port,slave_state"},
    {"redis_instance_role", MetricType::gauge, "", "1 for the role that the server has, 0 for the others.", "role"},
    {"redis_master_failover_state", MetricType::gauge, "", "1 for the state that a coordinated failover (FAILOVER) is in, 0 for the others.", "state"},
    {"redis_master_sync_progress_ratio", MetricType::gauge, "", "Share of the full copy fetched so far; an estimate while its size is not known.", "master_host,master_port"},
    {"redis_master_replication_info", MetricType::gauge, "", "Replication ID of each master of a server that has several. Always 1.", "master_host,master_port,replid"},
};
// clang-format on
constexpr const MetricSpec& lag_bytes = own_specs[0];
constexpr const MetricSpec& instance_role = own_specs[1];
constexpr const MetricSpec& failover_state = own_specs[2];
constexpr const MetricSpec& sync_progress = own_specs[3];
constexpr const MetricSpec& master_info = own_specs[4];

/// Fields of the link to the master, with "master_" or KeyDB's "master_2_" taken off the front.
struct MasterField {
  std::string_view field;
  const MetricSpec* spec;
};
constexpr MasterField master_fields[] = {
    {"last_io_seconds_ago", &family::master_last_io},
    {"sync_in_progress", &family::master_sync_in_progress},
    {"link_down_since_seconds", &family::master_link_down_since},
    {"sync_total_bytes", &family::master_sync_total},
    {"sync_read_bytes", &family::master_sync_read},
    {"sync_left_bytes", &family::master_sync_left},
    {"sync_last_io_seconds_ago", &family::master_sync_last_io},
};

constexpr std::string_view roles[] = {"master", "slave"};
constexpr std::string_view failover_states[] = {"no-failover", "waiting-for-sync", "failover-in-progress"};

/// A link that says something else than a number counts as 0, which is what dashboards know.
double number_or_zero(std::string_view value) {
  const auto number = text::parse_number(value);
  return number ? *number : 0;
}

/// Adds a 1 for `word` and a 0 for each known one that it is not.
void add_state(const MetricSpec& spec, std::string_view label, std::span<const std::string_view> known,
               std::string_view word, metrics::SnapshotBuilder& builder) {
  for (const auto each : known) builder.add(spec, {{label, each}}, each == word ? 1 : 0);
  if (std::find(known.begin(), known.end(), word) == known.end()) builder.add(spec, {{label, word}}, 1);
}

}  // namespace

std::span<const MetricSpec> replication_specs() noexcept {
  return own_specs;
}

std::optional<Replica> parse_replica(std::string_view field, std::string_view value) noexcept {
  constexpr std::string_view prefix = "slave";
  if (!field.starts_with(prefix) || !is_digits(field.substr(prefix.size()))) return std::nullopt;
  Replica replica;
  replica.index = field.substr(prefix.size());
  bool has_offset = false;
  while (!value.empty()) {
    auto text = text::take_until(value, ',');
    const auto name = text::take_until(text, '=');
    if (name == "ip") replica.ip = text;
    if (name == "port") replica.port = text;
    if (name == "state") replica.state = text;
    if (name != "offset" && name != "lag") continue;
    const auto number = text::parse_number(text);
    if (!number) return std::nullopt;
    if (name == "lag") {
      replica.lag = *number;
    } else {
      replica.offset = *number;
      has_offset = true;
    }
  }
  if (!has_offset) return std::nullopt;
  return replica;
}

ReplicationReader::ReplicationReader(std::size_t max_replicas, metrics::SnapshotBuilder& builder)
    : max_replicas_(max_replicas), builder_(builder) {
}

bool ReplicationReader::read(std::string_view field, std::string_view value) {
  if (field == "slave_repl_offset" || field == "slave_read_repl_offset") {
    add_of_master(field == "slave_repl_offset" ? family::slave_repl_offset : family::slave_read_repl_offset,
                  number_or_zero(value));
    return true;
  }
  constexpr std::string_view master_prefix = "master_";
  if (field.starts_with(master_prefix)) return read_master(field.substr(master_prefix.size()), value);
  if (!field.starts_with("slave")) return false;
  const auto replica = parse_replica(field, value);
  if (!replica) return false;
  if (replicas_.size() == max_replicas_)
    ++folded_;
  else
    replicas_.push_back(*replica);
  return true;
}

bool ReplicationReader::read_master(std::string_view field, std::string_view value) {
  // KeyDB numbers its further masters: master_host, master_1_host, master_2_host …
  const auto bar = field.find('_');
  const bool is_numbered = bar != std::string_view::npos && is_digits(field.substr(0, bar));
  if (is_numbered) field.remove_prefix(bar + 1);
  if (field == "host") {
    master_host_ = value;
  } else if (field == "port") {
    master_port_ = value;
  } else if (field == "link_status") {
    add_of_master(family::master_link_up, value == "up" ? 1 : 0);
  } else if (field == "sync_perc") {
    add_of_master(sync_progress, number_or_zero(value) / 100);
  } else if (field == "failover_state") {
    add_failover(value);
  } else if (is_numbered && field == "replid") {
    builder_.add(master_info, {{"master_host", master_host_}, {"master_port", master_port_}, {"replid", value}}, 1);
  } else {
    const auto* const known = std::find_if(std::begin(master_fields), std::end(master_fields),
                                           [&](const MasterField& each) { return each.field == field; });
    if (known == std::end(master_fields)) return false;
    add_of_master(*known->spec, number_or_zero(value));
  }
  return true;
}

void ReplicationReader::add_of_master(const MetricSpec& spec, double value) {
  builder_.add(spec, {{"master_host", master_host_}, {"master_port", master_port_}}, value);
}

void ReplicationReader::add_failover(std::string_view state) {
  if (!state.empty()) add_state(failover_state, "state", failover_states, state, builder_);
}

void ReplicationReader::finish(std::string_view role, std::string_view read_only, std::optional<double> master_offset) {
  add_replicas(master_offset);
  add_role(role);
  if (role == "slave")
    builder_.add(family::slave_info,
                 {{"master_host", master_host_}, {"master_port", master_port_}, {"read_only", read_only}}, 1);
}

void ReplicationReader::add_replicas(std::optional<double> master_offset) {
  std::set<std::pair<std::string_view, std::string_view>> addresses;
  for (const auto& replica : replicas_) {
    std::vector<metrics::Label> pairs{
        {"slave_ip", replica.ip}, {"slave_port", replica.port}, {"slave_state", replica.state}};
    // Replicas behind one address translator look alike; only the later ones get the label that tells them apart.
    if (!addresses.emplace(replica.ip, replica.port).second) pairs.push_back({"slave_index", replica.index});
    const auto labels = builder_.labels(pairs);
    builder_.family(family::slave_offset).add(labels, replica.offset);
    if (replica.lag) builder_.family(family::slave_lag).add(labels, *replica.lag);
    // Until a replica is online its offset is 0, and the difference would say nothing.
    if (master_offset && replica.state == "online")
      builder_.family(lag_bytes).add(labels, std::max(0.0, *master_offset - replica.offset));
  }
}

void ReplicationReader::add_role(std::string_view role) {
  if (!role.empty()) add_state(instance_role, "role", roles, role, builder_);
}

}  // namespace midst::sources::redis_info
